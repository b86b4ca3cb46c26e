//! Verdicts of stages, and how they are summed up.

use std::time::Duration;

use crate::progress::seconds;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Passed,
    Failed,
    Skipped,
}

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    name: String,
    ending: Ending,
    time: Duration,
    note: String,
}

impl Verdict {
    pub(super) fn passed(name: &str, time: Duration, note: impl Into<String>) -> Self {
        Self::of(name, Ending::Passed, time, note)
    }

    pub(super) fn failed(name: &str, time: Duration, note: impl Into<String>) -> Self {
        Self::of(name, Ending::Failed, time, note)
    }

    /// A check that could not be made here; `note` says why.
    pub(super) fn skipped(name: &str, note: impl Into<String>) -> Self {
        Self::of(name, Ending::Skipped, Duration::ZERO, note)
    }

    fn of(name: &str, ending: Ending, time: Duration, note: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            ending,
            time,
            note: note.into(),
        }
    }

    pub(super) fn is_failed(&self) -> bool {
        self.ending == Ending::Failed
    }
}

/// A stage that is asked for, and the part of it if only one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) stage: String,
    pub(super) part: Option<String>,
}

/// Reads `STAGE` or `STAGE:PART`.
pub(super) fn parse_choice(text: &str) -> Choice {
    match text.split_once(':') {
        Some((stage, part)) => Choice {
            stage: stage.to_owned(),
            part: Some(part.to_owned()),
        },
        None => Choice {
            stage: text.to_owned(),
            part: None,
        },
    }
}

/// One line for each verdict, with the further lines of its note below.
pub(super) fn table(verdicts: &[Verdict]) -> String {
    let width = verdicts
        .iter()
        .map(|verdict| verdict.name.len())
        .max()
        .unwrap_or_default();
    let mut lines = String::new();
    for verdict in verdicts {
        let ending = match verdict.ending {
            Ending::Passed => "passed",
            Ending::Failed => "FAILED",
            Ending::Skipped => "skipped",
        };
        let (note, more) = verdict.note.split_once('\n').unwrap_or((&verdict.note, ""));
        let line = format!(
            "{:<width$}  {ending:<7}  {:>12}  {note}",
            verdict.name,
            seconds(verdict.time),
        );
        lines.push_str(line.trim_end());
        lines.push('\n');
        for line in more.lines() {
            lines.push_str(&format!("  {line}\n"));
        }
    }
    lines
}

/// The last line: how many passed, failed and were skipped.
pub(super) fn summary(verdicts: &[Verdict]) -> String {
    let count = |ending| {
        verdicts
            .iter()
            .filter(|verdict| verdict.ending == ending)
            .count()
    };
    let mut line = format!(
        "{} passed, {} failed",
        count(Ending::Passed),
        count(Ending::Failed)
    );
    let skipped = count(Ending::Skipped);
    if skipped > 0 {
        line.push_str(&format!(", {skipped} skipped"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_and_names_what_was_skipped_only_if_something_was() {
        let passed = Verdict::passed("fmt", Duration::from_secs(1), "");
        let failed = Verdict::failed("clippy", Duration::from_secs(2), "why\nin full");
        let skipped = Verdict::skipped("audit", "no database");
        assert_eq!(
            summary(&[passed.clone(), failed.clone()]),
            "1 passed, 1 failed"
        );
        assert_eq!(
            summary(&[passed.clone(), failed.clone(), skipped.clone()]),
            "1 passed, 1 failed, 1 skipped"
        );
        let table = table(&[passed, failed, skipped]);
        assert!(
            table.contains("clippy  FAILED") && table.contains("why\n  in full\n"),
            "{table}"
        );
        assert_eq!(table.lines().count(), 4);
    }

    #[test]
    fn a_choice_may_name_a_part() {
        assert_eq!(parse_choice("vm").part, None);
        let choice = parse_choice("vm:answer");
        assert_eq!(
            (&*choice.stage, choice.part.as_deref()),
            ("vm", Some("answer"))
        );
    }
}
