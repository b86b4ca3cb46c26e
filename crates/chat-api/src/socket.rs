//! The messages of a visitor's WebSocket ([`SOCKET_PATH`](crate::visitor::SOCKET_PATH)): a whole session on one
//! connection. Each is a text message of one JSON object.
//!
//! The events of an answer are those of [`visitor::Event`](crate::visitor::Event), with the very same data. One answer is
//! under way at a time. A connection that breaks loses nothing: on a new one [`Say::Open`] opens the conversation, and
//! [`Say::Ask`] with the same id gives the answer from its beginning.
//!
//! Whatever is refused is told in a [`REFUSED`] message and the connection goes on. It is closed with 1007 for text that
//! is not UTF-8, 1009 for a message longer than [`REQUEST_BYTES`](crate::limits::REQUEST_BYTES), 1008 for a client that
//! does not read, and 1012 when the service stops: whoever connects again goes on where he was.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::visitor::{Ask, MessageId};

/// Most WebSockets of one bot that are open at once.
pub const SOCKETS: usize = 1024;

/// How long a client may take to read a message that is sent to it; what comes after waits meanwhile.
pub const READ_TIME: Duration = Duration::from_secs(30);

/// The parameter of the address that names the conversation which the session will go on with, so that the connection
/// leads to where it is. It opens nothing; the token never stands in an address.
pub const CONVERSATION_PARAMETER: &str = "conversation";

/// The event of a [`Refusal`].
pub const REFUSED: &str = "refused";

/// The event that gives the conversation that [`Say::Open`] opened, with [`visitor::Conversation`](crate::visitor::Conversation) as its data.
pub const OPENED: &str = "opened";

/// What a visitor says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Say {
    /// Begins a conversation with its first message. The events of the answer follow, `conversation` first. Messages
    /// that follow are in this conversation.
    Begin(Ask),
    /// Opens a conversation that began before: [`OPENED`] follows.
    Open(Open),
    /// Asks in the conversation that is open. The events of the answer follow, also where it was given before.
    Ask(Ask),
}

/// What opens a conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// The conversation's id.
    pub conversation: String,
    /// Its token.
    pub token: String,
}

/// What a visitor gets: an event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Told {
    /// The event's name: one of an answer's ([`visitor::Event`](crate::visitor::Event)), [`OPENED`] or [`REFUSED`].
    pub event: String,
    /// The id of the message that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<MessageId>,
    /// What it says.
    pub data: Box<RawValue>,
}

/// Why something was not done: as the problem that the same request would be answered with over HTTP (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The status that HTTP would have.
    pub status: u16,
    /// In a few words.
    pub title: String,
    /// What it means for the visitor, in whole sentences.
    pub detail: String,
    /// Whether the very same message may be taken later.
    pub retry: bool,
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open")
            .field("conversation", &self.conversation)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn ask() -> Ask {
        Ask {
            id: "m1".to_owned().try_into().unwrap(),
            text: "Hi, I am Ada".to_owned(),
        }
    }

    #[test]
    fn messages_have_their_documented_form() {
        let open = Open {
            conversation: "c".to_owned(),
            token: "t".to_owned(),
        };
        for (say, text) in [
            (
                Say::Begin(ask()),
                r#"{"type":"begin","id":"m1","text":"Hi, I am Ada"}"#,
            ),
            (
                Say::Ask(ask()),
                r#"{"type":"ask","id":"m1","text":"Hi, I am Ada"}"#,
            ),
            (
                Say::Open(open),
                r#"{"type":"open","conversation":"c","token":"t"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&say).unwrap(), text);
            assert_eq!(serde_json::from_str::<Say>(text).unwrap(), say);
            let shown = format!("{say:?}");
            assert!(
                !shown.contains("Ada") && !shown.contains("\"t\""),
                "{shown}"
            );
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for text in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"type":"close"}"#,
            r#"{"type":"ask"}"#,
            r#"{"type":"ask","id":"","text":"a"}"#,
            r#"{"type":"ask","id":"m","text":"a","x":1}"#,
            r#"{"type":"open","conversation":"c"}"#,
        ] {
            assert!(serde_json::from_str::<Say>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_event_says_what_it_is_about() {
        let text = r#"{"event":"delta","about":"m1","data":{"text":"a"}}"#;
        let told: Told = serde_json::from_str(text).unwrap();
        assert_eq!(
            (&*told.event, told.data.get()),
            ("delta", r#"{"text":"a"}"#)
        );
        assert_eq!(serde_json::to_string(&told).unwrap(), text);
    }
}
