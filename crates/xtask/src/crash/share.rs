//! What a process that ran a share of a proof's cases says, and the sum of all shares.

use std::collections::BTreeMap;

/// Failures after which no more are looked for.
const FAILURES_MAX: u64 = 100;

/// What came of some cases.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) cases: u64,
    pub(super) failures: u64,
    /// What was met on the way, and how often.
    tally: BTreeMap<String, u64>,
    /// What each failure said.
    pub(super) failed: Vec<String>,
}

impl Share {
    /// Reads a process's output; `None` where it ended before it had told what came of it.
    pub(super) fn parse(output: &str) -> Option<Self> {
        let mut share = Self::default();
        let mut told = false;
        for line in output.lines() {
            // The test harness begins lines of its own without ending them.
            if let Some(at) = line.find("FAILED ").filter(|_| line.contains(" case=")) {
                share.failed.push(line[at..].to_owned());
            } else if let Some(at) = line.find("proof ").filter(|_| line.contains(" cases=")) {
                told = true;
                for word in line[at..].split(' ') {
                    let Some((what, count)) = word.split_once('=') else {
                        continue;
                    };
                    let count = count.parse().ok()?;
                    match what {
                        "cases" => share.cases = count,
                        "failures" => share.failures = count,
                        "seed" | "first" => {}
                        _ => drop(share.tally.insert(what.to_owned(), count)),
                    }
                }
            }
        }
        told.then_some(share)
    }

    /// A process that ended without a word: all of its cases count as one failure.
    pub(super) fn died(why: String) -> Self {
        Self {
            failures: 1,
            failed: vec![why],
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.failures += other.failures;
        self.failed.extend(other.failed);
        for (what, count) in other.tally {
            *self.tally.entry(what).or_default() += count;
        }
    }

    pub(super) fn holds(&self) -> bool {
        self.failures == 0 && self.cases > 0
    }

    /// Whether there is enough to look at.
    pub(super) fn is_hopeless(&self) -> bool {
        self.failures >= FAILURES_MAX
    }

    /// The number of the first case that failed.
    pub(super) fn failed_case(&self) -> Option<u64> {
        let words = self.failed.first()?.split([' ', ':']);
        let mut numbers = words.filter_map(|word| word.strip_prefix("case=")?.parse().ok());
        numbers.next()
    }

    /// The figure, in one line.
    pub(super) fn line(&self, name: &str, seed: u64) -> String {
        let mut line = format!(
            "{name:<10} {:>10} {:>8} {seed:>20}",
            self.cases, self.failures
        );
        for (what, count) in &self.tally {
            line.push_str(&format!("  {} {count}", what.replace('_', " ")));
        }
        line
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        let mut sum =
            Share::parse("noise\nproof power seed=7 first=0 cases=20 failures=0 twice=3\n")
                .unwrap();
        assert!(sum.holds());
        let other = "test a ... FAILED power seed=7 case=31: LOST: state 4\n\
                     proof power seed=7 first=20 cases=12 failures=1 twice=2 lives=1\n";
        sum.add(Share::parse(other).unwrap());
        assert_eq!((sum.cases, sum.failures), (32, 1));
        assert_eq!(sum.failed_case(), Some(31));
        assert!(!sum.holds());
        assert_eq!(
            sum.line("power", 7),
            "power              32        1                    7  lives 1  twice 5"
        );
    }

    #[test]
    fn a_process_that_ends_early_proves_nothing() {
        assert_eq!(Share::parse("running 1 test\n"), None);
        assert!(!Share::died("signal 6".into()).holds());
        assert!(!Share::default().holds());
    }
}
