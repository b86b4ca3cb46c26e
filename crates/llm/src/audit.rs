//! The record of every call: who asked whom, how it ended, how long it took, how much it was. Never what was said.

use std::time::Instant;

use llm_api::{FailKind, Outcome};
use tracing::Span;

/// A call under way. One that is dropped without an end was given up by its caller, and is recorded as that.
#[derive(Debug)]
pub(crate) struct Call {
    bot: String,
    provider: String,
    model: String,
    begun: Instant,
    request_bytes: usize,
    answer_bytes: usize,
    first_ms: Option<u64>,
    ended: bool,
    /// Where it began: its records have the id of the request, whoever writes them.
    span: Span,
}

impl Call {
    /// A call that begins now.
    pub(crate) fn begin(bot: &str, provider: &str, model: &str, request_bytes: usize) -> Self {
        Self {
            bot: bot.to_owned(),
            provider: provider.to_owned(),
            model: model.to_owned(),
            begun: Instant::now(),
            request_bytes,
            answer_bytes: 0,
            first_ms: None,
            ended: false,
            span: Span::current(),
        }
    }

    /// Some words came.
    pub(crate) fn words(&mut self, bytes: usize) {
        self.first_ms.get_or_insert(ms(self.begun));
        self.answer_bytes += bytes;
    }

    /// When the call began.
    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    /// The answer is whole.
    pub(crate) fn answered(mut self, outcome: Outcome) {
        self.record(match outcome {
            Outcome::Answered => "answered",
            Outcome::Unknown => "unknown",
        });
    }

    /// There is no whole answer. `cause` is for the operator.
    pub(crate) fn failed(mut self, kind: FailKind, cause: &str) {
        let (bot, provider) = (&self.bot, &self.provider);
        let entered = self.span.enter();
        tracing::warn!(
            bot,
            provider,
            kind = kind.as_str(),
            "provider {provider:?} gave bot {bot:?} no answer: {cause}"
        );
        drop(entered);
        self.record(kind.as_str());
    }

    fn record(&mut self, outcome: &str) {
        self.ended = true;
        let _entered = self.span.enter();
        let Self {
            bot,
            provider,
            model,
            request_bytes,
            answer_bytes,
            ..
        } = &*self;
        tracing::info!(
            target: "audit",
            bot,
            provider,
            model,
            outcome,
            ms = ms(self.begun),
            first_ms = self.first_ms,
            request_bytes,
            answer_bytes,
            "call {outcome}: bot {bot:?}, provider {provider:?}, model {model:?}, {} ms, {request_bytes} B asked, {answer_bytes} B answered",
            ms(self.begun),
        );
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.ended {
            self.record("abandoned");
        }
    }
}

fn ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
