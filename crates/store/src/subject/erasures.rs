//! Erasing a subject, in an order that a power cut at any moment does not harm.
//!
//! 1. One commit removes the records and puts a mark into the table of erasures.
//! 2. The key is destroyed in the key table, both slots of it, durably. Only then is the erasure
//!    acknowledged.
//! 3. A later commit removes the mark.
//!
//! Marks that are found on opening had not come to step 3: step 2 is repeated before anything is
//! served.

use std::sync::Arc;

use super::Subject;
use super::key_table::KeyTable;
use crate::engine::Engine;
use crate::error::Error;
use crate::read::ReadTx;
use crate::table::Table;
use crate::write::WriteTx;

/// The erasures that are under way. Kept by the writer.
#[derive(Debug, Default)]
pub(crate) struct Erasures {
    /// Those whose key is destroyed, and whose mark has not been removed.
    settled: Vec<Subject>,
    /// Whether there may be marks whose key is not destroyed.
    open: bool,
}

impl Erasures {
    /// Those that an earlier process left, finished.
    pub(crate) fn resume(engine: &Engine, key_table: &Arc<KeyTable>) -> Result<Self, Error> {
        let mut erasures = Self::default();
        erasures.note();
        erasures.settle(engine, key_table)?;
        Ok(erasures)
    }

    /// Notes that marks may be on the disk whose keys are not destroyed.
    pub(crate) fn note(&mut self) {
        self.open = true;
    }

    /// Whether [`Self::settle`] has anything to do.
    pub(crate) const fn is_open(&self) -> bool {
        self.open
    }

    /// Destroys the keys of all that is marked on the disk, durably.
    pub(crate) fn settle(
        &mut self,
        engine: &Engine,
        key_table: &Arc<KeyTable>,
    ) -> Result<(), Error> {
        let marked = ReadTx::new(engine.present()?.view()?, key_table)
            .range(Table::ERASURES, ..)?
            .map(|entry| Subject::from_key(&entry?.0))
            .collect::<Result<Vec<_>, _>>()?;
        key_table.erase(&marked)?;
        self.settled = marked;
        self.open = false;
        Ok(())
    }

    /// Takes the marks of what is settled away, as part of a commit that happens anyway.
    pub(crate) fn unmark(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        for subject in &self.settled {
            if !tx.is_erased(*subject) {
                tx.remove(Table::ERASURES, &subject.key())?;
            }
        }
        Ok(())
    }

    /// Notes that the marks are gone from the disk.
    pub(crate) fn unmarked(&mut self) {
        self.settled.clear();
    }
}
