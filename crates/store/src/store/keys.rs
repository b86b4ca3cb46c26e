//! Changing a store's keys while it is in use.

use secret::Key;

use super::Store;
use crate::error::Error;
use crate::job;
use crate::renew::Progress;

impl Store {
    /// Has the store opened by another credential key from now on. Only the superblock is written,
    /// which takes a few disk accesses, however large the store is.
    ///
    /// Whoever has the old key and an old copy of the file can read that copy, and through it what
    /// is still sealed with the data keys of that time: see [`Self::renew`].
    ///
    /// # Errors
    /// As all writes; whether the old key or the new one opens the store is then uncertain.
    pub fn rekey(&self, key: &Key) -> Result<(), Error> {
        let inner = &self.inner;
        inner.key_table.rekey(key, || inner.engine.rekey(key))
    }

    /// Makes a new data key. It seals whatever is written from now on; what is there already is
    /// sealed anew while there is nothing else to write, over restarts too ([`Self::progress`]).
    /// Then the old key is destroyed.
    ///
    /// # Errors
    /// [`Error::TooManyDataKeys`]; else as all writes.
    pub fn renew(&self) -> Result<(), Error> {
        self.inner.engine.renew()?;
        // Wakes the writer, which does the rest.
        let (job, _) = job::job(|_| Ok::<(), Error>(()));
        let queue = self.inner.queue.as_ref().ok_or(Error::Closed)?;
        // A full queue wakes it, too.
        drop(queue.try_send(job));
        Ok(())
    }

    /// How far [`Self::renew`] has come.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn progress(&self) -> Result<Progress, Error> {
        let opening = self.inner.engine.present()?;
        opening.backend().look(|vault| Ok(vault.progress()))
    }
}
