//! The messages of the visitors' socket, which websites reach through the gate.
//!
//! Types that hold what a person wrote show sizes in their `Debug`, never text.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{BotName, Language};

/// `GET`: [`BotInfo`].
pub const BOT_PATH: &str = "/v1/bot";
/// `POST`: begins a conversation, empty or with its first message. With an id after a slash, `GET`: [`Conversation`], and
/// `DELETE`: erases it for good. With `/messages` behind that, `POST`: [`Ask`].
pub const CONVERSATIONS_PATH: &str = "/v1/conversations";

/// `GET`: a WebSocket (RFC 6455) for a whole session; [`crate::socket`] has its messages.
pub const SOCKET_PATH: &str = "/v1/socket";

/// Whether a path names one conversation: of all that visitors can name, this alone can be deleted.
#[must_use]
pub fn is_conversation(path: &str) -> bool {
    path.strip_prefix(CONVERSATIONS_PATH)
        .and_then(|rest| rest.strip_prefix('/'))
        .is_some_and(|id| !id.is_empty() && !id.contains('/'))
}

/// The header by which a bot tells the gate that it refused a request because its token opens another conversation, or
/// none. The gate reports it, as it knows whose request it is, and no visitor sees it.
pub const FORGED_HEADER: &str = "casemate-forged";

/// The header in which the gate names a conversation that begins, so that the instance that is asked for its id later is
/// the one that has it. The gate removes what a visitor sent under this name.
pub const CONVERSATION_HEADER: &str = "casemate-conversation";

/// The headers of an answer that the pages of a site that may call may read, beyond those that any may (Fetch, 3.3.3).
pub const EXPOSED_HEADERS: &str = "retry-after, ratelimit, ratelimit-policy, x-request-id";

/// The media type of an answer: server-sent events (WHATWG HTML, 9.2).
pub const EVENT_STREAM: &str = "text/event-stream";

/// What a widget needs to know about its bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotInfo {
    /// The bot's name.
    pub name: BotName,
    /// The name that visitors see.
    pub title: String,
    /// What the assistant says before the first question.
    pub greeting: String,
    /// Questions that a visitor can ask with one click.
    pub suggestions: Vec<String>,
    /// The language of visitors and documents.
    pub language: Language,
}

/// A conversation that has just begun.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The conversation's id.
    pub conversation: String,
    /// What opens this conversation and no other. Shown once; the service keeps only its hash.
    pub token: String,
}

/// A message that a visitor sends.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The client's own random id of the message: sending it again does not store it again.
    pub id: MessageId,
    /// What the visitor says.
    pub text: String,
}

/// A message's id: 1 to 64 ASCII letters, digits, hyphens and underscores.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MessageId(String);

/// Most bytes in a [`MessageId`].
pub const MESSAGE_ID_BYTES: usize = 64;

/// An id that no message can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message's id has 1 to {MESSAGE_ID_BYTES} letters, digits, hyphens or underscores")]
pub struct MessageIdError;

impl MessageId {
    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for MessageId {
    type Error = MessageIdError;

    fn try_from(id: String) -> Result<Self, MessageIdError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if id.is_empty() || id.len() > MESSAGE_ID_BYTES || !id.bytes().all(allowed) {
            return Err(MessageIdError);
        }
        Ok(Self(id))
    }
}

impl From<MessageId> for String {
    fn from(id: MessageId) -> Self {
        id.0
    }
}

/// A conversation and all that was said in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// The conversation's id.
    pub conversation: String,
    /// Its messages, oldest first.
    pub messages: Vec<Message>,
}

/// One message of a conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub text: String,
    /// What an answer rests on.
    pub sources: Vec<Source>,
    /// When it was stored, in milliseconds since 1970.
    pub at: u64,
    /// The id of the message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<MessageId>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The visitor.
    Visitor,
    /// The assistant.
    Assistant,
}

/// A passage that an answer rests on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The document's name.
    pub document: String,
    /// The document's title.
    pub title: String,
    /// The headings that the passage stands under, outermost first.
    pub heading: String,
    /// Words of the passage, exactly as they stand in it. Empty where the answer quotes none.
    pub quote: String,
}

/// One event of an answer. It serialises as its data; [`Self::name`] tells the rest.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// The conversation that this message began.
    Conversation(Begun),
    /// The visitor's message is durable.
    Accepted {
        /// Its id.
        id: MessageId,
    },
    /// The next piece of the answer.
    Delta {
        /// The piece.
        text: String,
    },
    /// What the answer rests on.
    Sources {
        /// In the order in which the answer uses them.
        sources: Vec<Source>,
    },
    /// The answer is whole and durable.
    Done {
        /// The id of the assistant's message.
        id: MessageId,
    },
    /// There will be no answer now.
    Error(Trouble),
}

/// Why there is no answer, for the visitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// In a few words.
    pub title: String,
    /// What it means for the visitor, in whole sentences.
    pub detail: String,
    /// Whether sending the same message with the same id again may help.
    pub retry: bool,
}

impl Event {
    /// Its name, as in the `event:` field.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Conversation(_) => "conversation",
            Self::Accepted { .. } => "accepted",
            Self::Delta { .. } => "delta",
            Self::Sources { .. } => "sources",
            Self::Done { .. } => "done",
            Self::Error(_) => "error",
        }
    }

    /// Reads an event from its name and its data.
    ///
    /// # Errors
    /// When the name is none of these, or the data is not that event's.
    pub fn parse(name: &str, data: &str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Id {
            id: MessageId,
        }
        #[derive(Deserialize)]
        struct Text {
            text: String,
        }
        #[derive(Deserialize)]
        struct Sources {
            sources: Vec<Source>,
        }
        Ok(match name {
            "conversation" => Self::Conversation(serde_json::from_str(data)?),
            "accepted" => Self::Accepted {
                id: serde_json::from_str::<Id>(data)?.id,
            },
            "delta" => Self::Delta {
                text: serde_json::from_str::<Text>(data)?.text,
            },
            "sources" => Self::Sources {
                sources: serde_json::from_str::<Sources>(data)?.sources,
            },
            "done" => Self::Done {
                id: serde_json::from_str::<Id>(data)?.id,
            },
            "error" => Self::Error(serde_json::from_str(data)?),
            _ => return Err(serde::de::Error::custom("not an event of an answer")),
        })
    }

    /// Whether no event follows it.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Error(_))
    }
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun")
            .field("conversation", &self.conversation)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask")
            .field("id", &self.id)
            .field("bytes", &self.text.len())
            .finish()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("role", &self.role)
            .field("bytes", &self.text.len())
            .field("sources", &self.sources.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("quote_bytes", &self.quote.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delta { text } => write!(f, "Delta({} bytes)", text.len()),
            Self::Sources { sources } => write!(f, "Sources({})", sources.len()),
            Self::Accepted { id } | Self::Done { id } => write!(f, "{}({id})", self.name()),
            Self::Conversation(begun) => begun.fmt(f),
            Self::Error(trouble) => trouble.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn id(text: &str) -> Result<MessageId, MessageIdError> {
        text.to_owned().try_into()
    }

    #[test]
    fn ids_are_plain() {
        for good in ["1", "b1946ac9-2492-4d23-97c0-1234567890ab", "A_z"] {
            assert_eq!(id(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a\n", "é", "a/b", &"x".repeat(65)] {
            assert_eq!(id(bad), Err(MessageIdError), "{bad:?}");
        }
    }

    #[test]
    fn debug_shows_nothing_that_was_said() {
        let shown = format!(
            "{:?} {:?} {:?} {:?}",
            Ask {
                id: id("1").unwrap(),
                text: "I am Ada".into()
            },
            Event::Delta {
                text: "Hello Ada".into()
            },
            Begun {
                conversation: "c".into(),
                token: "Ada".into()
            },
            Source {
                document: "Ada".into(),
                title: "Ada".into(),
                heading: "Ada".into(),
                quote: "Ada".into()
            },
        );
        assert!(!shown.contains("Ada"), "{shown}");
    }

    #[test]
    fn events_have_their_documented_form() {
        for (event, name, data) in [
            (
                Event::Accepted {
                    id: id("m1").unwrap(),
                },
                "accepted",
                r#"{"id":"m1"}"#,
            ),
            (
                Event::Delta {
                    text: "a\nb".into(),
                },
                "delta",
                r#"{"text":"a\nb"}"#,
            ),
            (
                Event::Sources {
                    sources: Vec::new(),
                },
                "sources",
                r#"{"sources":[]}"#,
            ),
            (
                Event::Done {
                    id: id("m2").unwrap(),
                },
                "done",
                r#"{"id":"m2"}"#,
            ),
            (
                Event::Conversation(Begun {
                    conversation: "c".into(),
                    token: "t".into(),
                }),
                "conversation",
                r#"{"conversation":"c","token":"t"}"#,
            ),
            (
                Event::Error(Trouble {
                    title: "t".into(),
                    detail: "d".into(),
                    retry: true,
                }),
                "error",
                r#"{"title":"t","detail":"d","retry":true}"#,
            ),
        ] {
            assert_eq!(event.name(), name);
            assert_eq!(serde_json::to_string(&event).unwrap(), data);
            assert_eq!(Event::parse(name, data).unwrap(), event);
        }
        assert!(Event::parse("other", "{}").is_err());
        assert!(Event::parse("done", "{}").is_err());
    }
}
