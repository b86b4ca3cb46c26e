//! Tables of bytes to bytes, and how their entries are walked.

use std::ops::Bound;

use crate::engine::Definition;
use crate::error::Error;

/// A named table of bytes to bytes, ordered by key. Made as a constant; it comes into being with
/// its first entry, and reads as empty before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table(pub(crate) &'static str);

impl Table {
    /// Names a table. Names that begin with `casemate.` are the store's own, and do not compile
    /// in a constant.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        assert!(!name.is_empty(), "a table needs a name");
        if let Some((start, _)) = name.as_bytes().split_at_checked(OWN.len()) {
            let mut same = true;
            let mut at = 0;
            while at < OWN.len() {
                same = same && start[at] == OWN[at];
                at += 1;
            }
            assert!(!same, "the name is the store's own");
        }
        Self(name)
    }

    /// The store's own count of commits.
    pub(crate) const COMMITS: Self = Self("casemate.commits");

    pub(crate) const fn definition(self) -> Definition {
        Definition::new(self.0)
    }
}

const OWN: &[u8] = b"casemate.";

/// A key and its value.
pub type Record = (Vec<u8>, Vec<u8>);

/// The entries of a range in key order; [`Iterator::rev`] gives them from the end.
pub struct Entries<'a>(pub(crate) Option<redb::Range<'a, &'static [u8], &'static [u8]>>);

impl Iterator for Entries<'_> {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.as_mut()?.next().map(record)
    }
}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.as_mut()?.next_back().map(record)
    }
}

type Guard<'a> = redb::AccessGuard<'a, &'static [u8]>;

fn record(entry: Result<(Guard<'_>, Guard<'_>), redb::StorageError>) -> Result<Record, Error> {
    let (key, value) = entry.map_err(Error::engine)?;
    Ok((key.value().to_vec(), value.value().to_vec()))
}

/// The first key after all that begin with `prefix`, or none where there is no such key.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut after = prefix[..=last].to_vec();
    after[last] = after[last].wrapping_add(1);
    Some(after)
}

pub(crate) fn prefix_bounds<'a>(
    prefix: &'a [u8],
    after: Option<&'a Vec<u8>>,
) -> (Bound<&'a [u8]>, Bound<&'a [u8]>) {
    let upper = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.as_slice()));
    (Bound::Included(prefix), upper)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_prefix_holds_exactly_its_keys(
            prefix in proptest::collection::vec(250_u8.., 0..3),
            key in proptest::collection::vec(250_u8.., 0..4),
        ) {
            let after = after_prefix(&prefix);
            let within = key >= prefix && after.is_none_or(|after| key < after);
            prop_assert_eq!(within, key.starts_with(&prefix));
        }
    }
}
