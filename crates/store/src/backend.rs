//! What redb sees of a vault.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use redb::StorageBackend;

use crate::error::Error;
use crate::vault::Vault;

/// The engine's view of a vault. The first failure is kept, and ends the vault's use.
pub(crate) struct Backend {
    vault: Vault,
    /// True until retired; held shared by every operation, so that retiring waits for them.
    alive: RwLock<bool>,
    failure: OnceLock<Error>,
}

impl Backend {
    pub(crate) fn new(vault: Vault) -> Self {
        Self {
            vault,
            alive: RwLock::new(true),
            failure: OnceLock::new(),
        }
    }

    pub(crate) const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The failure that ended the vault's use, if one has.
    pub(crate) fn failure(&self) -> Option<&Error> {
        self.failure.get()
    }

    /// Runs `operation` unless the vault's use has ended; its failure ends it.
    pub(crate) fn run<T>(
        &self,
        operation: impl FnOnce(&Vault) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let alive = self.alive.read().unwrap_or_else(PoisonError::into_inner);
        // After a failed sync the next one succeeds without what was lost: the engine's own closing
        // would make that durable, settled, for good.
        let result = if *alive && self.failure.get().is_none() {
            operation(&self.vault)
        } else {
            Err(Error::Interrupted)
        };
        result.inspect_err(|error| {
            // That is a refusal: nothing was begun.
            if !matches!(error, Error::TooManyDataKeys) {
                self.failure.get_or_init(|| error.clone());
            }
        })
    }

    /// As [`Self::run`] for reading from outside the engine, whose failure ends nothing.
    pub(crate) fn look<T>(
        &self,
        operation: impl FnOnce(&Vault) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let alive = self.alive.read().unwrap_or_else(PoisonError::into_inner);
        if *alive {
            operation(&self.vault)
        } else {
            Err(Error::Interrupted)
        }
    }

    /// Lets no operation through any more, once those under way have ended.
    pub(crate) fn retire(&self) {
        *self.alive.write().unwrap_or_else(PoisonError::into_inner) = false;
        self.failure.get_or_init(|| Error::Interrupted);
    }

    fn guarded<T>(&self, operation: impl FnOnce(&Vault) -> Result<T, Error>) -> io::Result<T> {
        self.run(operation).map_err(io::Error::other)
    }
}

/// A handle that can be given away to redb.
pub(crate) struct Shared(pub(crate) Arc<Backend>);

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

    fn close(&self) -> io::Result<()> {
        self.0.guarded(Vault::close)
    }
}
