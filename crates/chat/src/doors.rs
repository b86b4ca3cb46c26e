//! Whether visitors are let in.
//!
//! A further instance of a bot has to answer from the same documents as the first. Until it was told that it has them,
//! its visitors wait in the backlog of their socket.

use std::time::Duration;

use chat_api::Instance;
use tokio::sync::watch;

/// How long a further instance waits for the documents of the first before it makes do with those that it has from
/// earlier. A first instance that is up gives them in well under a second.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The way in for visitors.
#[derive(Debug)]
pub struct Doors(watch::Sender<bool>);

impl Doors {
    /// Those of an instance: the first has its documents by itself.
    #[must_use]
    pub fn of(instance: &Instance) -> Self {
        Self(watch::Sender::new(instance.is_first()))
    }

    /// Lets visitors in; says whether they were not yet.
    pub fn open(&self) -> bool {
        self.0
            .send_if_modified(|open| !std::mem::replace(open, true))
    }

    /// Whether visitors are let in.
    #[must_use]
    pub fn are_open(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until visitors are let in. After `patience` they are, unless there is nothing to answer from: `documents`
    /// tells how many there are.
    pub async fn opened(&self, patience: Duration, documents: impl FnOnce() -> usize) {
        let mut open = self.0.subscribe();
        // The sender is held here, so waiting ends with the doors open.
        if let Ok(opened) = tokio::time::timeout(patience, open.wait_for(|open| *open)).await {
            drop(opened);
            return;
        }
        if documents() > 0 {
            tracing::warn!(
                "the first instance's documents did not come, so visitors get answers from those that this instance \
                 had before; `casemate knowledge list` shows what is different"
            );
            self.open();
            return;
        }
        tracing::warn!(
            "the first instance's documents did not come, and there are none from earlier: visitors wait until they do"
        );
        drop(open.wait_for(|open| *open).await);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(60);

    fn doors(instance: &str) -> Arc<Doors> {
        Arc::new(Doors::of(&instance.parse().unwrap()))
    }

    #[tokio::test]
    async fn the_first_instance_waits_for_nobody() {
        let doors = doors("shop");
        assert!(doors.are_open() && !doors.open());
        doors.opened(LONG, || 0).await;
    }

    #[tokio::test]
    async fn a_further_one_waits_until_it_is_told() {
        let doors = doors("shop.2");
        let waiting = tokio::spawn({
            let doors = Arc::clone(&doors);
            async move { doors.opened(LONG, || 0).await }
        });
        tokio::time::sleep(SHORT).await;
        assert!(!doors.are_open() && !waiting.is_finished());
        assert!(doors.open());
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn with_documents_it_waits_for_a_while_and_without_for_good() {
        let known = doors("shop.2");
        known.opened(SHORT, || 1).await;
        assert!(known.are_open());
        let empty = doors("shop.2");
        let waited = tokio::time::timeout(SHORT * 5, empty.opened(SHORT, || 0)).await;
        assert!(waited.is_err() && !empty.are_open());
    }
}
