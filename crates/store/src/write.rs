//! Changing tables in the transaction under way, and taking a refused write back.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use redb::{ReadableTable, ReadableTableMetadata};

use crate::error::Error;
use crate::subject::{KeyTable, Subject, plain};
use crate::table::{Entries, Opener, Record, Table, after_prefix, prefix_bounds};

/// Longest key in bytes.
pub const KEY_BYTES_MAX: usize = 1024;
/// Longest value in bytes (32 MiB).
pub const VALUE_BYTES_MAX: usize = 32 << 20;

type WriteTable<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;

/// How to take one change back.
struct Undo {
    table: Table,
    key: Vec<u8>,
    before: Option<Vec<u8>>,
}

/// The one transaction under way. It sees its own changes and those of the writes before it that
/// will become durable in the same commit.
pub struct WriteTx<'t> {
    transaction: &'t redb::WriteTransaction,
    tables: BTreeMap<&'static str, WriteTable<'t>>,
    pub(crate) key_table: &'t Arc<KeyTable>,
    undo: Vec<Undo>,
    /// Subjects that the present closure erases.
    pub(crate) erasing: BTreeSet<Subject>,
    /// Subjects that closures before it erase in the same commit.
    erased: BTreeSet<Subject>,
    failure: Option<Error>,
}

impl<'t> WriteTx<'t> {
    pub(crate) const fn new(
        transaction: &'t redb::WriteTransaction,
        key_table: &'t Arc<KeyTable>,
    ) -> Self {
        Self {
            transaction,
            tables: BTreeMap::new(),
            key_table,
            undo: Vec::new(),
            erasing: BTreeSet::new(),
            erased: BTreeSet::new(),
            failure: None,
        }
    }

    /// Runs `operation` on a table, and remembers that the whole commit is lost if it fails.
    fn with<'s, T>(
        &'s mut self,
        table: Table,
        operation: impl FnOnce(&'s mut WriteTable<'t>) -> Result<T, redb::StorageError>,
    ) -> Result<T, Error> {
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        let open = match self.tables.entry(table.0) {
            Entry::Occupied(open) => Ok(open.into_mut()),
            Entry::Vacant(vacant) => self
                .transaction
                .open_table(table.definition())
                .map(|open| vacant.insert(open))
                .map_err(Error::engine),
        };
        let failure = &mut self.failure;
        open.and_then(|open| operation(open).map_err(Error::engine))
            .inspect_err(|error| *failure = Some(error.clone()))
    }

    /// The value of `key`; none where it was stored for a subject that was erased.
    ///
    /// # Errors
    /// Where the file cannot be read, or was damaged or tampered with; the commit then fails.
    pub fn get(&mut self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.stored(table, key)? {
            Some(stored) => self.opener(table).open(key, &stored),
            None => Ok(None),
        }
    }

    /// Sets the value of `key`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] over [`KEY_BYTES_MAX`] or [`VALUE_BYTES_MAX`], which leaves the
    /// transaction usable; else as [`Self::get`], and [`Error::NoSpace`].
    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Error> {
        check_sizes(key, value)?;
        self.store(table, key, &plain(value))
    }

    /// Removes `key`; returns the value that it had.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn remove(&mut self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.discard(table, key)? {
            Some(stored) => self.opener(table).open(key, &stored),
            None => Ok(None),
        }
    }

    pub(crate) fn opener(&self, table: Table) -> Opener {
        Opener::new(self.key_table, table)
    }

    /// The value of `key` as it is stored.
    pub(crate) fn stored(&mut self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.with(table, |open| {
            Ok(open.get(key)?.map(|value| value.value().to_vec()))
        })
    }

    /// Sets the stored value of `key`.
    pub(crate) fn store(&mut self, table: Table, key: &[u8], stored: &[u8]) -> Result<(), Error> {
        let before = self.with(table, |open| {
            Ok(open
                .insert(key, stored)?
                .map(|before| before.value().to_vec()))
        })?;
        self.remember(table, key, before);
        Ok(())
    }

    /// Removes `key`; returns the stored value.
    fn discard(&mut self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let before = self.with(table, |open| {
            Ok(open.remove(key)?.map(|before| before.value().to_vec()))
        })?;
        if before.is_some() {
            self.remember(table, key, before.clone());
        }
        Ok(before)
    }

    /// Removes all entries whose keys begin with `prefix`, those of erased subjects too; returns
    /// how many there were.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn remove_prefix(&mut self, table: Table, prefix: &[u8]) -> Result<u64, Error> {
        let after = after_prefix(prefix);
        let bounds = prefix_bounds(prefix, after.as_ref());
        let keys = self.with(table, |open| {
            let mut keys = Vec::new();
            for entry in open.range::<&[u8]>(bounds)? {
                keys.push(entry?.0.value().to_vec());
            }
            Ok(keys)
        })?;
        for key in &keys {
            self.discard(table, key)?;
        }
        Ok(keys.len() as u64)
    }

    /// The entries whose keys lie within `bounds`.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn range<'s, 'k>(
        &'s mut self,
        table: Table,
        bounds: impl RangeBounds<&'k [u8]>,
    ) -> Result<Entries<'s>, Error> {
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) =
            (bounds.start_bound().cloned(), bounds.end_bound().cloned());
        let opener = self.opener(table);
        self.with(table, move |open| {
            let open: &'s WriteTable<'t> = open;
            Ok(Entries::new(Some(open.range::<&[u8]>(bounds)?), opener))
        })
    }

    /// The entries whose keys begin with `prefix`.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn prefix(&mut self, table: Table, prefix: &[u8]) -> Result<Entries<'_>, Error> {
        let after = after_prefix(prefix);
        self.range(table, prefix_bounds(prefix, after.as_ref()))
    }

    /// How many entries the table has; see [`ReadTx::count`](crate::ReadTx::count).
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn count(&mut self, table: Table) -> Result<u64, Error> {
        self.with(table, |open| open.len())
    }

    /// The entry with the greatest key.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn last(&mut self, table: Table) -> Result<Option<Record>, Error> {
        self.range(table, ..)?.next_back().transpose()
    }

    fn remember(&mut self, table: Table, key: &[u8], before: Option<Vec<u8>>) {
        self.undo.push(Undo {
            table,
            key: key.to_vec(),
            before,
        });
    }

    /// Keeps the changes since the last call of this or [`Self::take_back`]. True if any.
    pub(crate) fn keep(&mut self) -> bool {
        let any = !self.undo.is_empty();
        self.undo.clear();
        self.erased.append(&mut self.erasing);
        any
    }

    /// Whether the subject's key goes with this commit.
    pub(crate) fn is_erased(&self, subject: Subject) -> bool {
        self.erasing.contains(&subject) || self.erased.contains(&subject)
    }

    /// Takes the changes since the last call of this or [`Self::keep`] back.
    pub(crate) fn take_back(&mut self) {
        self.erasing.clear();
        for undo in std::mem::take(&mut self.undo).into_iter().rev() {
            let key = undo.key.as_slice();
            // A failure is kept in `self.failure`, and loses the whole commit.
            let _: Result<(), Error> = self.with(undo.table, |open| {
                match &undo.before {
                    Some(before) => drop(open.insert(key, before.as_slice())?),
                    None => drop(open.remove(key)?),
                }
                Ok(())
            });
        }
    }

    /// The failure that loses this commit, if there was one.
    pub(crate) const fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }
}

/// Holds a record to the limits.
pub(crate) fn check_sizes(key: &[u8], value: &[u8]) -> Result<(), Error> {
    check_size("key", key, KEY_BYTES_MAX)?;
    check_size("value", value, VALUE_BYTES_MAX)
}

fn check_size(what: &'static str, bytes: &[u8], limit: usize) -> Result<(), Error> {
    if bytes.len() > limit {
        return Err(Error::TooLarge {
            what,
            bytes: bytes.len(),
            limit,
        });
    }
    Ok(())
}
