//! The newest commit as readers share it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use redb::{Database, ReadTransaction, ReadableDatabase, TableError, TableHandle as _};

use crate::error::Error;
use crate::table::Table;

/// A table in a snapshot.
pub(crate) type ReadTable = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A snapshot with the tables that were opened in it. Beginning a transaction and finding a table
/// takes longer than reading from it, so readers of one commit share both.
pub(crate) struct View {
    transaction: ReadTransaction,
    tables: RwLock<HashMap<&'static str, Arc<ReadTable>>>,
}

impl View {
    fn new(database: &Database) -> Result<Self, Error> {
        Ok(Self {
            transaction: database.begin_read().map_err(Error::engine)?,
            tables: RwLock::default(),
        })
    }

    /// The table, or `None` where it has no entry yet.
    pub(crate) fn table(&self, table: Table) -> Result<Option<Arc<ReadTable>>, Error> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = tables.get(table.0) {
            return Ok(Some(Arc::clone(open)));
        }
        drop(tables);
        let open = match self.transaction.open_table(table.definition()) {
            Ok(open) => Arc::new(open),
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(Error::engine(error)),
        };
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        tables.insert(table.0, Arc::clone(&open));
        Ok(Some(open))
    }
}

impl View {
    /// Every table that there is, the store's own among them.
    pub(crate) fn tables(&self) -> Result<Vec<ReadTable>, Error> {
        let handles = self.transaction.list_tables().map_err(Error::engine)?;
        let open = |handle: redb::UntypedTableHandle| {
            let definition = redb::TableDefinition::new(handle.name());
            self.transaction.open_table(definition)
        };
        handles
            .map(|handle| open(handle).map_err(Error::engine))
            .collect()
    }
}

/// The view of the newest commit, made by the first who reads it.
#[derive(Default)]
pub(crate) struct Newest(Mutex<Slot>);

#[derive(Default)]
struct Slot {
    /// Counts commits, so that a view which was overtaken while it was made is not kept.
    commits: u64,
    view: Option<Arc<View>>,
}

impl Newest {
    fn with<T>(&self, act: impl FnOnce(&mut Slot) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn view(&self, database: &Database) -> Result<Arc<View>, Error> {
        let (commits, view) = self.with(|slot| (slot.commits, slot.view.clone()));
        if let Some(view) = view {
            return Ok(view);
        }
        let view = Arc::new(View::new(database)?);
        self.with(|slot| {
            if slot.commits == commits {
                slot.view = Some(Arc::clone(&view));
            }
        });
        Ok(view)
    }

    /// Lets readers see the commit that was just made.
    pub(crate) fn overtake(&self) {
        let old = self.with(|slot| {
            slot.commits += 1;
            slot.view.take()
        });
        drop(old);
    }
}
