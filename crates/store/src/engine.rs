//! The store's present opening, and opening it anew after a failure.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secret::Key;

use crate::error::Error;
use crate::medium::Medium;
use crate::opening::Opening;
use crate::options::Options;
use crate::watch::Watch;

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
            .backend()
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
            .backend()
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
            .backend()
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
