//! The answer: what the broker streams back.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// One event of an answer. Its `Debug` shows sizes, never text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The next piece of the answer's text.
    Delta(String),
    /// The answer is whole.
    Done(Done),
    /// There will be no (more) answer.
    Failed(Failed),
}

/// How an answer that is whole came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Whether the passages held the answer.
    pub outcome: Outcome,
    /// What the answer rests on.
    #[serde(default)]
    pub sources: Vec<Source>,
}

/// Whether an answer was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The text answers the question.
    Answered,
    /// The passages do not hold the answer, and the text says so.
    Unknown,
}

/// A passage that an answer rests on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The passage's index in the request.
    pub passage: usize,
    /// The words of it that matter, as they can be shown.
    pub quote: String,
}

/// Why there is no (whole) answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// What went wrong.
    pub kind: FailKind,
    /// Whether the same question may succeed later without anyone changing the set-up.
    pub retry: bool,
}

/// What went wrong between the broker and a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailKind {
    /// The provider could not be reached, is overloaded, or broke off.
    Unavailable,
    /// The provider did not answer in time.
    Timeout,
    /// The provider, or the set-up, does not allow the call: a wrong key, an address that is not declared.
    Refused,
    /// What the provider sent is not an answer.
    Malformed,
    /// No provider of that name is configured.
    UnknownProvider,
}

impl FailKind {
    /// The kind as it stands on the wire and in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
            Self::UnknownProvider => "unknown-provider",
        }
    }
}

impl Event {
    /// Whether this event ends the answer.
    #[must_use]
    pub fn is_end(&self) -> bool {
        !matches!(self, Self::Delta(_))
    }
}

/// One event as a line of the wire form, with its line feed.
#[must_use]
pub fn encode(event: &Event) -> Bytes {
    let mut line = Vec::with_capacity(64);
    match serde_json::to_writer(&mut line, event) {
        Ok(()) => line.push(b'\n'),
        // Strings, numbers and derived enums serialise without fail; an empty line is what the decoder skips.
        Err(_) => line.clear(),
    }
    line.into()
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delta(text) => write!(f, "Delta({} bytes)", text.len()),
            Self::Done(done) => f.debug_tuple("Done").field(done).finish(),
            Self::Failed(failed) => f.debug_tuple("Failed").field(failed).finish(),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("passage", &self.passage)
            .field("quote_bytes", &self.quote.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_is_as_documented() {
        assert_eq!(
            encode(&Event::Delta("a\"b\n".into())),
            "{\"delta\":\"a\\\"b\\n\"}\n"
        );
        assert_eq!(
            encode(&Event::Done(Done {
                outcome: Outcome::Answered,
                sources: vec![Source {
                    passage: 2,
                    quote: "q".into()
                }]
            })),
            "{\"done\":{\"outcome\":\"answered\",\"sources\":[{\"passage\":2,\"quote\":\"q\"}]}}\n"
        );
        assert_eq!(
            encode(&Event::Failed(Failed {
                kind: FailKind::UnknownProvider,
                retry: false
            })),
            "{\"failed\":{\"kind\":\"unknown-provider\",\"retry\":false}}\n"
        );
    }

    #[test]
    fn each_kind_has_one_spelling() {
        for kind in [
            FailKind::Unavailable,
            FailKind::Timeout,
            FailKind::Refused,
            FailKind::Malformed,
            FailKind::UnknownProvider,
        ] {
            assert_eq!(serde_json::to_value(kind).ok(), Some(kind.as_str().into()));
        }
    }

    #[test]
    fn debug_shows_no_text() {
        assert_eq!(
            format!("{:?}", Event::Delta("Ada".into())),
            "Delta(3 bytes)"
        );
        assert!(
            !format!(
                "{:?}",
                Source {
                    passage: 0,
                    quote: "Ada".into()
                }
            )
            .contains("Ada")
        );
    }
}
