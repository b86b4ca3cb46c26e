//! redb on a vault: one opening of the store, and opening it anew after a failure.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{Database, TableDefinition};
use secret::Key;

use crate::backend::{Backend, Shared};
use crate::compact::watched;
use crate::error::Error;
use crate::medium::Medium;
use crate::recover::recover;
use crate::store::Options;
use crate::superblock::Superblock;
use crate::vault::Vault;
use crate::view::{Newest, View};
use crate::watch::Watch;

/// Longest store in bytes (256 MiB) that is read whole when it is opened after a crash. That takes
/// about half a second; each commit takes a fifth less.
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
    writable: bool,
}

impl Opening {
    fn new(
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

    fn superblock(&self) -> MutexGuard<'_, Superblock> {
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

    fn compact(&mut self, written: &dyn Fn() -> u64, watch: &mut Watch<'_>) -> Result<(), Error> {
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
    fn retire(&self) {
        self.backend.retire();
    }
}

/// The store's present opening. Failures end openings, never the store.
pub(crate) struct Engine {
    medium: Arc<dyn Medium>,
    key: Mutex<Key>,
    options: Options,
    present: Mutex<Option<Arc<Opening>>>,
}

impl Engine {
    /// Opens the formatted store on `medium`.
    pub(crate) fn open(
        medium: Arc<dyn Medium>,
        key: &Key,
        mut options: Options,
    ) -> Result<Self, Error> {
        let opening = Opening::new(Arc::clone(&medium), key, &options, None)?;
        // It was for this copy. What a failing disk loses later is not accepted unasked.
        options.accept_rollback = false;
        Ok(Self {
            medium,
            key: Mutex::new(key.clone()),
            options,
            present: Mutex::new(Some(Arc::new(opening))),
        })
    }

    /// Opens the store only to look at it: nothing on `medium` is changed.
    pub(crate) fn look(
        medium: Arc<dyn Medium>,
        key: &Key,
        options: Options,
    ) -> Result<Self, Error> {
        let opening = Opening::new(Arc::clone(&medium), key, &options, Some(Error::ReadOnly))?;
        Ok(Self {
            medium,
            key: Mutex::new(key.clone()),
            options,
            present: Mutex::new(Some(Arc::new(opening))),
        })
    }

    /// The present opening; a new one where the last has ended. Where the file cannot be written,
    /// as on a full disk, one that only reads.
    pub(crate) fn present(&self) -> Result<Arc<Opening>, Error> {
        let mut present = self.lock();
        if let Some(opening) = present.as_ref() {
            return Ok(Arc::clone(opening));
        }
        let opening = self.reopen().or_else(|error| self.freeze(error))?;
        Ok(Arc::clone(present.insert(opening)))
    }

    /// The present opening, or a new one, that can be written.
    pub(crate) fn writable(&self) -> Result<Arc<Opening>, Error> {
        let mut present = self.lock();
        if let Some(opening) = present.take_if(|opening| !opening.writable) {
            opening.retire();
        }
        if let Some(opening) = present.as_ref() {
            return Ok(Arc::clone(opening));
        }
        let opening = self.reopen()?;
        Ok(Arc::clone(present.insert(opening)))
    }

    fn reopen(&self) -> Result<Arc<Opening>, Error> {
        Opening::new(Arc::clone(&self.medium), &self.key(), &self.options, None)
            .map(Arc::new)
            .inspect(|_| tracing::info!("the store is open again"))
            .inspect_err(|error| tracing::error!("the store cannot be opened again: {error}"))
    }

    fn freeze(&self, error: Error) -> Result<Arc<Opening>, Error> {
        if !matches!(error, Error::NoSpace | Error::Io { .. }) {
            return Err(error);
        }
        let medium = Arc::clone(&self.medium);
        let opening = Opening::new(medium, &self.key(), &self.options, Some(error))?;
        tracing::warn!("the store can be read, and not written for the present");
        Ok(Arc::new(opening))
    }

    /// Makes the file as short as its content allows. Nobody may be reading or writing. `written`
    /// tells how many bytes were written to the medium, for `watch`.
    pub(crate) fn compact(
        &mut self,
        written: &dyn Fn() -> u64,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let mut opening = self.writable()?;
        self.lock().take();
        let only = Arc::get_mut(&mut opening).ok_or(Error::Interrupted)?;
        only.compact(written, watch)
    }

    /// Makes what the anchor knows durable.
    pub(crate) fn settle_anchor(&self) {
        if let Some(anchor) = &self.options.anchor
            && let Err(error) = anchor.settle()
        {
            tracing::warn!("an older copy of the store might go unnoticed: {error}");
        }
    }

    /// The credential key that opens the store.
    pub(crate) fn key(&self) -> Key {
        let key = self.key.lock();
        key.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Wraps the data keys under `key`, which alone opens the store from then on.
    pub(crate) fn rekey(&self, key: &Key) -> Result<(), Error> {
        let opening = self.writable()?;
        let mut superblock = opening.superblock();
        let anchored_with = |key: &Key| {
            let anchor = self.options.anchor.as_ref();
            anchor.map_or(Ok(()), |anchor| anchor.rekey(key))
        };
        anchored_with(key)?;
        opening
            .backend
            .run(|vault| vault.rekey(&mut superblock, key))
            .inspect_err(|_| {
                if let Err(error) = anchored_with(&self.key()) {
                    tracing::warn!("the anchor is sealed with the key that was refused: {error}");
                }
            })?;
        *self.key.lock().unwrap_or_else(PoisonError::into_inner) = key.clone();
        Ok(())
    }

    /// Makes a new data key for what is written from now on.
    pub(crate) fn renew(&self) -> Result<(), Error> {
        let opening = self.writable()?;
        let mut superblock = opening.superblock();
        let key = self.key();
        opening
            .backend
            .run(|vault| vault.renew(&mut superblock, &key))
    }

    /// Whether blocks are still sealed with older data keys.
    pub(crate) fn is_renewing(&self) -> bool {
        let present = self.lock().clone();
        present.is_some_and(|opening| opening.writable && opening.superblock().keys.len() > 1)
    }

    /// Seals some blocks anew. Not while a transaction is under way.
    pub(crate) fn renew_step(&self) -> Result<bool, Error> {
        let opening = self.writable()?;
        let mut superblock = opening.superblock();
        let key = self.key();
        let done = opening
            .backend
            .run(|vault| vault.renew_step(&mut superblock, &key));
        drop(superblock);
        done.inspect_err(|_| self.retire(&opening))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Opening>>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends `opening` after a failure, so that the next call opens the store anew
    /// from what is on the disk.
    pub(crate) fn retire(&self, opening: &Arc<Opening>) {
        opening.retire();
        let mut present = self.lock();
        if present
            .as_ref()
            .is_some_and(|present| Arc::ptr_eq(present, opening))
        {
            *present = None;
            if let Some(error) = opening.failure() {
                tracing::warn!("the store failed; opening it again: {error}");
            }
        }
    }
}
