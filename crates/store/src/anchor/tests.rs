//! The file anchor on a real disk, with the contents that a power cut may leave.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use secret::Key;

use super::{Anchor, FileAnchor, judge};
use crate::anchor::Verdict;
use crate::error::Error;
use crate::mark::Mark;

const SECTOR: usize = 512;

fn mark(generation: u64) -> Mark {
    Mark {
        file: [1; 16],
        lineage: [2; 16],
        generation,
        at: 1000 + generation,
    }
}

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

fn anchor(path: &Path) -> FileAnchor {
    FileAnchor::new(path, &key(5)).unwrap()
}

fn read(path: &Path) -> Result<Option<Mark>, Error> {
    anchor(path).read(&[1; 16])
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("anchor");
    (folder, path)
}

#[test]
fn it_remembers_over_openings() {
    let (folder, path) = place();
    assert_eq!(read(&path).unwrap(), None);
    assert!(!path.exists(), "reading makes no file");
    anchor(&path).advance(&mark(1)).unwrap();
    assert_eq!(read(&path).unwrap(), Some(mark(1)));
    let one = anchor(&path);
    for generation in 2..10 {
        one.advance(&mark(generation)).unwrap();
        if generation % 3 == 0 {
            one.settle().unwrap();
        }
        assert_eq!(read(&path).unwrap(), Some(mark(generation)));
    }
    let data = fs::metadata(&path).unwrap();
    assert_eq!(
        (data.permissions().mode() & 0o7777, data.len()),
        (0o600, 4608)
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn it_takes_an_older_mark_that_was_accepted() {
    let (_folder, path) = place();
    anchor(&path).advance(&mark(9)).unwrap();
    let forked = Mark {
        lineage: [3; 16],
        ..mark(4)
    };
    anchor(&path).advance(&forked).unwrap();
    assert_eq!(read(&path).unwrap(), Some(forked));
}

#[test]
fn what_an_interrupted_making_left_is_replaced() {
    let (folder, path) = place();
    fs::write(folder.path().join("anchor.new"), "half").unwrap();
    anchor(&path).advance(&mark(1)).unwrap();
    assert_eq!(read(&path).unwrap(), Some(mark(1)));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_wrong_key_and_damage_are_told_and_can_be_overwritten() {
    let (_folder, path) = place();
    anchor(&path).advance(&mark(9)).unwrap();
    let other = FileAnchor::new(&path, &key(6)).unwrap();
    assert!(matches!(other.read(&[1; 16]), Err(Error::AnchorKey)));
    assert_eq!(read(&path).unwrap(), Some(mark(9)), "reading harms nothing");
    other.advance(&mark(10)).unwrap();
    other.settle().unwrap();
    assert_eq!(other.read(&[1; 16]).unwrap(), Some(mark(10)));

    fs::write(&path, [0xff; 4608]).unwrap();
    assert!(matches!(read(&path), Err(Error::AnchorDamaged)));
    let mended = anchor(&path);
    mended.advance(&mark(11)).unwrap();
    mended.settle().unwrap();
    mended.advance(&mark(12)).unwrap();
    assert_eq!(read(&path).unwrap(), Some(mark(12)));
}

#[test]
fn an_emptied_file_is_a_missing_anchor() {
    let (_folder, path) = place();
    anchor(&path).advance(&mark(9)).unwrap();
    for bytes in [&[][..], &[0; 4608]] {
        fs::write(&path, bytes).unwrap();
        let found = read(&path).unwrap();
        assert_eq!(judge(&mark(9), found.as_ref(), &[], true), Verdict::Missing);
    }
}

#[test]
fn while_the_key_changes_either_opens_it() {
    let (_folder, path) = place();
    let former = anchor(&path);
    former.advance(&mark(1)).unwrap();
    former.advance(&mark(2)).unwrap();
    former.rekey(&key(6)).unwrap();
    let next = FileAnchor::new(&path, &key(6)).unwrap();
    // The machine may end here, before the store itself has changed over or after.
    assert_eq!(read(&path).unwrap(), Some(mark(2)));
    assert_eq!(next.read(&[1; 16]).unwrap(), Some(mark(2)));
    // And the store may fail to change over.
    former.rekey(&key(5)).unwrap();
    assert_eq!(read(&path).unwrap(), Some(mark(2)));
    former.rekey(&key(6)).unwrap();
    for generation in 3..6 {
        former.advance(&mark(generation)).unwrap();
        former.settle().unwrap();
        assert_eq!(next.read(&[1; 16]).unwrap(), Some(mark(generation)));
    }
    assert!(matches!(read(&path), Err(Error::AnchorKey)));
    // Where there is nothing to seal anew there is no file.
    let (_folder, path) = place();
    anchor(&path).rekey(&key(6)).unwrap();
    assert!(!path.exists());
}

#[test]
fn a_file_made_by_root_belongs_to_the_folders_owner() {
    let (folder, path) = place();
    if !rustix::process::geteuid().is_root() {
        return;
    }
    std::os::unix::fs::chown(folder.path(), Some(61_234), Some(61_235)).unwrap();
    anchor(&path).advance(&mark(1)).unwrap();
    let data = fs::metadata(&path).unwrap();
    assert_eq!((data.uid(), data.gid()), (61_234, 61_235));
}

#[test]
fn a_folder_that_is_not_there_is_named_as_the_trouble() {
    let (folder, _) = place();
    let path = folder.path().join("absent/anchor");
    let error = anchor(&path).advance(&mark(1)).unwrap_err().to_string();
    assert!(error.starts_with("making the anchor failed"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Each step is a number of commits and whether the machine ends after them, with every sector
    /// written since the last sync old, new or torn.
    #[test]
    fn no_power_cut_loses_what_was_settled(
        steps in proptest::collection::vec((0_u64..4, any::<bool>(), 0_u8..3), 1..20)
    ) {
        let (_folder, path) = place();
        let mut one = anchor(&path);
        one.advance(&mark(1)).unwrap();
        let (mut generation, mut settled, mut durable) = (1, 1, fs::read(&path).unwrap());
        for (commits, cut, outcome) in steps {
            for _ in 0..commits {
                generation += 1;
                one.advance(&mark(generation)).unwrap();
            }
            let written = fs::read(&path).unwrap();
            let dirty: Vec<_> = (0..written.len()).step_by(SECTOR)
                .filter(|at| written[*at..at + SECTOR] != durable[*at..at + SECTOR])
                .collect();
            prop_assert!(dirty.len() <= 1, "both slots are at risk: {:?}", dirty);
            if cut {
                let mut left = written;
                for at in dirty {
                    match outcome {
                        0 => left[at..at + SECTOR].copy_from_slice(&durable[at..at + SECTOR]),
                        1 => left[at + SECTOR / 3..at + SECTOR].fill(0x5a),
                        _ => {}
                    }
                }
                fs::write(&path, &left).unwrap();
                one = anchor(&path);
                let found = one.read(&[1; 16]).unwrap().unwrap().generation;
                prop_assert!((settled..=generation).contains(&found), "{} of {}..={}", found, settled, generation);
                generation = found;
            } else {
                one.settle().unwrap();
            }
            settled = generation;
            durable = fs::read(&path).unwrap();
        }
    }
}
