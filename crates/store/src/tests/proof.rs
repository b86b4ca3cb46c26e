//! Proofs: many numbered cases, each of which can be run alone.
//!
//! `STORE_SEED` and `STORE_FIRST` say which cases, `STORE_CASES` how many; `cargo xtask crash`
//! sets them, and reads the lines that begin with `proof` and `FAILED`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::dice::{self, Dice};

/// Failures after which a proof gives up.
const FAILURES_MAX: usize = 20;

/// Counts of what was met on the way.
pub(crate) type Tally = BTreeMap<&'static str, u64>;

/// What is proven, and how far.
pub(crate) struct Proof {
    name: &'static str,
    pub(crate) seed: u64,
    first: u64,
    cases: u64,
    failures: Vec<String>,
    pub(crate) tally: Tally,
}

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap())
}

impl Proof {
    /// The cases of this run: `cases`, of a new seed, unless the environment says otherwise.
    pub(crate) fn of(name: &'static str, cases: u64) -> Self {
        Self {
            name,
            seed: dice::seed(),
            first: setting("STORE_FIRST").unwrap_or(0),
            cases: setting("STORE_CASES").unwrap_or(cases),
            failures: Vec::new(),
            tally: Tally::new(),
        }
    }

    /// The same with what no environment changes: for the proof of a proof.
    pub(crate) fn fixed(name: &'static str, cases: u64) -> Self {
        Self {
            name,
            seed: 7,
            first: 0,
            cases,
            failures: Vec::new(),
            tally: Tally::new(),
        }
    }

    /// Runs every case. A panic fails its case, and no other.
    pub(crate) fn run(
        &mut self,
        mut case: impl FnMut(u64, &mut Dice, &mut Tally) -> Result<(), String>,
    ) {
        for number in self.numbers() {
            let mut dice = Dice::numbered(self.seed, number);
            let tally = &mut self.tally;
            let why = match catch_unwind(AssertUnwindSafe(|| case(number, &mut dice, tally))) {
                Ok(Ok(())) => continue,
                Ok(Err(why)) => why,
                Err(panic) => format!("panicked: {}", words(&*panic)),
            };
            self.fail(number, &why);
            if self.failures.len() >= FAILURES_MAX {
                self.cases = number + 1 - self.first;
                break;
            }
        }
    }

    /// The numbers of the cases.
    pub(crate) fn numbers(&self) -> Range<u64> {
        self.first..self.first + self.cases
    }

    /// Notes that a case failed.
    pub(crate) fn fail(&mut self, number: u64, why: &str) {
        let (name, seed) = (self.name, self.seed);
        let line = format!("FAILED {name} seed={seed} case={number}: {why}");
        println!("{line}");
        self.failures.push(line);
    }

    /// How many cases failed.
    pub(crate) fn failed(&self) -> usize {
        self.failures.len()
    }

    /// Prints the figures.
    ///
    /// # Panics
    /// Where a case failed.
    pub(crate) fn finish(self) {
        let mut line = format!(
            "proof {} seed={} first={} cases={} failures={}",
            self.name,
            self.seed,
            self.first,
            self.cases,
            self.failures.len()
        );
        for (what, count) in &self.tally {
            line.push_str(&format!(" {what}={count}"));
        }
        println!("{line}");
        assert!(
            self.failures.is_empty(),
            "repeat the first alone with STORE_SEED, STORE_FIRST and STORE_CASES=1: {}",
            self.failures[0]
        );
    }
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without words")
}
