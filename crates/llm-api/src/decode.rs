//! Reads the lines of an answer, however the bytes arrive.

use bytes::{Buf, BytesMut};

use crate::{
    limits::{ANSWER_BYTES, LINE_BYTES},
    stream::Event,
};

/// An incremental decoder of an answer's wire form. It does no I/O; what it yields depends on the bytes alone and not on
/// how they were split. After an end or an error it yields nothing more.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line feed.
    scanned: usize,
    /// Bytes of answer text so far.
    text_bytes: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    Ended,
    Broken,
}

/// What was received is not an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A line is longer than [`LINE_BYTES`].
    #[error("a line of the answer is longer than {LINE_BYTES} bytes")]
    LongLine,
    /// The text is longer than [`ANSWER_BYTES`].
    #[error("the answer's text is longer than {ANSWER_BYTES} bytes")]
    LongAnswer,
    /// A line is not an event.
    #[error("a line of the answer is not an event")]
    NotAnEvent,
    /// The bytes ended before the answer did.
    #[error("the answer broke off")]
    Truncated,
}

impl Decoder {
    /// A decoder at the start of an answer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes as they came. Take all events out before adding more: what is held is then at most one line.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.state == State::Open {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next whole event, or `None` when more bytes are needed or the answer is over.
    ///
    /// # Errors
    /// When the bytes are no answer. The decoder then yields nothing more.
    pub fn next_event(&mut self) -> Result<Option<Event>, DecodeError> {
        while self.state == State::Open {
            let Some(at) = self.buffer[self.scanned..]
                .iter()
                .position(|byte| *byte == b'\n')
            else {
                self.scanned = self.buffer.len();
                return if self.scanned > LINE_BYTES {
                    self.fail(DecodeError::LongLine)
                } else {
                    Ok(None)
                };
            };
            let end = self.scanned + at;
            if end > LINE_BYTES {
                return self.fail(DecodeError::LongLine);
            }
            let line = self.buffer[..end].trim_ascii();
            let event = (!line.is_empty()).then(|| serde_json::from_slice::<Event>(line));
            self.buffer.advance(end + 1);
            self.scanned = 0;
            match event {
                None => {}
                Some(Err(_)) => return self.fail(DecodeError::NotAnEvent),
                Some(Ok(event)) => return self.accept(event),
            }
        }
        Ok(None)
    }

    /// Says that no more bytes will come.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when the answer had not ended.
    pub fn finish(&mut self) -> Result<(), DecodeError> {
        if self.state == State::Open {
            self.fail(DecodeError::Truncated).map(drop)
        } else {
            Ok(())
        }
    }

    fn accept(&mut self, event: Event) -> Result<Option<Event>, DecodeError> {
        if let Event::Delta(text) = &event {
            self.text_bytes += text.len();
            if self.text_bytes > ANSWER_BYTES {
                return self.fail(DecodeError::LongAnswer);
            }
        } else {
            self.state = State::Ended;
            self.buffer = BytesMut::new();
        }
        Ok(Some(event))
    }

    fn fail(&mut self, error: DecodeError) -> Result<Option<Event>, DecodeError> {
        self.state = State::Broken;
        self.buffer = BytesMut::new();
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;
    use crate::stream::{Done, FailKind, Failed, Outcome, Source, encode};

    /// All that a decoder yields from bytes that arrive in the given pieces.
    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Option<DecodeError>) {
        let mut decoder = Decoder::new();
        let mut events = Vec::new();
        for piece in pieces {
            decoder.push(piece);
            loop {
                match decoder.next_event() {
                    Ok(Some(event)) => events.push(event),
                    Ok(None) => break,
                    Err(error) => return (events, Some(error)),
                }
            }
        }
        (events, decoder.finish().err())
    }

    fn split<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
    }

    fn end() -> impl Strategy<Value = Event> {
        prop_oneof![
            prop::collection::vec((0_usize..16, any::<String>()), 0..4).prop_map(|sources| {
                Event::Done(Done {
                    outcome: Outcome::Answered,
                    sources: sources
                        .into_iter()
                        .map(|(passage, quote)| Source { passage, quote })
                        .collect(),
                })
            }),
            any::<bool>().prop_map(|retry| Event::Failed(Failed {
                kind: FailKind::Timeout,
                retry
            })),
        ]
    }

    proptest! {
        #[test]
        fn any_split_gives_the_events_that_were_sent(
            deltas in prop::collection::vec(any::<String>(), 0..8),
            end in end(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let sent: Vec<Event> = deltas.into_iter().map(Event::Delta).chain([end]).collect();
            let wire: Vec<u8> = sent.iter().flat_map(encode).collect();
            prop_assert_eq!(decode(split(&wire, &cuts)), (sent, None));
        }

        #[test]
        fn any_split_of_hostile_bytes_gives_the_same_end(
            lines in prop::collection::vec(prop_oneof![
                Just(b"{\"delta\":\"a\"}\n".to_vec()),
                Just(b"{\"done\":{\"outcome\":\"unknown\"}}\r\n".to_vec()),
                Just(b"\n".to_vec()),
                Just(vec![b'x'; LINE_BYTES + 1]),
                prop::collection::vec(any::<u8>(), 0..40),
            ], 0..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let wire = lines.concat();
            prop_assert_eq!(decode(split(&wire, &cuts)), decode([wire.as_slice()]));
        }
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
        let line =
            |bytes: usize| format!("{{\"delta\":\"\"{}}}\n", " ".repeat(bytes - 12)).into_bytes();
        let mut fits = line(LINE_BYTES);
        fits.extend(b"{\"done\":{\"outcome\":\"answered\"}}\n");
        assert_eq!(decode([fits.as_slice()]).1, None);
        assert_eq!(
            decode([line(LINE_BYTES + 1).as_slice()]),
            (vec![], Some(DecodeError::LongLine))
        );
        assert_eq!(
            decode([vec![b' '; LINE_BYTES + 1].as_slice()]),
            (vec![], Some(DecodeError::LongLine))
        );
    }

    #[test]
    fn the_longest_lawful_end_fits_in_a_line() {
        let sources = (0..crate::limits::PASSAGES)
            .map(|passage| Source {
                passage,
                quote: "\u{1}".repeat(crate::limits::QUOTE_BYTES),
            })
            .collect();
        let wire = encode(&Event::Done(Done {
            outcome: Outcome::Answered,
            sources,
        }));
        assert!(wire.len() <= LINE_BYTES, "{}", wire.len());
    }

    #[test]
    fn an_answer_without_an_end_broke_off() {
        let (events, error) = decode([b"{\"delta\":\"half\"}\n{\"done\"".as_slice()]);
        assert_eq!((events.len(), error), (1, Some(DecodeError::Truncated)));
    }

    #[test]
    fn an_endless_answer_is_cut() {
        let piece = encode(&Event::Delta("a".repeat(1024)));
        let wire: Vec<u8> = std::iter::repeat_n(piece, ANSWER_BYTES / 1024 + 1)
            .flatten()
            .collect();
        let (events, error) = decode([wire.as_slice()]);
        assert_eq!(
            (events.len(), error),
            (ANSWER_BYTES / 1024, Some(DecodeError::LongAnswer))
        );
    }

    #[test]
    fn what_follows_the_end_is_not_read() {
        let mut decoder = Decoder::new();
        decoder.push(b"{\"done\":{\"outcome\":\"answered\"}}\ngarbage\n");
        assert!(decoder.next_event().unwrap().unwrap().is_end());
        assert_eq!(decoder.next_event(), Ok(None));
        assert_eq!(decoder.finish(), Ok(()));
    }
}
