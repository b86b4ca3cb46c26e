//! Reads a streamed answer, however its bytes arrive.

use llm_api::limits::ANSWER_BYTES;

use super::{
    chunk::{self, Finish, Said},
    sse::{EVENT_BYTES, Events, LongEvent},
};

/// Most bytes of a whole stream. Each word comes wrapped in some hundred bytes.
pub const STREAM_BYTES: usize = 16 * 1024 * 1024;

/// An incremental decoder of a whole answer. After its end or an error it yields nothing more.
#[derive(Debug, Default)]
pub struct Decoder {
    events: Events,
    /// Bytes of the stream so far.
    stream_bytes: usize,
    /// Bytes of text so far.
    text_bytes: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The model has finished; the stream's end marker may follow.
    Finished,
    Over,
}

/// What a stream yields.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// The next words, never empty.
    Text(String),
    /// The answer is whole.
    End,
}

/// Why a stream is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// One event is longer than [`EVENT_BYTES`].
    #[error("it sent an event of more than {EVENT_BYTES} bytes")]
    LongEvent,
    /// The stream is longer than [`STREAM_BYTES`].
    #[error("it sent more than {STREAM_BYTES} bytes")]
    LongStream,
    /// The text is longer than [`ANSWER_BYTES`].
    #[error("it sent more than {ANSWER_BYTES} bytes of text")]
    LongAnswer,
    /// An event is no chunk of an answer.
    #[error("it sent an event that is no chunk of an answer")]
    NotAChunk,
    /// The answer has no text.
    #[error("it sent an answer without text")]
    Empty,
    /// The provider reported that it failed.
    #[error("it reported a failure in the middle of the answer (code {0:?})")]
    Reported(String),
    /// The provider held the answer back.
    #[error("its content filter stopped the answer")]
    Filtered,
    /// The stream ended before the answer did.
    #[error("it ended the stream in the middle of the answer")]
    Truncated,
}

impl Decoder {
    /// A decoder at the start of an answer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes as they came. Take everything out before adding more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.stream_bytes = self.stream_bytes.saturating_add(bytes.len());
        if self.state != State::Over {
            self.events.push(bytes);
        }
    }

    /// What comes next, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the stream is no answer.
    pub fn next_output(&mut self) -> Result<Option<Output>, DecodeError> {
        while self.state != State::Over {
            let data = match self.events.next_event() {
                Ok(Some(data)) => data,
                Ok(None) if self.stream_bytes > STREAM_BYTES => {
                    return self.fail(DecodeError::LongStream);
                }
                Ok(None) => return Ok(None),
                Err(LongEvent) => return self.fail(DecodeError::LongEvent),
            };
            match chunk::read(&data) {
                None => return self.fail(DecodeError::NotAChunk),
                Some(Said::Failed(code)) => return self.fail(DecodeError::Reported(code)),
                Some(Said::Done) => return self.end().map(Some),
                Some(Said::Piece(_, Some(Finish::Filtered))) => {
                    return self.fail(DecodeError::Filtered);
                }
                Some(Said::Piece(text, finish)) => {
                    if finish.is_some() {
                        self.state = State::Finished;
                    }
                    self.text_bytes += text.len();
                    if self.text_bytes > ANSWER_BYTES {
                        return self.fail(DecodeError::LongAnswer);
                    }
                    if !text.is_empty() {
                        return Ok(Some(Output::Text(text.into_owned())));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Says that no more bytes will come. A stream may lack its end marker if the model has said that it finished.
    ///
    /// # Errors
    /// When the answer is not whole.
    pub fn finish(&mut self) -> Result<Option<Output>, DecodeError> {
        match self.state {
            State::Over => Ok(None),
            State::Finished => self.end().map(Some),
            State::Open => self.fail(DecodeError::Truncated),
        }
    }

    fn end(&mut self) -> Result<Output, DecodeError> {
        self.state = State::Over;
        if self.text_bytes == 0 {
            Err(DecodeError::Empty)
        } else {
            Ok(Output::End)
        }
    }

    fn fail<T>(&mut self, error: DecodeError) -> Result<T, DecodeError> {
        self.state = State::Over;
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The text that a stream yields, and how it ends.
    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (String, Option<DecodeError>) {
        let mut decoder = Decoder::new();
        let mut text = String::new();
        for piece in pieces {
            decoder.push(piece);
            loop {
                match decoder.next_output() {
                    Ok(Some(Output::Text(more))) => text.push_str(&more),
                    Ok(Some(Output::End)) => return (text, None),
                    Ok(None) => break,
                    Err(error) => return (text, Some(error)),
                }
            }
        }
        (text, decoder.finish().err())
    }

    fn chunk(content: &str) -> String {
        format!(
            "data: {}\n\n",
            serde_json::json!({"choices": [{"index": 0, "delta": {"content": content}}]})
        )
    }

    const STOP: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

    #[test]
    fn an_answer_ends_with_its_marker_or_its_reason() {
        let words = chunk("Hello ") + ": keep-alive\n\n" + &chunk("there");
        for end in [
            format!("{STOP}data: [DONE]\n\n"),
            STOP.to_owned(),
            "data: [DONE]\n\n".to_owned(),
        ] {
            assert_eq!(
                decode([(words.clone() + &end).as_bytes()]),
                ("Hello there".to_owned(), None)
            );
        }
        assert_eq!(
            decode([words.as_bytes()]),
            ("Hello there".to_owned(), Some(DecodeError::Truncated))
        );
    }

    #[test]
    fn what_is_no_answer_is_named() {
        let long = chunk(&"a".repeat(ANSWER_BYTES + 1));
        for (stream, error) in [
            (STOP, DecodeError::Empty),
            ("data: [DONE]\n\n", DecodeError::Empty),
            ("data: <html>\n\n", DecodeError::NotAChunk),
            ("<html>no events", DecodeError::Truncated),
            (
                "data: {\"error\":{\"code\":\"overloaded\"}}\n\n",
                DecodeError::Reported("overloaded".into()),
            ),
            (
                "data: {\"choices\":[{\"finish_reason\":\"content_filter\"}]}\n\n",
                DecodeError::Filtered,
            ),
            (long.as_str(), DecodeError::LongAnswer),
        ] {
            assert_eq!(decode([stream.as_bytes()]).1, Some(error));
        }
    }

    #[test]
    fn a_stream_of_comments_is_cut() {
        let comment = b": comment\n".repeat(1024);
        let (_, error) = decode(std::iter::repeat_n(
            comment.as_slice(),
            STREAM_BYTES / 10_240 + 2,
        ));
        assert_eq!(error, Some(DecodeError::LongStream));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_answer(
            words in prop::collection::vec(any::<String>(), 0..8),
            hostile in prop_oneof![Just(Vec::new()), prop::collection::vec(any::<u8>(), 0..60)],
            at in any::<prop::sample::Index>(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut parts: Vec<Vec<u8>> = words.iter().map(|word| chunk(word).into_bytes()).collect();
            parts.push(STOP.as_bytes().to_vec());
            let whole = hostile.is_empty();
            parts.insert(at.index(parts.len()), hostile);
            let bytes = parts.concat();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let split = decode(at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]));
            if whole && words.iter().any(|word| !word.is_empty()) {
                prop_assert_eq!(&split, &(words.concat(), None));
            }
            prop_assert_eq!(split, decode([bytes.as_slice()]));
        }
    }
}
