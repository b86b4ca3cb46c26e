//! Tables of bytes to bytes, and how their entries are walked.

use std::ops::Bound;
use std::sync::Arc;

use crate::error::Error;
use crate::opening::Definition;
use crate::subject::{Form, KeyTable, Place, Subject, SubjectKeys, parse};

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

    /// Erasures whose keys are to be destroyed, by subject.
    pub(crate) const ERASURES: Self = Self("casemate.erasures");
    /// The latest subject.
    pub(crate) const SUBJECTS: Self = Self("casemate.subjects");

    pub(crate) const fn definition(self) -> Definition {
        Definition::new(self.0)
    }
}

const OWN: &[u8] = b"casemate.";

/// A key and its value.
pub type Record = (Vec<u8>, Vec<u8>);

/// The entries of a range in key order; [`Iterator::rev`] gives them from the end. Records of
/// erased subjects are left out.
pub struct Entries<'a> {
    range: Option<redb::Range<'a, &'static [u8], &'static [u8]>>,
    opener: Opener,
}

impl<'a> Entries<'a> {
    pub(crate) fn new(
        range: Option<redb::Range<'a, &'static [u8], &'static [u8]>>,
        opener: Opener,
    ) -> Self {
        Self { range, opener }
    }

    fn find(
        &mut self,
        mut step: impl FnMut(
            &mut redb::Range<'a, &'static [u8], &'static [u8]>,
        ) -> Option<Result<(Guard<'a>, Guard<'a>), redb::StorageError>>,
    ) -> Option<Result<Record, Error>> {
        loop {
            let (key, value) = match step(self.range.as_mut()?)? {
                Ok(entry) => entry,
                Err(error) => return Some(Err(Error::engine(error))),
            };
            match self.opener.open(key.value(), value.value()) {
                Ok(None) => {}
                Ok(Some(value)) => return Some(Ok((key.value().to_vec(), value))),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.find(Iterator::next)
    }
}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.find(DoubleEndedIterator::next_back)
    }
}

type Guard<'a> = redb::AccessGuard<'a, &'static [u8]>;

/// Opens the values of one table, keeping the keys of the last subject for the next value.
pub(crate) struct Opener {
    key_table: Arc<KeyTable>,
    table: Table,
    last: Option<SubjectKeys>,
}

impl Opener {
    pub(crate) fn new(key_table: &Arc<KeyTable>, table: Table) -> Self {
        Self {
            key_table: Arc::clone(key_table),
            table,
            last: None,
        }
    }

    /// A stored value in the clear, or `None` where its subject was erased.
    pub(crate) fn open(&mut self, key: &[u8], stored: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let sealed = match form(stored)? {
            Form::Plain(value) => return Ok(Some(value.to_vec())),
            Form::Sealed(sealed) => sealed,
        };
        let subject = sealed.number;
        let last = self.last.take();
        self.last = match last.filter(|last| last.number() == subject) {
            Some(last) if self.key_table.has(subject) => Some(last),
            _ => self.key_table.keys(subject),
        };
        let Some(keys) = &self.last else {
            return Ok(None);
        };
        let place = Place {
            file: self.key_table.file(),
            table: self.table.0,
            key,
        };
        keys.open(place, &sealed)
            .map(Some)
            .map_err(|_| Error::DamagedRecord { subject })
    }

    /// Whom a stored value is sealed for, unless for no one or someone who was erased.
    pub(crate) fn subject(&self, stored: &[u8]) -> Result<Option<Subject>, Error> {
        match form(stored)? {
            Form::Sealed(sealed) if self.key_table.has(sealed.number) => {
                Ok(Some(Subject(sealed.number)))
            }
            _ => Ok(None),
        }
    }
}

fn form(stored: &[u8]) -> Result<Form<'_>, Error> {
    parse(stored).map_err(|_| Error::Inconsistent("a value of an unknown kind".into()))
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
