//! redb on a vault: one opening of the store, and opening it anew after a failure.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use redb::{Database, ReadableDatabase, StorageBackend, TableDefinition};
use secret::Key;

use crate::error::Error;
use crate::medium::Medium;
use crate::store::Options;
use crate::vault::Vault;

/// Key-value bytes as the engine types them.
pub(crate) type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// The engine's view of a vault. The first failure is kept, and ends the vault's use.
struct Backend {
    vault: Vault,
    /// True until retired; held shared by every operation, so that retiring waits for them.
    alive: RwLock<bool>,
    failure: OnceLock<Error>,
}

impl Backend {
    fn guarded<T>(&self, operation: impl FnOnce(&Vault) -> Result<T, Error>) -> io::Result<T> {
        let alive = self.alive.read().unwrap_or_else(PoisonError::into_inner);
        let result = if *alive {
            operation(&self.vault)
        } else {
            Err(Error::Interrupted)
        };
        result.map_err(|error| {
            self.failure.get_or_init(|| error.clone());
            io::Error::other(error)
        })
    }
}

/// A handle that can be given away to redb.
struct Shared(Arc<Backend>);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.vault.fmt(f)
    }
}

impl StorageBackend for Shared {
    fn len(&self) -> io::Result<u64> {
        self.0.guarded(|vault| Ok(vault.bytes()))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.guarded(|vault| vault.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.guarded(|vault| vault.set_bytes(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.guarded(Vault::sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.guarded(|vault| vault.write(offset, data))
    }
}

/// One opening of the store. After a failure it is replaced by the next.
pub(crate) struct Opening {
    database: Database,
    backend: Arc<Backend>,
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
        let backend = Arc::new(Backend {
            vault: Vault::open(medium, key, frozen)?,
            alive: RwLock::new(true),
            failure: OnceLock::new(),
        });
        let database = redb::Builder::new()
            .set_cache_size(options.cache_bytes)
            .create_with_backend(Shared(Arc::clone(&backend)))
            .map_err(|error| {
                backend
                    .failure
                    .get()
                    .cloned()
                    .unwrap_or(Error::engine(error))
            })?;
        Ok(Self {
            database,
            backend,
            writable,
        })
    }

    pub(crate) fn begin_read(&self) -> Result<redb::ReadTransaction, Error> {
        self.database.begin_read().map_err(Error::engine)
    }

    pub(crate) fn begin_write(&self) -> Result<redb::WriteTransaction, Error> {
        let mut transaction = self.database.begin_write().map_err(Error::engine)?;
        // One-phase commits need a repair that reads blocks which a crash may have torn, and
        // quick repair opens after a crash without reading the whole file.
        transaction.set_two_phase_commit(true);
        transaction.set_quick_repair(true);
        Ok(transaction)
    }

    /// The failure that ended this opening, if one has.
    pub(crate) fn failure(&self) -> Option<&Error> {
        self.backend.failure.get()
    }

    /// The error behind `error`, where an earlier failure is.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match (error, self.failure()) {
            (Error::Interrupted, Some(cause)) => cause.clone(),
            (error, _) => error,
        }
    }

    /// Lets no operation through any more, once those under way have ended.
    fn retire(&self) {
        *self
            .backend
            .alive
            .write()
            .unwrap_or_else(PoisonError::into_inner) = false;
        self.backend.failure.get_or_init(|| Error::Interrupted);
    }
}

/// The store's present opening. Failures end openings, never the store.
pub(crate) struct Engine {
    medium: Arc<dyn Medium>,
    key: Key,
    options: Options,
    present: Mutex<Option<Arc<Opening>>>,
}

impl Engine {
    /// Opens the formatted store on `medium`.
    pub(crate) fn open(
        medium: Arc<dyn Medium>,
        key: &Key,
        options: Options,
    ) -> Result<Self, Error> {
        let opening = Opening::new(Arc::clone(&medium), key, &options, None)?;
        Ok(Self {
            medium,
            key: key.clone(),
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
        Opening::new(Arc::clone(&self.medium), &self.key, &self.options, None)
            .map(Arc::new)
            .inspect(|_| tracing::info!("the store is open again"))
            .inspect_err(|error| tracing::error!("the store cannot be opened again: {error}"))
    }

    fn freeze(&self, error: Error) -> Result<Arc<Opening>, Error> {
        if !matches!(error, Error::NoSpace | Error::Io { .. }) {
            return Err(error);
        }
        let medium = Arc::clone(&self.medium);
        let opening = Opening::new(medium, &self.key, &self.options, Some(error))?;
        tracing::warn!("the store can be read, and not written for the present");
        Ok(Arc::new(opening))
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
