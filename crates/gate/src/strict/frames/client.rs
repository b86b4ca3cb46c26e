//! A client that keeps to the rules, for tests.

use proptest::prelude::*;

/// A frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[..], &[kind, flags], &stream.to_be_bytes()];
    [&head.concat(), payload].concat()
}

/// SETTINGS with one.
pub(super) fn setting(name: u16, value: u32) -> Vec<u8> {
    let setting = [&name.to_be_bytes()[..], &value.to_be_bytes()];
    frame(4, 0, 0, &setting.concat())
}

/// What a client may do next. Streams are told by how many of them there are.
#[derive(Debug, Clone)]
pub(super) enum Does {
    Begin {
        skip: u32,
        ends: bool,
        pieces: usize,
    },
    Data {
        stream: usize,
        bytes: usize,
        padded: bool,
        ends: bool,
    },
    Trailers {
        stream: usize,
    },
    Reset {
        stream: usize,
    },
    Enlarge {
        stream: usize,
    },
    Prefer {
        stream: u32,
    },
    Set {
        value: u32,
    },
    Ping,
    Extend {
        kind: u8,
        stream: u32,
    },
    GoAway,
}

/// Anything of that.
pub(super) fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        4 => (0..3_u32, any::<bool>(), 1..4_usize)
            .prop_map(|(skip, ends, pieces)| Does::Begin { skip, ends, pieces }),
        4 => (0..9_usize, 0..99_usize, any::<bool>(), any::<bool>())
            .prop_map(|(stream, bytes, padded, ends)| Does::Data { stream, bytes, padded, ends }),
        1 => (0..9_usize).prop_map(|stream| Does::Trailers { stream }),
        1 => (0..9_usize).prop_map(|stream| Does::Reset { stream }),
        2 => (0..9_usize).prop_map(|stream| Does::Enlarge { stream }),
        1 => (1..999_u32).prop_map(|stream| Does::Prefer { stream }),
        1 => (0..u32::MAX >> 1).prop_map(|value| Does::Set { value }),
        1 => Just(Does::Ping),
        1 => (10..=u8::MAX, any::<u32>()).prop_map(|(kind, stream)| Does::Extend { kind, stream }),
        1 => Just(Does::GoAway),
    ]
}

/// A client that keeps to the rules, and knows nothing of what the gate resets: it goes on with any stream that it has
/// not ended itself.
#[derive(Default)]
pub(super) struct Client {
    last: u32,
    open: Vec<u32>,
    begun: Vec<u32>,
    /// Entries of its table: whether each is a pseudo-header.
    added: usize,
}

impl Client {
    /// Headers, with entries of a table that has room for all of them.
    fn headers(&mut self, is_request: bool, seed: u32) -> Vec<u8> {
        let mut block = if seed.is_multiple_of(3) {
            vec![0x3f, 0xe1, 0x1f]
        } else {
            vec![]
        };
        if is_request {
            block.extend([0x82, 0x87, 0x04, 0x01, b'/', 0x01, 0x81, 0x1f]);
        }
        if self.added > 0 {
            block.push(0xbe);
        }
        if self.added < 50 {
            block.extend([0x40, 0x01, b'a', 0x82, 0xb8, 0x00]);
            self.added += 1;
        }
        block.extend([0x10, 0x01, b'b', 0x01, b':', 0x00, 0x00, 0x00]);
        block
    }

    /// The frames of what it does; none where it can't do that now.
    pub(super) fn act(&mut self, does: &Does) -> Vec<u8> {
        let of =
            |streams: &[u32], at: usize| streams.get(streams.len().checked_sub(at + 1)?).copied();
        match *does {
            Does::Begin { skip, ends, pieces } => {
                self.last = (self.last + 2 * skip + 1) | 1;
                if ends {
                    self.begun.push(self.last);
                } else {
                    self.open.push(self.last);
                }
                let block = self.headers(true, self.last);
                let first = block.len().div_ceil(pieces);
                let mut sent = Vec::new();
                for (at, piece) in block.chunks(first).enumerate() {
                    let end = if (at + 1) * first >= block.len() {
                        4
                    } else {
                        0
                    };
                    sent.extend(if at > 0 {
                        frame(9, end, self.last, piece)
                    } else if pieces == 2 {
                        let padded = [&[3, 0, 0, 0, 0, 7], piece, &[0x40; 3]].concat();
                        frame(1, 0x28 | end | u8::from(ends), self.last, &padded)
                    } else {
                        frame(1, end | u8::from(ends), self.last, piece)
                    });
                }
                sent
            }
            Does::Data {
                stream,
                bytes,
                padded,
                ends,
            } => {
                let Some(stream) = of(&self.open, stream) else {
                    return vec![];
                };
                if ends {
                    self.close(stream);
                }
                let mut payload = vec![b'x'; bytes];
                if padded {
                    payload.insert(0, u8::try_from(bytes).unwrap());
                }
                frame(0, u8::from(ends) | u8::from(padded) << 3, stream, &payload)
            }
            Does::Trailers { stream } => {
                let Some(stream) = of(&self.open, stream) else {
                    return vec![];
                };
                self.close(stream);
                let block = self.headers(false, stream);
                frame(1, 5, stream, &block)
            }
            Does::Reset { stream } => {
                let any = of(&self.open, stream).or(of(&self.begun, stream));
                let Some(stream) = any else { return vec![] };
                self.close(stream);
                frame(3, 0, stream, &[0, 0, 0, 8])
            }
            Does::Enlarge { stream } => {
                let stream = of(&self.begun, stream).unwrap_or(0);
                frame(8, 0, stream, &[0, 0, 0, 1])
            }
            Does::Prefer { stream } => frame(2, 0, stream, &[0; 5]),
            Does::Set { value } => {
                [setting(4, value), setting(0x77, value), frame(4, 1, 0, &[])].concat()
            }
            Does::Ping => frame(6, 0, 0, &[9; 8]),
            Does::Extend { kind, stream } => frame(kind, 0xff, stream, &[1; 5]),
            Does::GoAway => frame(7, 0, 0, &[0; 12]),
        }
    }

    fn close(&mut self, stream: u32) {
        self.open.retain(|open| *open != stream);
        self.begun.push(stream);
    }
}
