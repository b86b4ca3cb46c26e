//! One opening of the store: redb on a vault.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{Database, TableDefinition};
use secret::Key;

use crate::backend::{Backend, Shared};
use crate::compact::watched;
use crate::error::Error;
use crate::medium::Medium;
use crate::options::Options;
use crate::recover::recover;
use crate::superblock::Superblock;
use crate::vault::Vault;
use crate::view::{Newest, View};
use crate::watch::Watch;

/// Longest store in bytes (256 MiB) that is read whole when it is opened after a crash. That took
/// 1.2 to 1.6 s for a file of 140 MiB and 2.4 to 3.0 s for one of 270 MiB, less than half of it
/// computing (two cores of an AMD EPYC, a virtual disk that others used too); a longer store opened
/// in 0.1 to 0.2 s. In return each commit writes less: a longer store made a tenth fewer where a
/// sync took 4 ms, and a third fewer in memory.
const REPAIR_BYTES_MAX: u64 = 256 << 20;

/// Key-value bytes as the engine types them.
pub(crate) type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// One opening of the store. After a failure it is replaced by the next.
pub(crate) struct Opening {
    /// Goes before the database whose transaction it holds.
    newest: Newest,
    database: Database,
    backend: Arc<Backend>,
    superblock: Mutex<Superblock>,
    pub(crate) writable: bool,
}

impl Opening {
    pub(crate) fn new(
        medium: Arc<dyn Medium>,
        key: &Key,
        options: &Options,
        frozen: Option<Error>,
    ) -> Result<Self, Error> {
        let writable = frozen.is_none();
        let mut found = recover(medium, key, writable, options.accept_rollback)?;
        found.admit(options, writable)?;
        let forked = found.forked;
        let superblock = Mutex::new(found.superblock.clone());
        let vault = Vault::new(found, options.anchor.clone(), frozen);
        if forked {
            // Before anything else is: were the anchor to know of it first, no copy would be right.
            vault.sync()?;
            if let Some(anchor) = &options.anchor {
                // Once more, since a commit does not depend on it, and this does.
                anchor.advance(&vault.mark())?;
                anchor.settle()?;
            }
        }
        let backend = Arc::new(Backend::new(vault));
        let database = redb::Builder::new()
            .set_cache_size(options.cache_bytes)
            .create_with_backend(Shared(Arc::clone(&backend)))
            .map_err(|error| {
                let cause = backend.failure().cloned();
                cause.unwrap_or(Error::engine(error))
            })?;
        backend.run(Vault::born)?;
        Ok(Self {
            newest: Newest::default(),
            database,
            backend,
            superblock,
            writable,
        })
    }

    /// The newest commit.
    pub(crate) fn view(&self) -> Result<Arc<View>, Error> {
        self.newest.view(&self.database)
    }

    pub(crate) fn begin_write(&self) -> Result<redb::WriteTransaction, Error> {
        let mut transaction = self.database.begin_write().map_err(Error::engine)?;
        // With two phases, which cost one sync here (`Vault::expect_commit`), the engine need
        // not check what it finds after a crash. With quick repair it need not even look which of
        // its pages are in use, for some pages more with every commit.
        transaction.set_two_phase_commit(true);
        transaction.set_quick_repair(self.backend.vault().bytes() > REPAIR_BYTES_MAX);
        Ok(transaction)
    }

    /// Transactions that were ever committed to the store, as the disk has it.
    pub(crate) fn commits(&self) -> u64 {
        self.backend.vault().lock().root.commits
    }

    /// Commits `transaction`, as that number; it is durable then.
    pub(crate) fn commit(
        &self,
        transaction: redb::WriteTransaction,
        number: u64,
    ) -> Result<(), Error> {
        self.backend.vault().expect_commit(number);
        transaction.commit().map_err(Error::engine)?;
        let finished = self.backend.run(Vault::finish);
        self.newest.overtake();
        finished
    }

    pub(crate) fn superblock(&self) -> MutexGuard<'_, Superblock> {
        self.superblock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What the vault is, for reading.
    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The failure that ended this opening, if one has.
    pub(crate) fn failure(&self) -> Option<&Error> {
        self.backend.failure()
    }

    /// The error behind `error`, where an earlier failure is.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match (error, self.failure()) {
            (Error::Interrupted, Some(cause)) => cause.clone(),
            (error, _) => error,
        }
    }

    pub(crate) fn compact(
        &mut self,
        written: &dyn Fn() -> u64,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        self.newest.overtake();
        let database = &mut self.database;
        let pack = || {
            while database.compact().map_err(Error::engine)? {}
            Ok(())
        };
        watched(&self.backend, pack, written, watch)?;
        // It stops between two commits, which is no failure: the store is closed as it should be.
        let mut stopped = false;
        self.backend.run(|vault| match vault.shorten(watch) {
            Err(Error::Stopped) => {
                stopped = true;
                Ok(())
            }
            other => other,
        })?;
        if stopped { Err(Error::Stopped) } else { Ok(()) }
    }

    /// Lets no operation through any more, once those under way have ended.
    pub(crate) fn retire(&self) {
        self.backend.retire();
    }
}
