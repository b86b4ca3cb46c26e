//! When an anchor that is advanced all the time is settled. Pure.
#![cfg_attr(
    not(test),
    expect(dead_code, reason = "the writer of format 2 goes by it")
)]

use std::time::{Duration, Instant};

/// The least time between two settlings while commits go on: each is a sync on the writer's thread.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

/// Decides after each commit whether the anchor is to be settled.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    last: Option<Instant>,
}

impl Pace {
    /// Whether to settle now, the first time and then at most every [`SETTLE_EVERY`].
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let due = self
            .last
            .is_none_or(|last| now.saturating_duration_since(last) >= SETTLE_EVERY);
        if due {
            self.last = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_once_a_second() {
        let start = Instant::now();
        let mut pace = Pace::default();
        let times = [0, 1, 999, 1000, 1001, 1999, 2500];
        let due = times.map(|time| pace.is_due(start + Duration::from_millis(time)));
        assert_eq!(due, [true, false, false, true, false, false, true]);
    }
}
