//! The service's own clock: seconds since it began, which no change of the wall clock moves.

use std::time::Instant;

use crate::bans::Second;

/// Milliseconds in a second.
pub(crate) const MS: u64 = 1_000;

/// A clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
}

impl Clock {
    /// One that begins now.
    #[must_use]
    pub fn begin() -> Self {
        Self {
            began: Instant::now(),
        }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Second {
        // As many seconds as it has are 136 years.
        u32::try_from(self.began.elapsed().as_secs()).unwrap_or(u32::MAX)
    }
}
