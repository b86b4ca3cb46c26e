//! Reading in a snapshot.

use std::ops::RangeBounds;
use std::sync::Arc;

use redb::ReadableTableMetadata;

use crate::error::Error;
use crate::table::{Entries, Record, Table, after_prefix, prefix_bounds};
use crate::view::View;

/// A snapshot: it shows the last durable commit at the time that it was taken, whatever is
/// written meanwhile.
pub struct ReadTx(pub(crate) Arc<View>);

impl ReadTx {
    /// The value of `key`.
    ///
    /// # Errors
    /// As all reads: where the file cannot be read, or was damaged or tampered with.
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let Some(table) = self.0.table(table)? else {
            return Ok(None);
        };
        let value = table.get(key).map_err(Error::engine)?;
        Ok(value.map(|value| value.value().to_vec()))
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
        let Some(table) = self.0.table(table)? else {
            return Ok(Entries(None));
        };
        let bounds = (bounds.start_bound().cloned(), bounds.end_bound().cloned());
        Ok(Entries(Some(
            table.range::<&[u8]>(bounds).map_err(Error::engine)?,
        )))
    }

    /// The entries whose keys begin with `prefix`.
    ///
    /// # Errors
    /// As [`Self::range`].
    pub fn prefix(&self, table: Table, prefix: &[u8]) -> Result<Entries<'static>, Error> {
        let after = after_prefix(prefix);
        self.range(table, prefix_bounds(prefix, after.as_ref()))
    }

    /// How many entries the table has; takes no longer for a large one.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn count(&self, table: Table) -> Result<u64, Error> {
        self.0
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
