//! Fingerprints of inputs: what has the same one need not be made again.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

use crate::failure::{Outcome, While};

/// A fingerprint in the making. It guards against stale caches, not against attackers.
#[derive(Default)]
pub(crate) struct Fingerprint(DefaultHasher);

impl Fingerprint {
    /// Adds one piece; where it ends counts, so that "ab" + "c" differs from "a" + "bc".
    pub(crate) fn add(mut self, piece: impl AsRef<[u8]>) -> Self {
        let piece = piece.as_ref();
        self.0.write_usize(piece.len());
        self.0.write(piece);
        self
    }

    /// The fingerprint as 16 hexadecimal digits.
    pub(crate) fn finish(&self) -> String {
        format!("{:016x}", self.0.finish())
    }
}

/// The files below `dir`, by their place in it; none if there is no such directory.
pub(crate) fn files_below(dir: &Path) -> Outcome<BTreeMap<PathBuf, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(place) = open.pop() {
        let path = dir.join(&place);
        if !path.exists() {
            continue;
        }
        let failed = || format!("{} could not be read", path.display());
        for entry in fs::read_dir(&path).during(failed())? {
            let entry = entry.during(failed())?;
            let place = place.join(entry.file_name());
            if entry.file_type().during(failed())?.is_dir() {
                open.push(place);
            } else {
                found.insert(place, entry.path());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(pieces: &[Vec<u8>]) -> String {
        pieces
            .iter()
            .fold(Fingerprint::default(), Fingerprint::add)
            .finish()
    }

    proptest! {
        #[test]
        fn other_pieces_give_another_fingerprint(
            one in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..4),
            two in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..4),
        ) {
            prop_assert_eq!(one == two, of(&one) == of(&two));
        }
    }

    #[test]
    fn files_are_found_at_any_depth_by_their_place() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/one"), "").unwrap();
        fs::write(dir.path().join("two"), "").unwrap();
        let places: Vec<_> = files_below(dir.path()).unwrap().into_keys().collect();
        assert_eq!(places, [PathBuf::from("a/b/one"), PathBuf::from("two")]);
    }

    #[test]
    fn a_missing_directory_is_empty() {
        assert!(
            files_below(Path::new("/nonexistent/casemate"))
                .unwrap()
                .is_empty()
        );
    }
}
