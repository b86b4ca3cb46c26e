//! Server-sent events (HTML Living Standard, 9.2.6), as far as this interface uses them: the data of each event.

use bytes::{Buf, BytesMut};

/// Most bytes of one event.
pub const EVENT_BYTES: usize = 256 * 1024;

/// An event is longer than [`EVENT_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LongEvent;

/// An incremental decoder: however the bytes are split, the events are the same.
#[derive(Debug, Default)]
pub(super) struct Events {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line's end.
    scanned: usize,
    /// The line before ended with a carriage return; a line feed now belongs to it.
    after_return: bool,
    /// The data lines of the event so far, joined by line feeds.
    data: Vec<u8>,
    has_data: bool,
    begun: bool,
}

impl Events {
    /// Adds bytes as they came. Take all events out before adding more.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The data of the next whole event. An event without data is none.
    pub(super) fn next_event(&mut self) -> Result<Option<Vec<u8>>, LongEvent> {
        loop {
            if self.after_return && !self.buffer.is_empty() {
                self.after_return = false;
                if self.buffer[0] == b'\n' {
                    self.buffer.advance(1);
                }
            }
            let Some(at) = self.buffer[self.scanned..]
                .iter()
                .position(|byte| matches!(byte, b'\n' | b'\r'))
            else {
                self.scanned = self.buffer.len();
                return if self.scanned + self.data.len() > EVENT_BYTES {
                    Err(LongEvent)
                } else {
                    Ok(None)
                };
            };
            let end = self.scanned + at;
            if end + self.data.len() > EVENT_BYTES {
                return Err(LongEvent);
            }
            self.after_return = self.buffer[end] == b'\r';
            self.scanned = 0;
            let line = self.buffer.split_to(end + 1);
            let mut line = &line[..end];
            if !self.begun {
                self.begun = true;
                line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
            }
            if line.is_empty() {
                if std::mem::take(&mut self.has_data) {
                    return Ok(Some(std::mem::take(&mut self.data)));
                }
                continue;
            }
            self.field(line);
        }
    }

    /// `event`, `id`, `retry` and comments say nothing here.
    fn field(&mut self, line: &[u8]) {
        let value = match line.strip_prefix(b"data") {
            Some([]) => &[],
            Some([b':', b' ', value @ ..]) | Some([b':', value @ ..]) => value,
            _ => return,
        };
        if self.has_data {
            self.data.push(b'\n');
        }
        self.has_data = true;
        self.data.extend_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
        let mut decoder = Events::default();
        let mut found = Vec::new();
        for piece in pieces {
            decoder.push(piece);
            loop {
                match decoder.next_event() {
                    Ok(Some(event)) => found.push(event),
                    Ok(None) => break,
                    Err(LongEvent) => return (found, true),
                }
            }
        }
        (found, false)
    }

    fn all(bytes: &[u8]) -> Vec<Vec<u8>> {
        events([bytes]).0
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        assert_eq!(
            all(b"data: a\n\ndata:b\r\n\r\ndata: c\r\rdata\n\n"),
            [&b"a"[..], b"b", b"c", b""]
        );
        assert_eq!(all(b"\xef\xbb\xbfdata: a\n\n"), [b"a"]);
        assert_eq!(
            all(b": hello\nevent: x\nid: 1\nretry: 5\ndata:  two\ndata: lines\n\n"),
            [b" two\nlines"]
        );
        assert_eq!(all(b"event: none\n\ndatabase: x\n\n\n\n"), [b""; 0]);
        assert_eq!(all(b"data: unfinished\n"), [b""; 0]);
    }

    #[test]
    fn an_event_without_end_is_cut() {
        let (found, long) = events(std::iter::repeat_n(
            &b"data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"[..],
            EVENT_BYTES / 16,
        ));
        assert!(found.is_empty() && long);
        let (found, long) = events(std::iter::repeat_n(
            &b"data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"[..],
            EVENT_BYTES / 16,
        ));
        assert!(found.is_empty() && long);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(
            bytes in "(data: ?|[:\r\na-z é\u{feff}]|\r\n|\n\n){0,60}",
            hostile in prop::collection::vec(any::<u8>(), 0..40),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut bytes = bytes.into_bytes();
            bytes.extend(hostile);
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            prop_assert_eq!(events(at.windows(2).map(|pair| &bytes[pair[0]..pair[1]])), events([bytes.as_slice()]));
        }
    }
}
