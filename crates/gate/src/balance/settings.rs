//! `[balance]` in `gate.toml`: how it is found out which members answer.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;

/// Milliseconds between two checks of a member.
const CHECK_MS: u64 = 2000;
/// Milliseconds for which a member is left alone that went out.
const PAUSE_MS: u64 = 5000;
/// The least and the most that these may be set to.
const MS_RANGE: RangeInclusive<u64> = 100..=600_000;

/// Failures in a row after which a member is out.
const FAILURES: u32 = 3;
/// Checks in a row after which it is back.
const SUCCESSES: u32 = 2;
/// The least and the most that these may be set to.
const COUNT_RANGE: RangeInclusive<u32> = 1..=100;

/// How members are checked: the instances of a bot that has several, and other appliances.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Milliseconds between two checks (`GET /healthz`) of a member, up to a quarter more.
    pub check_ms: u64,
    /// Failures in a row, of checks or of visitors' requests, after which a member gets no more of these.
    pub failures: u32,
    /// Milliseconds for which it is then left alone; longer each time that it fails again, up to 16 times.
    pub pause_ms: u64,
    /// Checks in a row that go well, after that, with which it is back.
    pub successes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            check_ms: CHECK_MS,
            failures: FAILURES,
            pause_ms: PAUSE_MS,
            successes: SUCCESSES,
        }
    }
}

impl Settings {
    /// Rejects values by which no member would ever be out, or none come back.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub fn check(&self) -> Result<(), String> {
        for (key, value) in [("check_ms", self.check_ms), ("pause_ms", self.pause_ms)] {
            if !MS_RANGE.contains(&value) {
                let (least, most) = (MS_RANGE.start(), MS_RANGE.end());
                return Err(format!(
                    "`balance.{key}` is {value}; it must be {least} to {most} milliseconds"
                ));
            }
        }
        for (key, value) in [("failures", self.failures), ("successes", self.successes)] {
            if !COUNT_RANGE.contains(&value) {
                let (least, most) = (COUNT_RANGE.start(), COUNT_RANGE.end());
                return Err(format!(
                    "`balance.{key}` is {value}; it must be {least} to {most}"
                ));
            }
        }
        Ok(())
    }

    /// Time between two checks.
    pub(crate) const fn interval(&self) -> Duration {
        Duration::from_millis(self.check_ms)
    }

    /// Time for which a member is first left alone.
    pub(crate) const fn pause(&self) -> Duration {
        Duration::from_millis(self.pause_ms)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_name_their_key() {
        let read = |text: &str| daemon::parse::<Settings>(text).unwrap();
        read("").check().unwrap();
        read("check_ms = 100\nfailures = 1\npause_ms = 600000\nsuccesses = 100")
            .check()
            .unwrap();
        for key in ["check_ms", "failures", "pause_ms", "successes"] {
            let why = read(&format!("{key} = 0")).check().unwrap_err();
            assert!(why.contains(&format!("`balance.{key}`")), "{why}");
        }
    }
}
