//! Keeps connections between calls.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;

/// The sending half of a connection.
pub(super) type Sender = SendRequest<Full<Bytes>>;

/// Most connections that are kept for a provider.
const IDLE_CONNECTIONS: usize = 32;
/// How long one is kept. Common providers and proxies close theirs after 60 s or more.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// The connections to one provider that no call uses. Pure but for the connections: time is a parameter.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<(Sender, Instant)>>);

impl Pool {
    /// The connection that was used last, if it is not too old and still open.
    pub(super) fn take(&self, now: Instant) -> Option<Sender> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(sender, since)| {
            !sender.is_closed() && now.saturating_duration_since(*since) < IDLE_TIME
        });
        idle.pop().map(|(sender, _)| sender)
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn put(&self, sender: Sender, now: Instant) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_CONNECTIONS && !sender.is_closed() {
            idle.push((sender, now));
        }
    }
}
