//! Whether a copy of a store is the newest, by what is known outside it. Pure.

use crate::error::Error;
use crate::mark::Mark;

/// What an anchor and receipts say of a copy of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Nothing newer is known.
    Fresh,
    /// An older copy was put in the place of a newer one.
    RolledBack {
        /// How many commits are missing.
        commits: u64,
        /// The newest that is known.
        newest: Mark,
    },
    /// The copy is of another course of the store's history than the one that is known, so that
    /// each may hold what the other lacks.
    Forked {
        /// What is known.
        known: Mark,
    },
    /// It is another store altogether.
    Replaced {
        /// What is known.
        known: Mark,
    },
    /// There is no copy at all.
    Gone {
        /// What is known.
        known: Mark,
    },
    /// The store says that it is anchored, and there is no anchor: it may be as old as anything.
    Missing,
}

/// Judges the copy that was `found`, which says itself whether it was `anchored`.
///
/// A receipt counts like the anchor, with two differences. Where the anchor vouches for the copy's
/// lineage, receipts of another lineage that are no younger than the copy are from before an older
/// copy was accepted, and do not count. And in place of a missing anchor, which is as good as any
/// age, only a receipt of this very commit will do, as there is one after a restore.
pub fn judge(found: &Mark, anchor: Option<&Mark>, receipts: &[Mark], anchored: bool) -> Verdict {
    let kin = |known: &&Mark| known.lineage == found.lineage;
    let known = || anchor.into_iter().chain(receipts);
    if let Some(known) = known().find(|known| known.file != found.file) {
        return Verdict::Replaced { known: *known };
    }
    if let Some(known) = anchor.filter(|known| !kin(known)) {
        return Verdict::Forked { known: *known };
    }
    if let Some(newest) = known().filter(kin).max_by_key(|known| known.generation) {
        let commits = newest.generation.saturating_sub(found.generation);
        if commits > 0 {
            return Verdict::RolledBack {
                commits,
                newest: *newest,
            };
        }
    }
    let past = |receipt: &Mark| anchor.is_some() && receipt.at <= found.at;
    if let Some(known) = receipts.iter().find(|one| !kin(one) && !past(one)) {
        return Verdict::Forked { known: *known };
    }
    let this = |receipt: &Mark| receipt.generation == found.generation;
    if anchored && anchor.is_none() && !receipts.iter().any(|one| kin(&one) && this(one)) {
        return Verdict::Missing;
    }
    Verdict::Fresh
}

/// Judges that there is no store's file: whether one may be made.
pub fn judge_absent(anchor: Option<&Mark>, receipts: &[Mark]) -> Verdict {
    let known = anchor.into_iter().chain(receipts);
    // Generations of unlike lineages can't be compared; which one is named matters little here.
    known
        .max_by_key(|known| known.at)
        .map_or(Verdict::Fresh, |known| Verdict::Gone { known: *known })
}

impl Verdict {
    /// Lets a fresh copy pass. `found` is what was judged, `None` where there was no copy.
    ///
    /// # Errors
    /// The one that fits the verdict.
    pub fn refuse(self, found: Option<&Mark>) -> Result<(), Error> {
        let found = found.map_or_else(|| "unknown".to_owned(), Mark::when);
        Err(match self {
            Self::Fresh => return Ok(()),
            Self::RolledBack { commits, newest } => Error::RolledBack {
                commits,
                found,
                newest: newest.when(),
            },
            Self::Forked { known } => Error::Forked {
                found,
                known: known.when(),
            },
            Self::Replaced { known } => Error::Replaced {
                found,
                known: known.when(),
            },
            Self::Gone { known } => Error::Gone {
                known: known.when(),
            },
            Self::Missing => Error::AnchorMissing { found },
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    const FILE: [u8; 16] = [1; 16];

    fn mark(lineage: u8, generation: u64, at: u64) -> Mark {
        Mark {
            file: FILE,
            lineage: [lineage; 16],
            generation,
            at,
        }
    }

    /// Every commit that a store ever had, in order. Some are made on an older copy, accepted.
    fn history() -> impl Strategy<Value = Vec<Mark>> {
        let step = (any::<Index>(), 0_u8..8, 0_u64..3);
        proptest::collection::vec(step, 1..60).prop_map(|steps| {
            let mut commits = vec![mark(0, 1, 1000)];
            for (older, accepts, seconds) in steps {
                let last = *commits.last().unwrap();
                // The accepting commit is younger by the clock, as an operator takes their time.
                let next = if accepts == 0 {
                    let base = older.get(&commits);
                    mark(last.lineage[0] + 1, base.generation + 1, last.at + 1)
                } else {
                    mark(last.lineage[0], last.generation + 1, last.at + seconds)
                };
                commits.push(next);
            }
            commits
        })
    }

    proptest! {
        #[test]
        fn the_newest_copy_always_passes(
            commits in history(),
            lag in any::<Index>(),
            backups in proptest::collection::vec(any::<Index>(), 0..5),
            anchored in any::<bool>(),
        ) {
            let last = commits.last().unwrap();
            // What a power cut takes of the anchor makes it older, within one lineage: it is
            // settled when an older copy is accepted.
            let course: Vec<_> = commits.iter().filter(|one| one.lineage == last.lineage).collect();
            let anchor = lag.get(&course);
            let receipts: Vec<Mark> = backups.iter().map(|backup| *backup.get(&commits)).collect();
            prop_assert_eq!(judge(last, Some(anchor), &receipts, anchored), Verdict::Fresh);
        }

        #[test]
        fn no_older_copy_ever_passes(
            commits in history(),
            older in any::<Index>(),
            backups in proptest::collection::vec(any::<Index>(), 0..5),
            by_receipt in any::<bool>(),
            anchored in any::<bool>(),
        ) {
            let (last, past) = commits.split_last().unwrap();
            prop_assume!(!past.is_empty());
            let found = older.get(past);
            let mut receipts: Vec<Mark> = backups.iter().map(|backup| *backup.get(&commits)).collect();
            let anchor = if by_receipt {
                receipts.push(*last);
                None
            } else {
                Some(last)
            };
            let verdict = judge(found, anchor, &receipts, anchored);
            prop_assert_ne!(verdict, Verdict::Fresh);
            prop_assert!(verdict.refuse(Some(found)).is_err());
            if let Verdict::RolledBack { commits, newest } = verdict {
                prop_assert_eq!(newest.lineage, found.lineage);
                prop_assert_eq!(newest.generation - found.generation, commits);
            }
        }

        #[test]
        fn with_nothing_known_only_a_store_never_anchored_passes(found in 0_u64.., at in 0_u64..) {
            let found = mark(0, found, at);
            prop_assert_eq!(judge(&found, None, &[], false), Verdict::Fresh);
            prop_assert_eq!(judge(&found, None, &[], true), Verdict::Missing);
        }
    }

    #[test]
    fn it_is_told_how_much_is_missing_and_from_when() {
        let (found, newest) = (mark(0, 1000, 1_795_183_380), mark(0, 1214, 1_795_356_180));
        let verdict = judge(&found, Some(&newest), &[], true);
        assert_eq!(
            verdict,
            Verdict::RolledBack {
                commits: 214,
                newest
            }
        );
        let said = verdict.refuse(Some(&found)).unwrap_err().to_string();
        for words in [
            "214 commits older",
            "Fri, 20 Nov 2026 14:03:00 GMT",
            "Sun, 22 Nov 2026 14:03:00 GMT",
            "put the newer file back",
            "casemate store accept",
        ] {
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn a_receipt_stands_in_for_a_missing_anchor_only_for_its_own_commit() {
        let found = mark(0, 100, 50);
        let verdict = |generation| judge(&found, None, &[mark(0, generation, 40)], true);
        assert_eq!(verdict(100), Verdict::Fresh);
        assert_eq!(verdict(99), Verdict::Missing);
        assert!(matches!(
            verdict(101),
            Verdict::RolledBack { commits: 1, .. }
        ));
    }

    #[test]
    fn another_store_is_told_from_an_older_one() {
        let known = mark(0, 5, 5);
        let other = Mark {
            file: [2; 16],
            ..mark(0, 9, 9)
        };
        assert_eq!(
            judge(&other, Some(&known), &[], false),
            Verdict::Replaced { known }
        );
        assert_eq!(
            judge(&other, None, &[known], false),
            Verdict::Replaced { known }
        );
    }

    #[test]
    fn a_store_that_is_gone_is_not_made_anew() {
        let known = mark(0, 5, 5);
        assert_eq!(judge_absent(None, &[]), Verdict::Fresh);
        assert_eq!(judge_absent(Some(&known), &[]), Verdict::Gone { known });
        assert_eq!(
            judge_absent(None, &[mark(0, 4, 4), known]),
            Verdict::Gone { known }
        );
    }
}
