//! Reading in a snapshot.

use std::ops::RangeBounds;
use std::sync::Arc;

use redb::ReadableTableMetadata;

use crate::error::Error;
use crate::subject::{KeyTable, Subject};
use crate::table::{Entries, Opener, Record, Table, after_prefix, prefix_bounds};
use crate::view::View;

/// A snapshot: it shows the last durable commit at the time that it was taken, whatever is
/// written meanwhile. Only what is erased meanwhile goes from it too.
pub struct ReadTx {
    view: Arc<View>,
    key_table: Arc<KeyTable>,
}

impl ReadTx {
    pub(crate) fn new(view: Arc<View>, key_table: &Arc<KeyTable>) -> Self {
        Self {
            view,
            key_table: Arc::clone(key_table),
        }
    }

    /// The value of `key`; none where it was stored for a subject that was erased.
    ///
    /// # Errors
    /// As all reads: where the file cannot be read, or was damaged or tampered with.
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let mut opener = Opener::new(&self.key_table, table);
        let found = self.found(table, key, |stored| opener.open(key, stored))?;
        Ok(found.flatten())
    }

    /// Whom the value of `key` was stored for; `None` where for no one, or where there is none.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn subject_of(&self, table: Table, key: &[u8]) -> Result<Option<Subject>, Error> {
        let opener = Opener::new(&self.key_table, table);
        let found = self.found(table, key, |stored| opener.subject(stored))?;
        Ok(found.flatten())
    }

    /// The value of a key that was hidden ([`WriteTx::put_hidden`](crate::WriteTx::put_hidden)).
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn get_hidden(
        &self,
        subject: Subject,
        table: Table,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, Error> {
        self.key_table
            .find_hidden(subject, table.0, key, |hidden| self.get(table, hidden))
    }

    /// What `operation` makes of the stored value of `key`, if there is one.
    fn found<T>(
        &self,
        table: Table,
        key: &[u8],
        operation: impl FnOnce(&[u8]) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let Some(table) = self.view.table(table)? else {
            return Ok(None);
        };
        let stored = table.get(key).map_err(Error::engine)?;
        stored.map(|stored| operation(stored.value())).transpose()
    }

    /// The entries whose keys lie within `bounds`.
    ///
    /// # Errors
    /// As [`Self::get`]; each entry may fail too.
    pub fn range<'k>(
        &self,
        table: Table,
        bounds: impl RangeBounds<&'k [u8]>,
    ) -> Result<Entries<'static>, Error> {
        let opener = Opener::new(&self.key_table, table);
        let Some(table) = self.view.table(table)? else {
            return Ok(Entries::new(None, opener));
        };
        let bounds = (bounds.start_bound().cloned(), bounds.end_bound().cloned());
        let range = table.range::<&[u8]>(bounds).map_err(Error::engine)?;
        Ok(Entries::new(Some(range), opener))
    }

    /// The entries whose keys begin with `prefix`.
    ///
    /// # Errors
    /// As [`Self::range`].
    pub fn prefix(&self, table: Table, prefix: &[u8]) -> Result<Entries<'static>, Error> {
        let after = after_prefix(prefix);
        self.range(table, prefix_bounds(prefix, after.as_ref()))
    }

    /// How many entries the table has; takes no longer for a large one. Where the store was put
    /// back to an earlier state, this counts records of subjects erased since, which nothing shows.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn count(&self, table: Table) -> Result<u64, Error> {
        self.view
            .table(table)?
            .map_or(Ok(0), |table| table.len().map_err(Error::engine))
    }

    /// The entry with the greatest key.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn last(&self, table: Table) -> Result<Option<Record>, Error> {
        self.range(table, ..)?.next_back().transpose()
    }
}
