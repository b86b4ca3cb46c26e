//! One clock for all decisions: it shows the time, and never goes back.

use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A clock that goes on where the system's is set back, so that no ban becomes longer and no score high again by that.
#[derive(Debug)]
pub struct Clock(Mutex<Seen>);

/// What was shown last.
#[derive(Debug, Clone, Copy)]
struct Seen {
    ms: u64,
    at: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self(Mutex::new(Seen {
            ms: system_ms(),
            at: Instant::now(),
        }))
    }
}

impl Clock {
    /// The time in milliseconds since 1970.
    pub fn ms(&self) -> u64 {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.show(system_ms(), Instant::now())
    }

    /// The time in seconds since 1970.
    pub fn s(&self) -> u64 {
        self.ms() / 1000
    }
}

impl Seen {
    fn show(&mut self, system_ms: u64, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.at).as_millis();
        let gone_on = self
            .ms
            .saturating_add(u64::try_from(since).unwrap_or(u64::MAX));
        if system_ms >= gone_on {
            *self = Self { ms: system_ms, at };
        }
        system_ms.max(gone_on)
    }
}

fn system_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_goes_on_where_the_system_is_set_back() {
        let begun = Instant::now();
        let after = |ms| begun + Duration::from_millis(ms);
        let mut seen = Seen {
            ms: 10_000,
            at: begun,
        };
        assert_eq!(seen.show(10_100, after(100)), 10_100);
        // Set back by five seconds.
        assert_eq!(seen.show(5_200, after(200)), 10_200);
        assert_eq!(seen.show(6_200, after(1_200)), 11_200);
        // And right again.
        assert_eq!(seen.show(20_000, after(1_300)), 20_000);
        assert_eq!(seen.show(20_050, after(1_350)), 20_050);
    }
}
