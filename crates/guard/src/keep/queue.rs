//! Changes that wait to be stored, in their order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::Change;

/// Changes that wait at most. While the store fails, more may come; the earliest are then given up.
const CHANGES_MAX: usize = 65_536;

/// The number of a change, from 1.
pub type Ticket = u64;

#[derive(Debug, Default)]
struct Waiting {
    changes: VecDeque<Change>,
    put: Ticket,
    given_up: u64,
    closed: bool,
    failing: bool,
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    more: Notify,
    stored: watch::Sender<Ticket>,
}

/// The way to the store. Clones are the same way.
#[derive(Debug, Clone)]
pub struct Changes(Arc<Shared>);

impl Default for Changes {
    fn default() -> Self {
        Self(Arc::new(Shared {
            waiting: Mutex::default(),
            more: Notify::new(),
            stored: watch::Sender::new(0),
        }))
    }
}

impl Changes {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        let waiting = self.0.waiting.lock();
        waiting.unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a change stored, after all before it. Never waits.
    pub fn put(&self, change: Change) -> Ticket {
        let ticket = self.put_soon(change);
        self.write();
        ticket
    }

    /// As [`Self::put`], and the writer begins at [`Self::write`], or with the next change, so that it takes no time from
    /// what is more urgent than storing.
    pub fn put_soon(&self, change: Change) -> Ticket {
        let mut waiting = self.waiting();
        if waiting.changes.len() >= CHANGES_MAX {
            waiting.changes.pop_front();
            waiting.given_up += 1;
        }
        waiting.changes.push_back(change);
        waiting.put += 1;
        waiting.put
    }

    /// Has the writer begin with what was put.
    pub fn write(&self) {
        self.0.more.notify_one();
    }

    /// Waits until a change is stored, at most `most`. Says whether it is. Where the store fails, it does not wait.
    pub async fn is_stored(&self, ticket: Ticket, most: Duration) -> bool {
        self.write();
        if self.waiting().failing {
            return false;
        }
        let mut stored = self.0.stored.subscribe();
        let reached = tokio::time::timeout(most, stored.wait_for(|stored| *stored >= ticket)).await;
        matches!(reached, Ok(Ok(_)))
    }

    /// Waits until all that was put so far is stored, at most `most`.
    pub async fn all_stored(&self, most: Duration) -> bool {
        let last = self.waiting().put;
        self.is_stored(last, most).await
    }

    /// Whether changes cannot be stored now, and how many were given up.
    #[must_use]
    pub fn trouble(&self) -> (bool, u64) {
        let waiting = self.waiting();
        (waiting.failing, waiting.given_up)
    }

    /// Nothing more comes: the writer ends once all is stored.
    pub fn close(&self) {
        self.waiting().closed = true;
        self.0.more.notify_one();
    }

    /// The next changes, at most `most`, with the number of the last; none once all is stored and [`Self::close`] was
    /// called.
    pub(super) async fn next(&self, most: usize) -> Option<(Ticket, Vec<Change>)> {
        loop {
            {
                let mut waiting = self.waiting();
                let count = waiting.changes.len().min(most);
                if count > 0 {
                    let batch = waiting.changes.drain(..count).collect();
                    if waiting.changes.is_empty() {
                        // A flood's room is given back.
                        waiting.changes.shrink_to(most);
                    }
                    let left = waiting.changes.len() as u64;
                    return Some((waiting.put - left, batch));
                }
                if waiting.closed {
                    return None;
                }
            }
            self.0.more.notified().await;
        }
    }

    pub(super) fn stored(&self, ticket: Ticket) {
        self.0.stored.send_replace(ticket);
    }

    /// The store fails. Says whether that is new.
    pub(super) fn fails(&self) -> bool {
        !std::mem::replace(&mut self.waiting().failing, true)
    }

    /// The store works. Says whether it did not before.
    pub(super) fn succeeds(&self) -> bool {
        std::mem::take(&mut self.waiting().failing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefix::Prefix;

    fn change(number: u32) -> Change {
        Change::Void(Prefix::host(std::net::IpAddr::V4(number.into())))
    }

    #[tokio::test]
    async fn what_is_stored_is_said_and_a_failing_store_holds_nobody_up() {
        let changes = Changes::default();
        let last = (0..5).fold(None, |_, number| Some(changes.put(change(number))));
        assert_eq!(last, Some(5));
        let most = Duration::from_millis(10);
        assert!(!changes.is_stored(5, most).await);
        let batch = changes.next(3).await;
        assert!(batch.is_some_and(|(ticket, batch)| (ticket, batch.len()) == (3, 3)));
        changes.stored(3);
        assert!(changes.is_stored(3, most).await && !changes.is_stored(4, most).await);
        assert!(changes.fails() && !changes.fails());
        let long = Duration::from_secs(3600);
        assert!(!changes.is_stored(4, long).await && changes.trouble().0);
        assert!(changes.succeeds() && !changes.succeeds());
        changes.close();
        let batch = changes.next(10).await;
        assert!(batch.is_some_and(|(ticket, batch)| (ticket, batch.len()) == (5, 2)));
        assert!(changes.next(10).await.is_none());
    }

    #[tokio::test]
    async fn what_is_put_for_soon_is_written_once_somebody_says_so() {
        let changes = Changes::default();
        let next = tokio::spawn({
            let changes = changes.clone();
            async move { changes.next(9).await.map(|(ticket, _)| ticket) }
        });
        tokio::task::yield_now().await;
        assert_eq!(changes.put_soon(change(1)), 1);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!next.is_finished());
        changes.write();
        assert_eq!(next.await.ok().flatten(), Some(1));
    }

    #[tokio::test]
    async fn what_waits_has_a_bound() {
        let changes = Changes::default();
        for number in 0..70_000 {
            changes.put(change(number));
        }
        assert_eq!(changes.trouble(), (false, 70_000 - CHANGES_MAX as u64));
        let mut count = 0;
        changes.close();
        while let Some((_, batch)) = changes.next(2048).await {
            count += batch.len();
        }
        assert_eq!(count, CHANGES_MAX);
    }
}
