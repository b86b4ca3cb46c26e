//! What an opening does about the anchor: whether the copy that was found may be used.

use super::{Anchor, judge, judge_absent};
use crate::error::Error;
use crate::mark::Mark;
use crate::options::Options;

/// How a copy may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Admitted {
    /// As the newest; there is an anchor that durably says so, or knows of an older one.
    Newest,
    /// As an older one that was accepted: under a new lineage, in a commit that comes before any
    /// other, and after which the anchor is advanced and settled.
    Accepted,
}

/// Lets the copy that was `found` pass, or says what would be lost. To be called on opening,
/// before the first commit: a root that says `anchored` must never be older than its anchor.
///
/// Where `options` name no anchor none is asked for: so a copy can be looked at anywhere. Where the
/// store is not `writable` nothing is accepted, and the anchor stays as it is.
pub(crate) fn admit(
    found: &Mark,
    anchored: bool,
    options: &Options,
    writable: bool,
) -> Result<Admitted, Error> {
    let refused = match judged(found, anchored, options) {
        Ok(known) => {
            if let Some(anchor) = &options.anchor
                && known != Some(*found)
                && writable
            {
                match (advance(&**anchor, found), known) {
                    // An older one does; the next commit will try again.
                    (Err(error), Some(_)) => {
                        tracing::warn!("an older copy of the store might go unnoticed: {error}");
                    }
                    (advanced, _) => advanced?,
                }
            }
            if let Some(anchor) = &options.anchor
                && writable
            {
                anchor.open()?;
            }
            return Ok(Admitted::Newest);
        }
        Err(refused) => refused,
    };
    match refused {
        Error::RolledBack { .. }
        | Error::Forked { .. }
        | Error::Replaced { .. }
        | Error::AnchorMissing { .. }
        | Error::AnchorDamaged
        | Error::AnchorKey
        | Error::AnchorPutBack { .. }
        | Error::CounterMissing
        | Error::CounterForeign
            if options.accept_rollback && writable =>
        {
            tracing::warn!("accepted, as was asked for: {refused}");
            Ok(Admitted::Accepted)
        }
        refused => Err(refused),
    }
}

fn advance(anchor: &dyn Anchor, mark: &Mark) -> Result<(), Error> {
    anchor.advance(mark)?;
    anchor.settle()
}

/// What the anchor knows, where the copy is no older.
fn judged(found: &Mark, anchored: bool, options: &Options) -> Result<Option<Mark>, Error> {
    let anchor = options.anchor.as_deref();
    let known = read(anchor, found.file)?;
    let anchored = anchored && anchor.is_some();
    judge(found, known.as_ref(), &options.receipts, anchored).refuse(Some(found))?;
    Ok(known)
}

/// Lets a new store be made where there is no file, or says what would be lost. The new file is to
/// have its name before it is first anchored.
pub(crate) fn admit_new(options: &Options) -> Result<(), Error> {
    if options.accept_rollback {
        return Ok(());
    }
    let known = read(options.anchor.as_deref(), Default::default())?;
    judge_absent(known.as_ref(), &options.receipts).refuse(None)
}

fn read(anchor: Option<&dyn Anchor>, file: [u8; 16]) -> Result<Option<Mark>, Error> {
    anchor.map_or(Ok(None), |anchor| anchor.read(&file))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use secret::Key;

    use super::*;
    use crate::anchor::FileAnchor;

    fn mark(lineage: u8, generation: u64) -> Mark {
        Mark {
            file: [1; 16],
            lineage: [lineage; 16],
            generation,
            at: generation,
        }
    }

    fn options(path: &Path, accept_rollback: bool) -> Options {
        Options {
            anchor: Some(Arc::new(FileAnchor::new(path, &Key::new([5; 32])).unwrap())),
            accept_rollback,
            ..Options::default()
        }
    }

    /// As an engine does that opens a copy and then commits once.
    fn open(path: &Path, copy: Mark, accept: bool) -> Result<Mark, Error> {
        let options = options(path, accept);
        let lineage = match admit(&copy, copy.generation > 1, &options, true)? {
            Admitted::Newest => copy.lineage[0],
            Admitted::Accepted => copy.lineage[0] + 1,
        };
        let next = mark(lineage, copy.generation + 1);
        let anchor = options.anchor.unwrap();
        anchor.advance(&next)?;
        anchor.settle()?;
        Ok(next)
    }

    #[test]
    fn an_older_copy_is_refused_until_it_is_accepted_and_then_the_other_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anchor");
        admit_new(&options(&path, false)).unwrap();
        let second = open(&path, mark(1, 1), false).unwrap();
        let third = open(&path, second, false).unwrap();
        let refused = open(&path, mark(1, 1), false);
        assert!(matches!(refused, Err(Error::RolledBack { commits: 2, .. })));
        let refused = admit_new(&options(&path, false));
        assert!(matches!(refused, Err(Error::Gone { .. })));
        // Refusing changes nothing.
        let fourth = open(&path, third, false).unwrap();
        let other = open(&path, second, true).unwrap();
        assert_eq!(other, mark(2, 3));
        let refused = open(&path, fourth, false);
        assert!(matches!(refused, Err(Error::Forked { .. })));
        open(&path, other, false).unwrap();
    }

    #[test]
    fn opening_a_store_anchors_it_before_anything_is_committed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anchor");
        let admitted = admit(&mark(1, 7), false, &options(&path, false), true).unwrap();
        assert_eq!(admitted, Admitted::Newest);
        let known = options(&path, false).anchor.unwrap().read(&[1; 16]);
        assert_eq!(known.unwrap(), Some(mark(1, 7)));
    }

    #[test]
    fn what_cannot_be_written_is_judged_and_neither_anchored_nor_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anchor");
        let admitted = admit(&mark(1, 7), false, &options(&path, true), false).unwrap();
        assert_eq!(admitted, Admitted::Newest);
        assert!(!path.exists());
        let refused = admit(&mark(1, 7), true, &options(&path, true), false);
        assert!(matches!(refused, Err(Error::AnchorMissing { .. })));
    }

    #[test]
    fn a_missing_anchor_counts_only_where_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anchor");
        let refused = admit(&mark(1, 7), true, &options(&path, false), true);
        assert!(matches!(refused, Err(Error::AnchorMissing { .. })));
        let unnamed = admit(&mark(1, 7), true, &Options::default(), true).unwrap();
        assert_eq!(unnamed, Admitted::Newest);
        let accepted = admit(&mark(1, 7), true, &options(&path, true), true).unwrap();
        assert_eq!(accepted, Admitted::Accepted);
    }

    #[test]
    fn a_receipt_alone_keeps_an_older_copy_out() {
        let options = Options {
            receipts: vec![mark(1, 9)],
            ..Options::default()
        };
        let refused = admit(&mark(1, 7), false, &options, true);
        assert!(matches!(refused, Err(Error::RolledBack { commits: 2, .. })));
        assert!(matches!(admit_new(&options), Err(Error::Gone { .. })));
    }

    /// Knows a mark, and can take no other.
    #[derive(Debug)]
    struct Stuck(Option<Mark>);

    impl Anchor for Stuck {
        fn read(&self, _file: &[u8; 16]) -> Result<Option<Mark>, Error> {
            Ok(self.0)
        }

        fn advance(&self, _mark: &Mark) -> Result<(), Error> {
            Err(Error::NoSpace)
        }

        fn settle(&self) -> Result<(), Error> {
            Ok(())
        }
    }

    #[test]
    fn an_anchor_that_cannot_be_written_keeps_only_a_store_closed_that_never_had_one() {
        let stuck = |known| Options {
            anchor: Some(Arc::new(Stuck(known))),
            ..Options::default()
        };
        let admitted = admit(&mark(1, 7), true, &stuck(Some(mark(1, 6))), true).unwrap();
        assert_eq!(admitted, Admitted::Newest);
        let refused = admit(&mark(1, 7), false, &stuck(None), true);
        assert!(matches!(refused, Err(Error::NoSpace)));
    }

    #[test]
    fn trouble_with_the_disk_is_not_accepted_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent/anchor");
        let refused = admit(&mark(1, 7), false, &options(&path, true), true);
        assert!(matches!(refused, Err(Error::Io { .. })));
    }
}
