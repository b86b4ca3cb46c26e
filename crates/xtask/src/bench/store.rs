//! The store beside plain redb, SQLite and SQLCipher, on one disk, in one run, in turns.
//!
//! What measures is `crates/store/measure`, a workspace of its own; here its figures are held against their bars.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Options;
use super::figure::{Bar, Figure};
use super::rounds::median;
use crate::failure::{Outcome, While};
use crate::host;
use crate::program;
use crate::progress::{note, step};
use crate::workspace::{RELEASE_CFG, Workspace, cargo};

/// What measures.
const MANIFEST: &str = "crates/store/measure/Cargo.toml";

/// Everyone that is measured, and what figures call them.
const NAMES: [(&str, &str); 4] = [
    (STORE, "the store"),
    (REDB, "redb"),
    (SQLITE, "SQLite"),
    (SQLCIPHER, "SQLCipher"),
];
const STORE: &str = "store";
const REDB: &str = "redb";
const SQLITE: &str = "sqlite";
const SQLCIPHER: &str = "sqlcipher";

/// How the store is compared with another.
#[derive(Debug, Clone, Copy)]
enum Compared {
    /// The store's value for one of the other's: rates, where more is better, and sizes, where less is.
    Value,
    /// From rates, the store's time for one of the other's.
    Time,
}

/// What is measured of all alike.
struct Subject {
    /// What the measuring program calls it.
    key: &'static str,
    /// What figures call it.
    name: &'static str,
    /// The unit of its figures, and how many of the measuring program's make one.
    unit: (&'static str, f64),
    /// The store beside others.
    beside: &'static [(&'static str, Compared, Bar)],
}

const RATE: (&str, f64) = ("/s", 1.0);
const MEBIBYTES: (&str, f64) = ("MiB", 1_048_576.0);
const KIBIBYTES: (&str, f64) = ("KiB", 1024.0);

const READS: &[(&str, Compared, Bar)] = &[
    (REDB, Compared::Value, Bar::AtLeast(0.9)),
    (SQLCIPHER, Compared::Value, Bar::AtLeast(2.0)),
    (SQLITE, Compared::Value, Bar::Told),
];
const LOADS: &[(&str, Compared, Bar)] = &[
    (REDB, Compared::Time, Bar::AtMost(1.5)),
    (SQLCIPHER, Compared::Value, Bar::AtLeast(4.0)),
    (SQLITE, Compared::Value, Bar::Told),
];
const SIZES: &[(&str, Compared, Bar)] = &[
    (SQLCIPHER, Compared::Value, Bar::AtMost(1.25)),
    (REDB, Compared::Value, Bar::Told),
];

/// Everything that is measured. Records have keys of 8 bytes and, where nothing else is said, values of 1 KiB.
const SUBJECTS: &[Subject] = &[
    Subject {
        key: "reads_cached",
        name: "point reads of 1,000 records, all cached",
        unit: RATE,
        beside: READS,
    },
    Subject {
        key: "reads_of_all",
        name: "point reads of 100,000 records, few cached",
        unit: RATE,
        beside: READS,
    },
    Subject {
        key: "reads_cached_together",
        name: "cached reads in one transaction",
        unit: RATE,
        beside: &[
            (REDB, Compared::Value, Bar::Told),
            (SQLCIPHER, Compared::Value, Bar::Told),
        ],
    },
    Subject {
        key: "load_in_order",
        name: "bulk load of 100,000 in order of keys",
        unit: RATE,
        beside: LOADS,
    },
    Subject {
        key: "load_at_random",
        name: "bulk load of 100,000 in random order",
        unit: RATE,
        beside: LOADS,
    },
    Subject {
        key: "commits_1",
        name: "durable commits of 300 bytes, 1 writer",
        unit: RATE,
        beside: &[
            (SQLCIPHER, Compared::Value, Bar::AtLeast(1.0)),
            (SQLITE, Compared::Value, Bar::Told),
            (REDB, Compared::Value, Bar::Told),
        ],
    },
    Subject {
        key: "commits_16",
        name: "durable commits of 300 bytes, 16 writers",
        unit: RATE,
        beside: &[
            (SQLCIPHER, Compared::Value, Bar::AtLeast(8.0)),
            (SQLITE, Compared::Value, Bar::Told),
            (REDB, Compared::Value, Bar::Told),
        ],
    },
    Subject {
        key: "written_commits_1",
        name: "written to disk for a commit, 1 writer",
        unit: KIBIBYTES,
        beside: &[],
    },
    Subject {
        key: "bytes_in_order",
        name: "file after compaction, loaded in order",
        unit: MEBIBYTES,
        beside: SIZES,
    },
    Subject {
        key: "bytes_at_random",
        name: "file after compaction, loaded at random",
        unit: MEBIBYTES,
        beside: SIZES,
    },
];

/// What the measuring program prints.
#[derive(Debug, Deserialize)]
struct Report {
    /// By subject and contender, a value for each round.
    seen: BTreeMap<String, BTreeMap<String, Vec<f64>>>,
    /// Versions.
    sqlite: String,
    sqlcipher: String,
}

impl Report {
    fn values(&self, subject: &str, of: &str) -> Outcome<&[f64]> {
        let values = self.seen.get(subject).and_then(|subject| subject.get(of));
        Ok(values.during(format_args!("{subject} of {of} was not measured"))?)
    }

    /// The store beside another: the median over the rounds of the ratio within each.
    fn ratio(&self, subject: &str, other: &str, compared: Compared) -> Outcome<f64> {
        let (ours, theirs) = (self.values(subject, STORE)?, self.values(subject, other)?);
        let ratios = ours
            .iter()
            .zip(theirs)
            .map(|(ours, theirs)| match compared {
                Compared::Value => ours / theirs,
                Compared::Time => theirs / ours,
            });
        Ok(median(ratios))
    }

    /// First what is promised, then what is compared besides, then everyone's own figures.
    fn figures(&self) -> Outcome<Vec<Figure>> {
        let (mut promised, mut compared, mut own) = (Vec::new(), Vec::new(), Vec::new());
        for subject in SUBJECTS {
            for (other, how, bar) in subject.beside {
                let what = match how {
                    Compared::Value => "to",
                    Compared::Time => "time to",
                };
                let name = format!("{}: {what} {}", subject.name, called(other));
                let ratio = self.ratio(subject.key, other, *how)?;
                match bar {
                    Bar::Told => &mut compared,
                    _ => &mut promised,
                }
                .push(Figure::new(name, ratio, "×", *bar));
            }
            let (unit, size) = subject.unit;
            for (who, name) in NAMES {
                let value = median(self.values(subject.key, who)?.iter().copied()) / size;
                let name = format!("{}: {name}", subject.name);
                own.push(Figure::new(name, value, unit, Bar::Told));
            }
        }
        for (key, name) in [
            ("sync_ms", "fdatasync of a page, meanwhile, median"),
            ("sync_mean_ms", "fdatasync of a page, meanwhile, mean"),
        ] {
            let time = median(self.values(key, "disk")?.iter().copied());
            own.push(Figure::new(name, time, "ms", Bar::Told));
        }
        promised.append(&mut compared);
        promised.append(&mut own);
        Ok(promised)
    }
}

fn called(who: &str) -> &str {
    NAMES
        .iter()
        .find_map(|(key, name)| (*key == who).then_some(*name))
        .unwrap_or(who)
}

/// Builds what measures, runs it, and judges.
pub(super) fn run(options: &Options) -> Outcome<Vec<Figure>> {
    let workspace = Workspace::find()?;
    // Where OpenSSL is elsewhere, its build scripts are told so.
    if std::env::var_os("OPENSSL_DIR").is_none() {
        host::provide(host::SQLCIPHER)?;
    }
    let cargo = |what: &str| {
        let mut command = program::ending_with_this("TERM");
        command
            .arg(cargo())
            .args([what, "--release", "--manifest-path"])
            .arg(workspace.root().join(MANIFEST))
            .env("RUSTFLAGS", RELEASE_CFG)
            .current_dir(workspace.root());
        command
    };
    step("Building the store and SQLCipher", || {
        program::show(&mut cargo("build"))
    })?;
    let folder = match &options.folder {
        Some(folder) => folder.clone(),
        None => workspace.root().join("target"),
    };
    std::fs::create_dir_all(&folder).during(folder.display())?;
    // What measures is started in the checkout's directory.
    let folder = folder.canonicalize().during(folder.display())?;
    let report = step(&format!("Measuring in {}", folder.display()), || {
        let mut command = cargo("run");
        command.args(["--quiet", "--"]).arg(&folder);
        command.args([options.rounds.to_string(), options.seconds.to_string()]);
        program::watch(&mut command)
    })?;
    let report: Report =
        serde_json::from_str(&report).during("what was measured could not be read")?;
    note(&format!(
        "SQLite {} and SQLCipher {}, WAL and synchronous=FULL; the same cache for all",
        report.sqlite, report.sqlcipher
    ));
    report.figures()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::figure::table;
    use super::*;

    /// A report in which the store has `ours`, and everyone else `theirs`.
    fn report(ours: &[f64], theirs: &[f64]) -> Report {
        let everyone = |_: &Subject| {
            let value = |who| if who == STORE { ours } else { theirs };
            NAMES
                .iter()
                .map(|(who, _)| ((*who).to_owned(), value(*who).to_vec()))
                .collect()
        };
        let mut seen: BTreeMap<String, BTreeMap<_, _>> = SUBJECTS
            .iter()
            .map(|subject| (subject.key.to_owned(), everyone(subject)))
            .collect();
        for key in ["sync_ms", "sync_mean_ms"] {
            seen.insert(key.into(), [("disk".into(), vec![4.0])].into());
        }
        Report {
            seen,
            sqlite: String::new(),
            sqlcipher: String::new(),
        }
    }

    #[test]
    fn ratios_are_medians_of_the_ratios_of_each_round() {
        // The machine was ten times as fast in the second round, for everyone.
        let report = report(&[100.0, 1000.0, 120.0], &[200.0, 2000.0, 120.0]);
        let ratio = |how| report.ratio("load_in_order", REDB, how).unwrap();
        assert_eq!(ratio(Compared::Value).to_bits(), 0.5_f64.to_bits());
        assert_eq!(ratio(Compared::Time).to_bits(), 2.0_f64.to_bits());
    }

    #[test]
    fn what_is_promised_comes_first_and_what_was_not_measured_is_an_error() {
        let mut report = report(&[8.0], &[1.0]);
        let figures = report.figures().unwrap();
        let lines = table(&figures);
        assert!(lines.starts_with("point reads of 1,000 records, all cached: to redb"));
        let short: Vec<_> = lines
            .lines()
            .filter(|line| line.ends_with("short"))
            .collect();
        // Eight times the size is too much; eight times the speed is enough for all else.
        assert_eq!(short.len(), 2, "{lines}");
        report.seen.remove("commits_1");
        assert!(report.figures().is_err());
    }
}
