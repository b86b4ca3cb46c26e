//! Conversations in the store.

use chat_api::visitor::{Message, Role};
use store::{Store, Subject, WriteTx};

use crate::conversation::{ConversationId, Token, TokenHash};
use crate::error::Error;
use crate::schema::{
    CONVERSATIONS, ConversationRecord, MESSAGES, MessageRecord, message_key, read_message_key,
};

/// Most messages of a conversation, answers included. It bounds what one visitor's token can make the service read.
pub const MESSAGES_MAX: usize = 400;

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Its number in the conversation.
    pub number: u32,
    /// What the visitor said.
    pub question: MessageRecord,
    /// What the assistant said, once it has.
    pub answer: Option<MessageRecord>,
}

/// Reads and writes conversations. Every write returns once it is durable. Each conversation is a subject of the store:
/// its records are sealed with a key of its own, and erasing it destroys that key.
#[derive(Debug, Clone)]
pub struct Conversations {
    store: Store,
}

impl Conversations {
    /// Those in this store.
    #[must_use]
    pub fn in_store(store: Store) -> Self {
        Self { store }
    }

    /// Begins a conversation, with its first message if there is one.
    ///
    /// # Errors
    /// [`Error::ConversationTaken`] where there is one of that id; or when the store fails. Then nothing was stored.
    pub async fn begin(
        &self,
        id: ConversationId,
        token: TokenHash,
        first: Option<&MessageRecord>,
        now: u64,
    ) -> Result<(), Error> {
        let conversation = ConversationRecord { token, began: now }.encode();
        let first = first.map(|message| (message_key(&id, 0, Role::Visitor), message.encode()));
        let stored = self.store.write(move |tx| {
            if tx.get(CONVERSATIONS, id.as_bytes())?.is_some() {
                return Err(Error::ConversationTaken);
            }
            let subject = tx.new_subject()?;
            tx.put_of(subject, CONVERSATIONS, id.as_bytes(), &conversation)?;
            if let Some((key, message)) = &first {
                tx.put_of(subject, MESSAGES, key, message)?;
            }
            Ok(())
        });
        stored.await.map_err(refused)
    }

    /// Checks that a conversation is here.
    ///
    /// # Errors
    /// [`Error::UnknownConversation`]; or when the store fails.
    pub fn find(&self, id: &ConversationId) -> Result<(), Error> {
        let found = self.store.read(|tx| tx.get(CONVERSATIONS, id.as_bytes()))?;
        found.map(drop).ok_or(Error::UnknownConversation)
    }

    /// Checks that a token opens a conversation.
    ///
    /// # Errors
    /// [`Error::UnknownConversation`] for a conversation that is not there, and [`Error::ForgedToken`] for a token that is
    /// not its own, which the client is not told apart.
    pub fn open(&self, id: &ConversationId, token: &Token) -> Result<(), Error> {
        let record = self.store.read(|tx| tx.get(CONVERSATIONS, id.as_bytes()))?;
        let record = record.ok_or(Error::UnknownConversation)?;
        if ConversationRecord::decode(&record)?.token.admits(token) {
            Ok(())
        } else {
            Err(Error::ForgedToken)
        }
    }

    /// All that was said, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn exchanges(&self, id: &ConversationId) -> Result<Vec<Exchange>, Error> {
        let records = self.store.read(|tx| {
            tx.prefix(MESSAGES, id.as_bytes())?
                .collect::<Result<Vec<_>, _>>()
        })?;
        let mut exchanges: Vec<Exchange> = Vec::with_capacity(records.len().div_ceil(2));
        for (key, record) in records {
            let (number, role) = read_message_key(&key)?;
            let message = MessageRecord::decode(&record)?;
            match (role, exchanges.last_mut()) {
                (Role::Visitor, _) => exchanges.push(Exchange {
                    number,
                    question: message,
                    answer: None,
                }),
                (Role::Assistant, Some(exchange)) if exchange.number == number => {
                    exchange.answer = Some(message)
                }
                // An answer without its question was never written.
                (Role::Assistant, _) => return Err(crate::schema::Malformed::Record.into()),
            }
        }
        Ok(exchanges)
    }

    /// Stores a question as the next exchange, and returns its number. `next` is the number that it gets unless another
    /// question of the conversation was faster.
    ///
    /// # Errors
    /// [`Error::ConversationFull`], [`Error::UnknownConversation`] where it was erased meanwhile, or when the store fails;
    /// then nothing was stored.
    pub async fn ask(
        &self,
        id: ConversationId,
        next: u32,
        question: &MessageRecord,
    ) -> Result<u32, Error> {
        let record = question.encode();
        let stored = self.store.write(move |tx| {
            let subject = subject(tx, &id)?;
            let mut number = next;
            while tx
                .get(MESSAGES, &message_key(&id, number, Role::Visitor))?
                .is_some()
            {
                number = number.saturating_add(1);
            }
            // A question and its answer are two messages.
            if (number as usize).saturating_mul(2) >= MESSAGES_MAX {
                return Err(Error::ConversationFull);
            }
            let key = message_key(&id, number, Role::Visitor);
            tx.put_of(subject, MESSAGES, &key, &record)?;
            Ok(number)
        });
        stored.await.map_err(refused)
    }

    /// Stores the answer to the question of an exchange.
    ///
    /// # Errors
    /// [`Error::UnknownConversation`] where it was erased meanwhile, or when the store fails; then nothing was stored.
    pub async fn answer(
        &self,
        id: ConversationId,
        number: u32,
        answer: &MessageRecord,
    ) -> Result<(), Error> {
        let (key, record) = (message_key(&id, number, Role::Assistant), answer.encode());
        let stored = self.store.write(move |tx| {
            let subject = subject(tx, &id)?;
            Ok(tx.put_of(subject, MESSAGES, &key, &record)?)
        });
        stored.await.map_err(refused)
    }

    /// Erases a conversation for good, in every copy of the store too.
    ///
    /// # Errors
    /// [`Error::UnknownConversation`]; or when the store fails.
    pub async fn erase(&self, id: ConversationId) -> Result<(), Error> {
        let subject = self
            .store
            .read(|tx| tx.subject_of(CONVERSATIONS, id.as_bytes()))?
            .ok_or(Error::UnknownConversation)?;
        let erased = self.store.erase(subject, move |tx| {
            tx.remove_prefix(MESSAGES, id.as_bytes())?;
            tx.remove(CONVERSATIONS, id.as_bytes())?;
            Ok(())
        });
        erased.await.map_err(refused)
    }

    /// How many conversations and messages there are.
    ///
    /// # Errors
    /// When the store fails.
    pub fn count(&self) -> Result<(u64, u64), Error> {
        Ok(self
            .store
            .read(|tx| Ok((tx.count(CONVERSATIONS)?, tx.count(MESSAGES)?)))?)
    }
}

/// Whom a conversation's records are sealed for.
fn subject(tx: &mut WriteTx<'_>, id: &ConversationId) -> Result<Subject, Error> {
    tx.subject_of(CONVERSATIONS, id.as_bytes())?
        .ok_or(Error::UnknownConversation)
}

fn refused(error: store::WriteError<Error>) -> Error {
    match error {
        // An erasure is under way in the same commit.
        store::WriteError::Refused(Error::Store(store::Error::Erased)) => {
            Error::UnknownConversation
        }
        store::WriteError::Refused(error) => error,
        store::WriteError::Store(error) => error.into(),
    }
}

/// The messages of exchanges as their visitor gets them.
#[must_use]
pub fn messages(exchanges: Vec<Exchange>) -> Vec<Message> {
    let mut messages = Vec::with_capacity(exchanges.len() * 2);
    for Exchange {
        question, answer, ..
    } in exchanges
    {
        let id = question.id.clone();
        messages.push(question.into_message(Role::Visitor, None));
        messages.extend(answer.map(|answer| answer.into_message(Role::Assistant, Some(id))));
    }
    messages
}
