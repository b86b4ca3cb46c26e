//! What a connection's [`Guard`](super::Guard) and who answers its requests tell each other.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use http::StatusCode;

use super::Reason;

/// Shared by a connection's guard and its answers.
#[derive(Debug, Default)]
pub struct Watch(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// Why a head was refused; hyper reads a request without a host in its place.
    head: Option<Reason>,
    /// Why the body of the request that is being answered breaks off.
    body: Option<Reason>,
    /// Whether the last request to upgrade was answered with 101.
    switched: Option<bool>,
    waker: Option<Waker>,
}

impl Watch {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn refuse_head(&self, reason: Reason) {
        self.told().head = Some(reason);
    }

    pub(super) fn refuse_body(&self, reason: Reason) {
        self.told().body = Some(reason);
    }

    /// How the request to upgrade was answered, once; until it is, `waker` is remembered.
    pub(super) fn take_answer(&self, waker: &Waker) -> Option<bool> {
        let mut told = self.told();
        let switched = told.switched.take();
        if switched.is_none() {
            told.waker = Some(waker.clone());
        }
        switched
    }

    /// Why hyper was given a request without a host, which no client gets through.
    #[must_use]
    pub fn refused_head(&self) -> Option<Reason> {
        self.told().head
    }

    /// Why the body of the request that is being answered broke off, if it did so for what it held.
    #[must_use]
    pub fn refused_body(&self) -> Option<Reason> {
        self.told().body
    }

    /// Says how a request with `Upgrade` is being answered. Until then nothing that follows the
    /// request passes: neither as another protocol nor as a request.
    pub fn upgrade_answered(&self, status: StatusCode) {
        let mut told = self.told();
        told.switched = Some(status == StatusCode::SWITCHING_PROTOCOLS);
        if let Some(waker) = told.waker.take() {
            drop(told);
            waker.wake();
        }
    }
}
