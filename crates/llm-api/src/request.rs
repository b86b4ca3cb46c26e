//! The question: what a caller sends.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits;

/// A question with all that an answer may rest on. Its `Debug` shows names and sizes, never text: texts name persons.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    /// The bot that asks.
    pub bot: String,
    /// The provider that is to answer, by its name in `llm.toml`; [`BUILT_IN`](crate::BUILT_IN) always exists.
    pub provider: String,
    /// What the bot's owner tells the provider beyond the standing instructions. May be empty.
    #[serde(default)]
    pub instructions: String,
    /// The language of the standing texts, as in the bot's file (`en`, `de`, …).
    #[serde(default)]
    pub language: String,
    /// The visitor's question.
    pub question: String,
    /// What retrieval found, best first. An answer's sources name these by their index.
    #[serde(default)]
    pub passages: Vec<Passage>,
    /// The conversation so far, oldest first, without the question.
    #[serde(default)]
    pub turns: Vec<Turn>,
}

/// A piece of a document that may hold the answer.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passage {
    /// The document's name in the bot's knowledge base.
    pub document: String,
    /// The document's title.
    #[serde(default)]
    pub title: String,
    /// The heading that the passage stands under. May be empty.
    #[serde(default)]
    pub heading: String,
    /// The passage itself, as readable text without markup: a blank line between blocks, a line for each item of a list
    /// (`- `, `1. `), code with its line breaks.
    pub text: String,
}

/// One earlier message of the conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Who spoke.
    pub role: Role,
    /// What was said.
    pub text: String,
}

/// Who spoke in an earlier turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The visitor.
    Visitor,
    /// The assistant.
    Assistant,
}

/// A request that breaks a limit, in words for the caller's log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A part that must say something is empty.
    #[error("{part} is empty")]
    Empty {
        /// Which part.
        part: &'static str,
    },
    /// A part is longer than its limit.
    #[error("{part} has {bytes} bytes; the limit is {limit}")]
    TooLong {
        /// Which part.
        part: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// There are more of a part than may be.
    #[error("there are {count} {part}; the limit is {limit}")]
    TooMany {
        /// Which part.
        part: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
}

impl AnswerRequest {
    /// Holds the request to the limits in [`limits`].
    ///
    /// # Errors
    /// The first part that breaks its limit.
    pub fn check(&self) -> Result<(), Invalid> {
        filled("the bot's name", &self.bot)?;
        filled("the provider's name", &self.provider)?;
        filled("the question", self.question.trim())?;
        within("the bot's name", &self.bot, limits::NAME_BYTES)?;
        within("the provider's name", &self.provider, limits::NAME_BYTES)?;
        within("the language", &self.language, limits::NAME_BYTES)?;
        within(
            "the instructions",
            &self.instructions,
            limits::INSTRUCTIONS_BYTES,
        )?;
        within("the question", &self.question, limits::QUESTION_BYTES)?;
        few("passages", self.passages.len(), limits::PASSAGES)?;
        few("turns", self.turns.len(), limits::TURNS)?;
        for passage in &self.passages {
            within(
                "a passage's document name",
                &passage.document,
                limits::LABEL_BYTES,
            )?;
            within("a passage's title", &passage.title, limits::LABEL_BYTES)?;
            within("a passage's heading", &passage.heading, limits::LABEL_BYTES)?;
            within("a passage", &passage.text, limits::PASSAGE_BYTES)?;
        }
        for turn in &self.turns {
            within("a turn", &turn.text, limits::TURN_BYTES)?;
        }
        Ok(())
    }
}

fn filled(part: &'static str, text: &str) -> Result<(), Invalid> {
    if text.is_empty() {
        Err(Invalid::Empty { part })
    } else {
        Ok(())
    }
}

fn within(part: &'static str, text: &str, limit: usize) -> Result<(), Invalid> {
    if text.len() > limit {
        Err(Invalid::TooLong {
            part,
            bytes: text.len(),
            limit,
        })
    } else {
        Ok(())
    }
}

fn few(part: &'static str, count: usize, limit: usize) -> Result<(), Invalid> {
    if count > limit {
        Err(Invalid::TooMany { part, count, limit })
    } else {
        Ok(())
    }
}

impl fmt::Debug for AnswerRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerRequest")
            .field("bot", &self.bot)
            .field("provider", &self.provider)
            .field("language", &self.language)
            .field("question_bytes", &self.question.len())
            .field("passages", &self.passages)
            .field("turns", &self.turns)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage")
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("role", &self.role)
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn request() -> AnswerRequest {
        AnswerRequest {
            bot: "shop".into(),
            provider: crate::BUILT_IN.into(),
            instructions: String::new(),
            language: "en".into(),
            question: "When do I get my refund, asks Ada?".into(),
            passages: vec![Passage {
                document: "faq.md".into(),
                text: "Refunds take five days.".into(),
                ..Passage::default()
            }],
            turns: vec![Turn {
                role: Role::Visitor,
                text: "I am Ada.".into(),
            }],
        }
    }

    #[test]
    fn an_ordinary_request_passes() {
        assert_eq!(request().check(), Ok(()));
    }

    #[test]
    fn each_limit_names_its_part() {
        let long = AnswerRequest {
            question: "a".repeat(limits::QUESTION_BYTES + 1),
            ..request()
        };
        assert_eq!(
            long.check().unwrap_err().to_string(),
            format!(
                "the question has {} bytes; the limit is {}",
                limits::QUESTION_BYTES + 1,
                limits::QUESTION_BYTES
            )
        );
        let empty = AnswerRequest {
            question: " \n".into(),
            ..request()
        };
        assert_eq!(
            empty.check(),
            Err(Invalid::Empty {
                part: "the question"
            })
        );
        let many = AnswerRequest {
            passages: vec![Passage::default(); limits::PASSAGES + 1],
            ..request()
        };
        assert_eq!(
            many.check(),
            Err(Invalid::TooMany {
                part: "passages",
                count: 17,
                limit: limits::PASSAGES
            })
        );
    }

    #[test]
    fn debug_shows_no_text() {
        let shown = format!("{:?}", request());
        assert!(shown.contains("shop"));
        for text in ["Ada", "refund", "five days", "faq"] {
            assert!(!shown.contains(text), "{shown}");
        }
    }

    #[test]
    fn the_wire_form_is_as_documented() {
        let wire = serde_json::json!({
            "bot": "shop", "provider": "built-in", "instructions": "", "language": "en",
            "question": "When do I get my refund, asks Ada?",
            "passages": [{"document": "faq.md", "title": "", "heading": "", "text": "Refunds take five days."}],
            "turns": [{"role": "visitor", "text": "I am Ada."}],
        });
        assert_eq!(serde_json::to_value(request()).unwrap(), wire);
        assert_eq!(
            serde_json::from_value::<AnswerRequest>(wire).unwrap(),
            request()
        );
    }
}
