//! Whose turn it is to change the table: a ban's, before a block list's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::Table;

/// The table, for one at a time.
#[derive(Debug)]
pub struct Turns {
    table: Mutex<Table>,
    waiting: AtomicUsize,
}

impl Turns {
    /// That table.
    #[must_use]
    pub const fn new(table: Table) -> Self {
        Self {
            table: Mutex::new(table),
            waiting: AtomicUsize::new(0),
        }
    }

    /// The next turn. A panic ends the process, so that nothing half done is ever seen.
    pub fn next(&self) -> MutexGuard<'_, Table> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        table
    }

    /// The next turn, if it is now.
    pub fn free(&self) -> Option<MutexGuard<'_, Table>> {
        match self.table.try_lock() {
            Ok(table) => Some(table),
            Err(TryLockError::Poisoned(table)) => Some(table.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// A turn once nobody waits: a mutex alone would give it again and again to the thread that has just had it.
    pub(super) fn last(&self) -> MutexGuard<'_, Table> {
        while self.waiting.load(Ordering::Relaxed) > 0 {
            std::thread::yield_now();
        }
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
