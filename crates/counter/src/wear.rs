//! How often a counter may move: a TPM's memory wears out (some 100 000 writes are promised), and
//! a service that dies again and again would see to that in a week.
//!
//! A counter that rests is no harm: the opening then counts as one that failed, and the next one
//! that is counted covers it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How often a counter may move in the long run: 288 times a day.
pub const EVERY: Duration = Duration::from_secs(300);

/// How often it may move at once.
pub const BURST: u32 = 12;

/// When everything that was done is forgotten again, if it may be done once more at `now`. Both
/// are times since the machine's start.
#[must_use]
pub fn allow(forgotten: Duration, now: Duration) -> Option<Duration> {
    let backlog = forgotten.saturating_sub(now);
    (backlog <= EVERY * (BURST - 1)).then(|| now + backlog + EVERY)
}

/// The time since the machine's start.
#[must_use]
pub fn now() -> Duration {
    clock_gettime(ClockId::Boottime)
        .try_into()
        .unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_each_time() {
        let mut forgotten = Duration::ZERO;
        let start = Duration::from_secs(60);
        for _ in 0..BURST {
            forgotten = allow(forgotten, start).unwrap();
        }
        assert_eq!(allow(forgotten, start), None);
        assert_eq!(
            allow(forgotten, start + EVERY - Duration::from_secs(1)),
            None
        );
        assert!(allow(forgotten, start + EVERY).is_some());
    }

    proptest! {
        #[test]
        fn in_any_time_there_are_no_more_than_may_be(gaps in proptest::collection::vec(0_u64..900, 1..200)) {
            let (mut forgotten, mut now, mut moves) = (Duration::ZERO, Duration::ZERO, 0);
            for gap in gaps {
                now += Duration::from_secs(gap);
                if let Some(next) = allow(forgotten, now) {
                    forgotten = next;
                    moves += 1;
                }
            }
            let most = u64::from(BURST) + now.as_secs() / EVERY.as_secs() + 1;
            prop_assert!(moves <= most);
        }
    }
}
