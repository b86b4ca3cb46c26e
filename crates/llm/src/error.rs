//! Why a call to a provider has no whole answer.

use std::io;
use std::time::Duration;

use dialer_api::{DialError, Refusal};
use http::StatusCode;
use llm_api::{FailKind, Failed};

use crate::openai::DecodeError;

/// Why a call has no whole answer. Its words are for the operator's log; a caller learns [`CallError::failed`].
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The provider cannot be used as it is set up; the log of the start says why, and so does this.
    #[error("the provider is not set up: {0}")]
    NotSetUp(String),
    /// There is no connection.
    #[error("no connection to {host}:{port}: {source}")]
    Dial {
        /// The provider's host.
        host: String,
        /// Its port.
        port: u16,
        /// Why.
        source: DialError,
    },
    /// The encrypted connection could not be made, so nothing was sent.
    #[error("the TLS handshake failed, so nothing was sent: {0}")]
    Tls(io::Error),
    /// The socket could not be used.
    #[error("the connection could not be used: {0}")]
    Socket(io::Error),
    /// Connecting took too long.
    #[error("not connected within {0:?}")]
    ConnectTime(Duration),
    /// The connection broke before an answer began, or what came is no HTTP.
    #[error("no HTTP answer: {0}")]
    Http(hyper::Error),
    /// The provider answered with another status than 200.
    #[error("it answered {status} (code {code:?})")]
    Status {
        /// The status.
        status: StatusCode,
        /// The provider's own code for it, if it gave one.
        code: String,
    },
    /// The answer is no event stream.
    #[error("it answered with {0:?} instead of an event stream")]
    MediaType(String),
    /// The stream is no answer.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// The stream broke.
    #[error("the stream broke off: {0}")]
    Broken(hyper::Error),
    /// No words came in time.
    #[error("no words within {0:?}")]
    FirstTokenTime(Duration),
    /// No further words came in time.
    #[error("no further words within {0:?}")]
    IdleTime(Duration),
    /// The answer took too long as a whole.
    #[error("not whole within {0:?}")]
    WholeTime(Duration),
}

impl CallError {
    /// What the caller is told.
    #[must_use]
    pub fn failed(&self) -> Failed {
        let (kind, retry) = match self {
            Self::NotSetUp(_) => (FailKind::Refused, false),
            Self::Dial { source, .. } => (dial_kind(source), source.is_passing()),
            Self::Tls(_) => (FailKind::Refused, false),
            Self::Socket(_) => (FailKind::Unavailable, true),
            Self::ConnectTime(_)
            | Self::FirstTokenTime(_)
            | Self::IdleTime(_)
            | Self::WholeTime(_) => (FailKind::Timeout, true),
            Self::Http(error) if error.is_parse() => (FailKind::Malformed, false),
            Self::Http(_) | Self::Broken(_) => (FailKind::Unavailable, true),
            Self::Status { status, .. } => status_kind(*status),
            Self::MediaType(_) => (FailKind::Malformed, false),
            Self::Decode(error) => match error {
                DecodeError::Truncated | DecodeError::Reported(_) => (FailKind::Unavailable, true),
                DecodeError::Filtered => (FailKind::Refused, false),
                DecodeError::LongEvent
                | DecodeError::LongStream
                | DecodeError::LongAnswer
                | DecodeError::NotAChunk
                | DecodeError::Empty => (FailKind::Malformed, false),
            },
        };
        Failed { kind, retry }
    }
}

fn dial_kind(error: &DialError) -> FailKind {
    match error {
        DialError::Refused {
            kind: Refusal::Malformed | Refusal::Forbidden,
            ..
        } => FailKind::Refused,
        DialError::Refused {
            kind: Refusal::TimedOut,
            ..
        }
        | DialError::Silent(_) => FailKind::Timeout,
        _ => FailKind::Unavailable,
    }
}

fn status_kind(status: StatusCode) -> (FailKind, bool) {
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => (FailKind::Timeout, true),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::CONFLICT | StatusCode::TOO_EARLY => {
            (FailKind::Unavailable, true)
        }
        status if status.is_server_error() => (FailKind::Unavailable, true),
        status if status.is_success() || status.is_informational() => (FailKind::Malformed, false),
        _ => (FailKind::Refused, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waiting_heals_may_be_retried() {
        for (status, kind, retry) in [
            (401, FailKind::Refused, false),
            (404, FailKind::Refused, false),
            (302, FailKind::Refused, false),
            (429, FailKind::Unavailable, true),
            (500, FailKind::Unavailable, true),
            (504, FailKind::Timeout, true),
            (204, FailKind::Malformed, false),
        ] {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            let error = CallError::Status {
                status,
                code: String::new(),
            };
            assert_eq!(error.failed(), Failed { kind, retry }, "{status}");
        }
    }

    #[test]
    fn the_log_names_the_providers_code() {
        let error = CallError::Status {
            status: StatusCode::UNAUTHORIZED,
            code: "invalid_api_key".into(),
        };
        assert_eq!(
            error.to_string(),
            "it answered 401 Unauthorized (code \"invalid_api_key\")"
        );
    }
}
