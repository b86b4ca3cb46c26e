//! What the store holds: tables, keys and records.
//!
//! A record begins with its version, so that a later release reads what an earlier one wrote. Nothing that is derived
//! from documents is stored: it is made again when the service starts.

use chat_api::operator::CONVERSATIONS_TABLE;
use chat_api::visitor::{Message, MessageId, Role, Source};
use chat_api::{DocumentName, MediaType};
use serde::{Deserialize, Serialize};
use store::Table;

use crate::conversation::{ConversationId, TokenHash};

/// Documents as they were given, by name.
pub const DOCUMENTS: Table = Table::new("documents");
/// Conversations, by id.
pub const CONVERSATIONS: Table = Table::new(CONVERSATIONS_TABLE);
/// Messages, by conversation, exchange and speaker ([`message_key`]).
pub const MESSAGES: Table = Table::new("messages");

/// The version of records that this release writes.
const VERSION: u8 = 1;

/// A record that cannot be read, though the store vouches that its bytes are those that were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Written by a later release.
    #[error(
        "a record has version {0}, which this release does not know; use the release that wrote it"
    )]
    Version(u8),
    /// Not what this release writes.
    #[error("a record of the store is malformed")]
    Record,
}

fn body(record: &[u8]) -> Result<&[u8], Malformed> {
    match record.split_first() {
        Some((&VERSION, body)) => Ok(body),
        Some((&version, _)) => Err(Malformed::Version(version)),
        None => Err(Malformed::Record),
    }
}

/// A conversation's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConversationRecord {
    /// The hash of the token that opens it.
    pub token: TokenHash,
    /// When it began, in milliseconds since 1970.
    pub began: u64,
}

impl ConversationRecord {
    /// Its bytes: version, hash, time (big-endian).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut record = Vec::with_capacity(1 + TokenHash::BYTES + 8);
        record.push(VERSION);
        record.extend_from_slice(self.token.as_bytes());
        record.extend_from_slice(&self.began.to_be_bytes());
        record
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(record: &[u8]) -> Result<Self, Malformed> {
        let (token, began) = body(record)?.split_first_chunk().ok_or(Malformed::Record)?;
        let began = began.try_into().map_err(|_| Malformed::Record)?;
        Ok(Self {
            token: (*token).into(),
            began: u64::from_be_bytes(began),
        })
    }
}

/// Who speaks in an exchange: the visitor asks, the assistant answers.
const VISITOR: u8 = 0;
const ASSISTANT: u8 = 1;

/// The key of a message: the conversation's id, the number of the exchange (big-endian), and who speaks. So a
/// conversation's messages stand together in order, and each answer right behind its question, whatever happened between.
#[must_use]
pub fn message_key(conversation: &ConversationId, exchange: u32, role: Role) -> Vec<u8> {
    let mut key = Vec::with_capacity(ConversationId::BYTES + 5);
    key.extend_from_slice(conversation.as_bytes());
    key.extend_from_slice(&exchange.to_be_bytes());
    key.push(match role {
        Role::Visitor => VISITOR,
        Role::Assistant => ASSISTANT,
    });
    key
}

/// Reads the exchange and the speaker back.
///
/// # Errors
/// [`Malformed`].
pub fn read_message_key(key: &[u8]) -> Result<(u32, Role), Malformed> {
    let place = key
        .get(ConversationId::BYTES..)
        .and_then(<[u8]>::split_first_chunk::<4>);
    match place {
        Some((exchange, [VISITOR])) => Ok((u32::from_be_bytes(*exchange), Role::Visitor)),
        Some((exchange, [ASSISTANT])) => Ok((u32::from_be_bytes(*exchange), Role::Assistant)),
        _ => Err(Malformed::Record),
    }
}

/// A message's record. Who speaks is in its key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRecord {
    /// Its id.
    pub id: MessageId,
    /// What is said.
    pub text: String,
    /// What an answer rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// When it was stored, in milliseconds since 1970.
    pub at: u64,
}

impl std::fmt::Debug for MessageRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageRecord")
            .field("id", &self.id)
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

impl MessageRecord {
    /// Its bytes: version, JSON.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut record = Vec::with_capacity(self.text.len() + 128);
        record.push(VERSION);
        // Strings, numbers and lists of them always serialise.
        let _ = serde_json::to_writer(&mut record, self);
        record
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(record: &[u8]) -> Result<Self, Malformed> {
        serde_json::from_slice(body(record)?).map_err(|_| Malformed::Record)
    }

    /// The message as its visitor gets it.
    #[must_use]
    pub fn into_message(self, role: Role, answers: Option<MessageId>) -> Message {
        Message {
            id: self.id,
            role,
            text: self.text,
            sources: self.sources,
            at: self.at,
            answers,
        }
    }
}

/// A document's record.
#[derive(Clone, PartialEq, Eq)]
pub struct DocumentRecord {
    /// What it is written in.
    pub media_type: MediaType,
    /// When it was added, in milliseconds since 1970.
    pub added: u64,
    /// It itself, as it was given.
    pub content: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct DocumentHead {
    media_type: MediaType,
    added: u64,
}

impl std::fmt::Debug for DocumentRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DocumentRecord")
            .field("media_type", &self.media_type)
            .field("bytes", &self.content.len())
            .finish_non_exhaustive()
    }
}

impl DocumentRecord {
    /// A document's key.
    #[must_use]
    pub fn key(name: &DocumentName) -> &[u8] {
        name.as_str().as_bytes()
    }

    /// Its bytes: version, length of the head (two bytes, big-endian), head (JSON), content.
    #[must_use]
    pub fn encode(media_type: MediaType, added: u64, content: &[u8]) -> Vec<u8> {
        // Two short fields always serialise, into far fewer than 65,536 bytes.
        let head = serde_json::to_vec(&DocumentHead { media_type, added }).unwrap_or_default();
        let length = u16::try_from(head.len()).unwrap_or_default();
        let mut record = Vec::with_capacity(3 + head.len() + content.len());
        record.push(VERSION);
        record.extend_from_slice(&length.to_be_bytes());
        record.extend_from_slice(&head);
        record.extend_from_slice(content);
        record
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(record: &[u8]) -> Result<Self, Malformed> {
        let (length, rest) = body(record)?
            .split_first_chunk::<2>()
            .ok_or(Malformed::Record)?;
        let (head, content) = rest
            .split_at_checked(u16::from_be_bytes(*length).into())
            .ok_or(Malformed::Record)?;
        let head: DocumentHead = serde_json::from_slice(head).map_err(|_| Malformed::Record)?;
        Ok(Self {
            media_type: head.media_type,
            added: head.added,
            content: content.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_read_back(
            hash in any::<[u8; 32]>(), at in any::<u64>(), text in ".{0,60}", quote in ".{0,9}", content in any::<Vec<u8>>()
        ) {
            let conversation = ConversationRecord { token: hash.into(), began: at };
            prop_assert_eq!(ConversationRecord::decode(&conversation.encode()), Ok(conversation));
            let source = Source { document: "d".into(), title: String::new(), heading: String::new(), quote };
            let message = MessageRecord { id: "m".to_owned().try_into().unwrap(), text, sources: vec![source], at };
            prop_assert_eq!(MessageRecord::decode(&message.encode()), Ok(message));
            let record = DocumentRecord::encode(MediaType::Html, at, &content);
            prop_assert_eq!(
                DocumentRecord::decode(&record),
                Ok(DocumentRecord { media_type: MediaType::Html, added: at, content })
            );
        }

        #[test]
        fn no_bytes_panic(record in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut versioned = record.clone();
            versioned.insert(0, VERSION);
            for record in [record, versioned] {
                let _ = ConversationRecord::decode(&record);
                let _ = MessageRecord::decode(&record);
                let _ = DocumentRecord::decode(&record);
                let _ = read_message_key(&record);
            }
        }

        #[test]
        fn keys_sort_as_conversations_run(one in any::<(u32, bool)>(), other in any::<(u32, bool)>()) {
            let conversation = ConversationId::from([7; 16]);
            let role = |answer: bool| if answer { Role::Assistant } else { Role::Visitor };
            let key = |(exchange, answer)| message_key(&conversation, exchange, role(answer));
            prop_assert_eq!(key(one).cmp(&key(other)), one.cmp(&other));
            prop_assert_eq!(read_message_key(&key(one)), Ok((one.0, role(one.1))));
        }
    }

    #[test]
    fn a_later_version_is_named() {
        assert_eq!(
            ConversationRecord::decode(&[2; 41]),
            Err(Malformed::Version(2))
        );
        assert_eq!(MessageRecord::decode(b""), Err(Malformed::Record));
    }
}
