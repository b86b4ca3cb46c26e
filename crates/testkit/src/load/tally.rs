//! What the visitors saw.

use std::time::Duration;

use serde_json::{Value, json};

use super::visitor::Turn;

/// Counts and times of a run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Turns that were done, also before and after the span that is measured.
    all: u64,
    /// Turns that were done within it.
    within: u64,
    errors: u64,
    first_error: Option<String>,
    bytes: u64,
    first: Vec<Duration>,
    whole: Vec<Duration>,
}

impl Tally {
    /// Counts a turn; its times are kept if it is `measured`, and it makes the rate if it was done `within` the span.
    pub(super) fn done(&mut self, turn: &Turn, measured: bool, within: bool) {
        self.all += 1;
        self.bytes += turn.bytes;
        if within {
            self.within += 1;
        }
        if measured {
            self.whole.push(turn.whole);
            self.first.push(turn.first);
        }
    }

    /// Counts a failure, and keeps the first one's words.
    pub(super) fn failed(&mut self, why: &str) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| why.to_owned());
    }

    /// Everything, for a span of so many seconds. Times are in milliseconds, sizes in bytes.
    pub(super) fn report(&mut self, seconds: u64) -> Value {
        self.first.sort_unstable();
        self.whole.sort_unstable();
        json!({
            "turns": self.within,
            "all_turns": self.all,
            "seconds": seconds,
            "errors": self.errors,
            "first_error": self.first_error,
            "bytes_per_turn": self.bytes.checked_div(self.all),
            "first_token_ms": times(&self.first),
            "complete_ms": times(&self.whole),
        })
    }
}

/// Percentiles of sorted times, in milliseconds.
pub(super) fn times(sorted: &[Duration]) -> Value {
    let millis = |share| percentile(sorted, share).map(|time| time.as_secs_f64() * 1000.0);
    json!({"p50": millis(50), "p99": millis(99), "max": millis(100)})
}

/// The smallest value that `share` percent of the sorted values do not exceed (nearest rank); none of none.
fn percentile(sorted: &[Duration], share: usize) -> Option<Duration> {
    let rank = (sorted.len() * share).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn turn(millis: u32) -> Turn {
        Turn {
            first: MS,
            whole: MS * millis,
            bytes: 100,
        }
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let values: Vec<_> = (1..=200).map(|at| at * MS).collect();
        assert_eq!(percentile(&values, 50), Some(100 * MS));
        assert_eq!(percentile(&values, 99), Some(198 * MS));
        assert_eq!(percentile(&values, 100), Some(200 * MS));
        assert_eq!(percentile(&values[..1], 1), Some(MS));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn what_is_not_measured_counts_but_has_no_times() {
        let mut tally = Tally::default();
        tally.done(&turn(900), false, false);
        tally.done(&turn(800), false, true);
        tally.done(&turn(4), true, true);
        tally.done(&turn(2), true, true);
        tally.failed("first");
        tally.failed("second");
        let report = tally.report(2);
        assert_eq!(
            (&report["turns"], &report["all_turns"]),
            (&json!(3), &json!(4))
        );
        assert_eq!(
            (&report["errors"], &report["first_error"]),
            (&json!(2), &json!("first"))
        );
        assert_eq!(report["complete_ms"]["max"], json!(4.0));
        assert_eq!(report["bytes_per_turn"], json!(100));
    }
}
