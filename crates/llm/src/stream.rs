//! An answer as its caller reads it: the built-in one at once, a provider's as it comes.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use llm_api::{
    AnswerRequest, Done, Event, Failed, Outcome, Passage, encode,
    limits::{ANSWER_BYTES, DELTA_BYTES},
};
use tokio::time::{Instant, timeout_at};

use crate::{
    audit::Call,
    builtin::{self, word_groups},
    error::CallError,
    openai::{Decoder, Output},
    provider::{self, Provider, Reply},
};

/// Longest time for an answer as a whole.
const WHOLE_TIME: Duration = Duration::from_secs(300);

/// The built-in answer, whole.
pub(crate) fn built_in(answer: builtin::Answer) -> ipc::Body {
    let mut lines = BytesMut::with_capacity(2 * answer.text.len() + 256);
    for group in word_groups(&answer.text) {
        lines.extend_from_slice(&encode(&Event::Delta(group.to_owned())));
    }
    let done = Done {
        outcome: answer.outcome,
        sources: answer.sources,
    };
    lines.extend_from_slice(&encode(&Event::Done(done)));
    ipc::full(lines)
}

/// An answer that is only its failure.
pub(crate) fn failed(failed: Failed) -> ipc::Body {
    ipc::full(encode(&Event::Failed(failed)))
}

/// A provider's answer. The call is made as the body is read, and given up when the body is dropped.
pub(crate) fn from_provider(
    provider: Arc<Provider>,
    request: AnswerRequest,
    body: Bytes,
    call: Call,
) -> ipc::Body {
    let answering = Answering {
        until: Instant::from_std(call.begun()) + WHOLE_TIME,
        first: Instant::from_std(call.begun())
            + provider.entry.connect()
            + provider.entry.first_token(),
        provider,
        passages: request.passages,
        language: request.language,
        text: String::new(),
        decoder: Decoder::new(),
        call,
        state: State::Asking(body),
    };
    let frames = stream::unfold(Some(answering), |answering| async move {
        let (lines, rest) = answering?.next().await;
        Some((Ok::<_, ipc::BoxError>(Frame::data(lines)), rest))
    });
    StreamBody::new(frames).boxed_unsync()
}

/// A provider's answer under way.
struct Answering {
    provider: Arc<Provider>,
    passages: Vec<Passage>,
    language: String,
    /// The answer so far, to find the passages that it rests on.
    text: String,
    decoder: Decoder,
    call: Call,
    /// When the first words must have come.
    first: Instant,
    /// When the answer must be whole.
    until: Instant,
    state: State,
}

enum State {
    Asking(Bytes),
    Reading(Reply),
    /// Nothing more is read.
    Closed,
}

impl Answering {
    /// The next lines, and what remains.
    async fn next(mut self) -> (Bytes, Option<Self>) {
        let mut lines = BytesMut::new();
        match self.step(&mut lines).await {
            Ok(false) => (lines.freeze(), Some(self)),
            Ok(true) => {
                let sources = builtin::support(&self.text, &self.passages, &self.language);
                lines.extend_from_slice(&encode(&Event::Done(Done {
                    outcome: Outcome::Answered,
                    sources,
                })));
                self.call.answered(Outcome::Answered);
                if let State::Reading(reply) = self.state {
                    reply.finish();
                }
                (lines.freeze(), None)
            }
            Err(error) => {
                let failed = error.failed();
                self.provider.counts.failure();
                self.call.failed(failed.kind, &error.to_string());
                lines.extend_from_slice(&encode(&Event::Failed(failed)));
                (lines.freeze(), None)
            }
        }
    }

    /// Reads until there is something to pass on; whether the answer is whole.
    async fn step(&mut self, lines: &mut BytesMut) -> Result<bool, CallError> {
        if let State::Asking(body) = &self.state {
            let body = body.clone();
            let reply = self
                .in_time(provider::start(&Arc::clone(&self.provider), body))
                .await??;
            self.state = State::Reading(reply);
        }
        loop {
            let ended = match self.read().await? {
                Some(bytes) => {
                    self.decoder.push(&bytes);
                    self.drain(lines)?
                }
                None => {
                    self.state = State::Closed;
                    matches!(self.decoder.finish()?, Some(Output::End))
                }
            };
            if ended || !lines.is_empty() {
                return Ok(ended);
            }
        }
    }

    async fn read(&mut self) -> Result<Option<Bytes>, CallError> {
        let limit = self.limit();
        let (at, error) = limit;
        let State::Reading(reply) = &mut self.state else {
            return Ok(None);
        };
        timeout_at(at, reply.bytes()).await.map_err(|_| error)?
    }

    async fn in_time<F: Future>(&self, future: F) -> Result<F::Output, CallError> {
        let (at, error) = self.limit();
        timeout_at(at, future).await.map_err(|_| error)
    }

    /// When waiting ends, and what it is then called.
    fn limit(&self) -> (Instant, CallError) {
        let (at, error) = if self.text.is_empty() {
            (
                self.first,
                CallError::FirstTokenTime(self.provider.entry.first_token()),
            )
        } else {
            let idle = self.provider.entry.idle();
            (Instant::now() + idle, CallError::IdleTime(idle))
        };
        if at < self.until {
            (at, error)
        } else {
            (self.until, CallError::WholeTime(WHOLE_TIME))
        }
    }

    /// Passes on all words that have come, together; whether the answer is whole.
    fn drain(&mut self, lines: &mut BytesMut) -> Result<bool, CallError> {
        let from = self.text.len();
        let ended = loop {
            match self.decoder.next_output() {
                Ok(Some(Output::Text(words))) => self.text.push_str(&words),
                Ok(Some(Output::End)) => break Ok(true),
                Ok(None) => break Ok(false),
                Err(error) => break Err(error.into()),
            }
        };
        debug_assert!(self.text.len() <= ANSWER_BYTES);
        let words = &self.text[from..];
        if !words.is_empty() {
            self.call.words(words.len());
            for piece in pieces(words, DELTA_BYTES) {
                lines.extend_from_slice(&encode(&Event::Delta(piece.to_owned())));
            }
        }
        ended
    }
}

/// A text in pieces of at most `bytes` bytes, cut between letters.
fn pieces(text: &str, bytes: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = rest.len().min(bytes);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_are_the_text(text in any::<String>(), bytes in 4_usize..16) {
            let cut: Vec<&str> = pieces(&text, bytes).collect();
            prop_assert!(cut.iter().all(|piece| piece.len() <= bytes));
            prop_assert_eq!(cut.concat(), text.as_str());
        }
    }
}
