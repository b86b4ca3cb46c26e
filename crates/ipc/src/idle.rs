//! Connections that nobody uses close.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// How a connection is used.
#[derive(Debug)]
pub(crate) struct Uses {
    /// How many use it now.
    taken: AtomicU32,
    /// Whether somebody began since this was asked.
    used: AtomicBool,
}

impl Default for Uses {
    fn default() -> Self {
        Self {
            taken: AtomicU32::new(0),
            used: AtomicBool::new(true),
        }
    }
}

impl Uses {
    /// How many use it now.
    pub(crate) fn now(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }

    pub(crate) fn begin(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        self.used.store(true, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether nobody used it since this was asked last.
    pub(crate) fn are_none(&self) -> bool {
        let used = self.used.swap(false, Ordering::Relaxed);
        !used && self.now() == 0
    }
}

/// Runs a connection until it ends, or `is_unused` says so, asked every `idle_time`: then it closes.
pub(crate) async fn keep(
    connection: impl Future<Output = hyper::Result<()>>,
    idle_time: Duration,
    is_unused: impl Fn() -> bool,
) {
    let mut connection = pin!(connection);
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                // Those whose answers it carried see and report the same.
                if let Err(error) = ended {
                    tracing::debug!("a connection ended: {error}");
                }
                return;
            }
            () = tokio::time::sleep(idle_time) => {
                if is_unused() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_unused_if_nobody_uses_it_and_nobody_has_since_it_was_asked() {
        let uses = Uses::default();
        uses.begin();
        assert!(!uses.are_none() && !uses.are_none());
        uses.end();
        assert!(uses.are_none());
        uses.begin();
        uses.end();
        assert!(!uses.are_none() && uses.are_none());
    }
}
