//! What the visitors did.

use std::error::Error;
use std::io::Write as _;

use serde_json::json;

/// Counts of a run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    done: u64,
    bytes: u64,
    errors: u64,
    first_error: Option<String>,
}

impl Tally {
    /// Counts what was done, with the bytes that were read.
    pub(super) fn done(&mut self, bytes: u64) {
        self.done += 1;
        self.bytes += bytes;
    }

    /// Counts a failure, and keeps the first one's words.
    pub(super) fn failed(&mut self, why: String) {
        self.errors += 1;
        self.first_error.get_or_insert(why);
    }

    /// Adds what another did.
    pub(super) fn add(&mut self, other: Self) {
        self.done += other.done;
        self.bytes += other.bytes;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
    }

    /// Prints it as a JSON object on one line.
    pub(super) fn print(&self) -> Result<(), Box<dyn Error>> {
        let report = json!({
            "done": self.done,
            "bytes": self.bytes,
            "errors": self.errors,
            "first_error": self.first_error,
        });
        Ok(writeln!(std::io::stdout(), "{report}")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_of_all_is_kept() {
        let mut all = Tally::default();
        let (mut one, mut other) = (Tally::default(), Tally::default());
        one.done(5);
        one.failed("one".to_owned());
        other.failed("other".to_owned());
        all.add(one);
        all.add(other);
        assert_eq!((all.done, all.bytes, all.errors), (1, 5, 2));
        assert_eq!(all.first_error.as_deref(), Some("one"));
    }
}
