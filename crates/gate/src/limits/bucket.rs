//! Pure: a token bucket as one number.
//!
//! The generic cell rate algorithm (ITU-T I.371): kept is the moment at which the
//! bucket will be full again. Each request moves it on by the time that one token
//! takes; a request that would move it further than a whole bucket away is
//! refused, and moves nothing.

use std::time::Duration;

/// A moment, in nanoseconds since the limits began.
pub(crate) type Moment = u64;

/// How many requests a bucket holds, and in which time it fills from empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    requests: u32,
    window: Duration,
    /// The time for one token, in nanoseconds.
    token: u64,
}

/// A request that is over the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

impl Quota {
    /// So many requests, at least one, in a window of at least a nanosecond for each.
    pub(crate) const fn new(requests: u32, window: Duration) -> Self {
        let requests = if requests == 0 { 1 } else { requests };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "windows are minutes, and 64 bits of nanoseconds 584 years"
        )]
        let nanos = window.as_nanos() as u64;
        let token = nanos / requests as u64;
        Self {
            requests,
            window,
            token: if token == 0 { 1 } else { token },
        }
    }

    /// Requests that a full bucket holds.
    pub(crate) const fn requests(self) -> u32 {
        self.requests
    }

    /// In which time it fills.
    pub(crate) const fn window(self) -> Duration {
        self.window
    }

    const fn depth(self) -> u64 {
        self.token.saturating_mul(self.requests as u64)
    }

    /// One request at `now` of a bucket that is full at `full`: when it is full after it.
    pub(crate) fn take(self, full: Moment, now: Moment) -> Result<Moment, Wait> {
        let after = full.max(now).saturating_add(self.token);
        let over = (after - now).saturating_sub(self.depth());
        if over > 0 {
            return Err(Wait(Duration::from_nanos(over)));
        }
        Ok(after)
    }

    /// Requests that it has left.
    pub(crate) fn left(self, full: Moment, now: Moment) -> u32 {
        let free = self.depth().saturating_sub(full.saturating_sub(now));
        u32::try_from(free / self.token).unwrap_or(self.requests)
    }
}

/// Seconds, rounded up.
pub(crate) fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_full_bucket_holds_its_quota_and_refills_evenly() {
        let quota = Quota::new(100, Duration::from_secs(60));
        let (now, mut full) = (5 * SECOND, 0);
        for taken in 0..100 {
            assert_eq!(quota.left(full, now), 100 - taken);
            full = quota.take(full, now).unwrap();
        }
        assert_eq!(quota.left(full, now), 0);
        assert_eq!(quota.take(full, now), Err(Wait(Duration::from_millis(600))));
        assert_eq!(seconds(Duration::from_millis(600)), 1);
        let later = now + 600_000_000;
        full = quota.take(full, later).unwrap();
        assert!(quota.take(full, later).is_err());
        assert_eq!(quota.left(full, later + 60 * SECOND), 100);
    }

    proptest! {
        #[test]
        fn in_any_time_there_pass_a_bucket_and_the_rate(
            requests in 1_u32..500,
            steps in proptest::collection::vec(0_u64..2 * SECOND, 1..300),
        ) {
            let quota = Quota::new(requests, Duration::from_secs(60));
            let (mut now, mut full) = (0, 0);
            let mut passed = Vec::new();
            for step in steps {
                now += step;
                match quota.take(full, now) {
                    Ok(after) => {
                        full = after;
                        passed.push(now);
                    }
                    // Whoever waits as told passes.
                    Err(Wait(time)) => {
                        let then = now + u64::try_from(time.as_nanos()).unwrap();
                        prop_assert!(quota.take(full, then).is_ok());
                        prop_assert!(quota.take(full, then - 1).is_err());
                    }
                }
            }
            for (first, from) in passed.iter().enumerate() {
                for (last, to) in passed.iter().enumerate().skip(first) {
                    let most = u64::from(requests) + (to - from) / quota.token;
                    prop_assert!(((last - first) as u64) < most);
                }
            }
        }

        #[test]
        fn no_moment_overflows(requests: u32, full: u64, now: u64) {
            let quota = Quota::new(requests, Duration::from_secs(60));
            let _ = quota.take(full, now);
            prop_assert!(quota.left(full, now) <= quota.requests());
        }
    }
}
