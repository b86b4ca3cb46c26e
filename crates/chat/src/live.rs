//! Answers under way, and those who read along.
//!
//! An answer is made by a task of its own and written into a log; every response reads the log from its beginning. So an
//! answer does not end when its reader goes away, and a visitor who comes back with the same message reads along from
//! the start instead of being answered twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chat_api::visitor::{Event, MessageId, Trouble};
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::sync::watch;

use crate::conversation::ConversationId;
use crate::error::Error;
use crate::sse;

/// How long a stream may be silent before a comment is sent: shorter than what proxies and widgets wait.
pub const KEEP_ALIVE_TIME: Duration = Duration::from_secs(15);

/// What an answer has come to.
#[derive(Debug, Default)]
struct Log {
    /// The events so far, as they are sent.
    sent: Vec<u8>,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing is durable yet.
    #[default]
    Pending,
    /// The question is durable; events may follow.
    Open,
    /// No event follows.
    Ended,
    /// The question was not taken.
    Refused(Error),
}

/// Writes an answer's log. When it is dropped before the end, readers are told that the answer was cut off.
#[derive(Debug)]
pub struct LogWriter(watch::Sender<Log>);

impl LogWriter {
    /// Adds events that belong together.
    pub fn push(&self, events: &[Event]) {
        self.0.send_modify(|log| {
            for event in events {
                sse::write(event, &mut log.sent);
                log.state = if event.is_end() {
                    State::Ended
                } else {
                    State::Open
                };
            }
        });
    }

    /// Says that the question was not taken.
    pub fn refuse(&self, error: Error) {
        self.0.send_modify(|log| log.state = State::Refused(error));
    }
}

/// Reads an answer's log from its beginning.
#[derive(Debug, Clone)]
pub struct LogReader(watch::Receiver<Log>);

impl LogReader {
    /// Waits until the question is durable.
    ///
    /// # Errors
    /// Why it was not taken.
    pub async fn taken(&mut self) -> Result<(), Error> {
        let log = self
            .0
            .wait_for(|log| !matches!(log.state, State::Pending))
            .await;
        match log.map_err(|_| Error::CutOff)?.state {
            State::Refused(ref error) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// The log from its beginning, part by part.
    #[must_use]
    pub fn follow(self) -> Follower {
        Follower {
            log: self.0,
            keep_alive: KEEP_ALIVE_TIME,
            sent: 0,
            over: false,
        }
    }

    /// The log as a body: what there is, then what comes, with a comment whenever nothing did for `keep_alive`.
    #[must_use]
    pub fn into_body(self, keep_alive: Duration) -> ipc::Body {
        let follower = Follower {
            keep_alive,
            ..self.follow()
        };
        let frames = stream::unfold(follower, |mut follower| async move {
            let bytes = follower.next().await?;
            Some((Ok::<_, ipc::BoxError>(Frame::data(bytes)), follower))
        });
        StreamBody::new(frames).boxed_unsync()
    }
}

/// Reads a log as it grows.
#[derive(Debug)]
pub struct Follower {
    log: watch::Receiver<Log>,
    keep_alive: Duration,
    /// How much of the log was sent.
    sent: usize,
    over: bool,
}

impl Follower {
    /// What was added: whole events. None at the end. Nothing is lost when it is given up.
    pub async fn next(&mut self) -> Option<Bytes> {
        while !self.over {
            {
                let log = self.log.borrow_and_update();
                self.over = matches!(log.state, State::Ended | State::Refused(_));
                if let Some(new) = log.sent.get(self.sent..).filter(|new| !new.is_empty()) {
                    self.sent = log.sent.len();
                    return Some(Bytes::copy_from_slice(new));
                }
            }
            if self.over {
                break;
            }
            match tokio::time::timeout(self.keep_alive, self.log.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => {
                    self.over = true;
                    return Some(cut_off());
                }
                Err(_) => return Some(Bytes::from_static(sse::KEEP_ALIVE)),
            }
        }
        None
    }
}

fn cut_off() -> Bytes {
    let mut bytes = Vec::new();
    let trouble = Trouble {
        title: "The answer was cut off".to_owned(),
        detail:
            "The answer was cut off before it was whole. Your question is saved; please ask again."
                .to_owned(),
        retry: true,
    };
    sse::write(&Event::Error(trouble), &mut bytes);
    bytes.into()
}

type Key = (ConversationId, MessageId);

/// The answers under way.
#[derive(Debug, Default)]
pub struct Live(Mutex<HashMap<Key, LogReader>>);

/// The sole right to answer one message; dropping it gives it back.
#[derive(Debug)]
pub struct Claim {
    live: Arc<Live>,
    key: Key,
}

/// Who answers a message.
#[derive(Debug)]
pub enum Claimed {
    /// The caller, who has the right to from now on.
    Yours(Claim, LogWriter, LogReader),
    /// Another, whose answer can be read along.
    Running(LogReader),
}

impl Live {
    /// Claims the right to answer a message, unless its answer is under way.
    #[must_use]
    pub fn claim(self: &Arc<Self>, conversation: ConversationId, message: MessageId) -> Claimed {
        let key = (conversation, message);
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = running.get(&key) {
            return Claimed::Running(reader.clone());
        }
        let (writer, reader) = watch::channel(Log::default());
        let reader = LogReader(reader);
        running.insert(key.clone(), reader.clone());
        Claimed::Yours(
            Claim {
                live: Arc::clone(self),
                key,
            },
            LogWriter(writer),
            reader,
        )
    }

    /// How many answers are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.live
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    fn id(text: &str) -> MessageId {
        text.to_owned().try_into().unwrap()
    }

    fn claim(live: &Arc<Live>) -> (Claim, LogWriter, LogReader) {
        match live.claim(ConversationId::from([1; 16]), id("m")) {
            Claimed::Yours(claim, writer, reader) => (claim, writer, reader),
            Claimed::Running(_) => panic!("it is under way"),
        }
    }

    async fn text(reader: LogReader) -> String {
        let bytes = reader.into_body(SHORT).collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn whoever_comes_later_reads_from_the_beginning() {
        let live = Arc::new(Live::default());
        let (held, writer, mut reader) = claim(&live);
        writer.push(&[Event::Accepted { id: id("m") }]);
        reader.taken().await.unwrap();
        let Claimed::Running(later) = live.claim(ConversationId::from([1; 16]), id("m")) else {
            panic!("claimed twice")
        };
        writer.push(&[
            Event::Delta { text: "a".into() },
            Event::Done { id: id("n") },
        ]);
        drop((held, writer));
        assert!(live.is_empty());
        let expected = "event: accepted\ndata: {\"id\":\"m\"}\n\nevent: delta\ndata: {\"text\":\"a\"}\n\nevent: done\ndata: {\"id\":\"n\"}\n\n";
        assert_eq!(text(reader).await, expected);
        assert_eq!(text(later).await, expected);
    }

    #[tokio::test]
    async fn a_writer_that_vanishes_is_told_of() {
        let live = Arc::new(Live::default());
        let (_claim, writer, reader) = claim(&live);
        writer.push(&[Event::Delta { text: "a".into() }]);
        drop(writer);
        let said = text(reader.clone()).await;
        assert!(
            said.ends_with("\"retry\":true}\n\n") && said.contains("event: error"),
            "{said}"
        );
        let (live, (_claim, writer, mut reader)) = (Arc::clone(&live), claim(&Arc::default()));
        drop(writer);
        assert!(matches!(reader.taken().await, Err(Error::CutOff)));
        assert_eq!(live.len(), 1);
    }

    #[tokio::test]
    async fn a_refusal_reaches_its_readers() {
        let live = Arc::new(Live::default());
        let (_claim, writer, mut reader) = claim(&live);
        writer.refuse(store::Error::NoSpace.into());
        assert!(matches!(
            reader.taken().await,
            Err(Error::Store(store::Error::NoSpace))
        ));
        assert_eq!(text(reader).await, "");
    }

    #[tokio::test]
    async fn a_quiet_stream_is_kept_alive() {
        let live = Arc::new(Live::default());
        let (_claim, writer, reader) = claim(&live);
        let reading = tokio::spawn(text(reader));
        tokio::time::sleep(SHORT * 10).await;
        writer.push(&[Event::Done { id: id("n") }]);
        let said = reading.await.unwrap();
        assert!(
            said.starts_with(": keep-alive\n\n: keep-alive\n\n"),
            "{said}"
        );
        assert!(
            said.ends_with("event: done\ndata: {\"id\":\"n\"}\n\n"),
            "{said}"
        );
    }
}
