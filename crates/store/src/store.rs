//! The store as its users hold it.

mod keys;

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use secret::Key;
use tokio::sync::mpsc;

use crate::anchor::admit_new;
use crate::engine::Engine;
use crate::error::{Error, WriteError};
use crate::file::{DiskFile, Nascent};
use crate::held::Held;
use crate::job::{self, Job};
use crate::mark::Mark;
use crate::medium::Medium;
use crate::options::Options;
use crate::read::ReadTx;
use crate::recover;
use crate::snapshot::stream;
use crate::subject::{self, Beside, KeyTable, Shelf, Subject};
use crate::watch::Watch;
use crate::write::WriteTx;
use crate::writer;

/// Writes that may wait for the writer; more wait for their place in the queue.
const QUEUE_WRITES: usize = 1024;
/// Times that a read is tried where failures of the file end the opening under it.
const READ_ATTEMPTS: u32 = 3;

/// An encrypted, transactional store in one file. Clones share it; when the last goes, the writes
/// that wait are finished and the file is closed, which blocks for as long as that takes.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Arc<Engine>,
    key_table: Arc<KeyTable>,
    /// `None` only while dropping.
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    writer: Option<JoinHandle<()>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store at `path` with the key that it was made with, or makes it (mode 0600).
    /// The key table of its subjects is the file `path` with `.keys` added; it comes into being
    /// with the first subject.
    ///
    /// Blocks for the time of a few disk accesses, after a crash too.
    ///
    /// # Errors
    /// [`Error::WrongKey`], [`Error::Foreign`], [`Error::Unsupported`], [`Error::Truncated`],
    /// [`Error::DamagedSuperblock`], [`Error::DamagedHeader`], [`Error::Damaged`],
    /// [`Error::InUse`] where another process has it open, [`Error::NoSpace`], [`Error::Io`].
    /// Where [`Options::anchor`] or [`Options::receipts`] know better: [`Error::RolledBack`],
    /// [`Error::Forked`], [`Error::Replaced`], [`Error::Gone`], [`Error::AnchorMissing`],
    /// [`Error::AnchorDamaged`], [`Error::AnchorKey`], [`Error::AnchorUnsupported`],
    /// [`Error::AnchorPutBack`], [`Error::CounterMissing`], [`Error::CounterForeign`].
    /// Of the key table: [`Error::KeysMissing`], [`Error::KeysDamaged`], [`Error::KeysWrongKey`],
    /// [`Error::KeysOfAnother`], [`Error::KeysUnsupported`].
    pub fn open(path: &Path, key: &Key, options: Options) -> Result<Self, Error> {
        let shelf = Box::new(Beside::store(path));
        let give_up = options.give_subjects_up;
        if let Some(file) = DiskFile::open(path)? {
            let engine = Engine::open(Arc::new(file), key, options)?;
            return Self::start_with(engine, shelf, give_up);
        }
        if !options.create {
            let error = std::io::ErrorKind::NotFound.into();
            return Err(Error::io("opening the store", error));
        }
        admit_new(&options)?;
        let (nascent, file) = Nascent::create(path)?;
        let file: Arc<dyn Medium> = Arc::new(file);
        // A power cut must leave no anchor of a store that has no name.
        let unanchored = Options {
            anchor: None,
            receipts: Vec::new(),
            ..options.clone()
        };
        let engine = Self::make(Arc::clone(&file), key, unanchored)?;
        // A key table that is in its way belongs to another store.
        subject::open(&engine, Box::new(Beside::store(path)), give_up)?;
        drop(engine);
        nascent.publish(path)?;
        Self::start_with(Engine::open(file, key, options)?, shelf, give_up)
    }

    /// Makes a store on an empty medium.
    pub(crate) fn make(
        medium: Arc<dyn Medium>,
        key: &Key,
        options: Options,
    ) -> Result<Engine, Error> {
        recover::format(&medium, key)?;
        Engine::open(medium, key, options)
    }

    /// Opens the key table, finishes erasures that were under way, and starts the writer.
    pub(crate) fn start_with(
        engine: Engine,
        shelf: Box<dyn Shelf>,
        give_up: bool,
    ) -> Result<Self, Error> {
        let (key_table, erasures) = subject::open(&engine, shelf, give_up)?;
        let engine = Arc::new(engine);
        let (sender, receiver) = mpsc::channel(QUEUE_WRITES);
        let of_writer = (Arc::clone(&engine), Arc::clone(&key_table));
        let writer = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer::run(&of_writer.0, &of_writer.1, erasures, receiver))
            .map_err(|error| Error::io("starting the store's writer", error))?;
        let inner = Inner {
            engine,
            key_table,
            queue: Some(sender),
            writer: Some(writer),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Reads in a snapshot of the last durable commit. Writers and readers do not wait for each
    /// other. `read` runs again where a failure of the file ended the snapshot under it.
    ///
    /// Blocks for disk accesses where the pages are not cached.
    ///
    /// # Errors
    /// What `read` returns; [`Error::Damaged`] where what it reads was damaged or tampered with;
    /// [`Error::Io`].
    pub fn read<R>(&self, read: impl Fn(&ReadTx) -> Result<R, Error>) -> Result<R, Error> {
        let engine = &self.inner.engine;
        let mut attempt = 1;
        loop {
            let opening = engine.present()?;
            let result = opening
                .view()
                .and_then(|view| read(&ReadTx::new(view, &self.inner.key_table)));
            if opening.failure().is_none() {
                return result;
            }
            engine.retire(&opening);
            match result {
                Err(Error::Interrupted | Error::Io { .. }) if attempt < READ_ATTEMPTS => {
                    attempt += 1;
                }
                result => return result.map_err(|error| opening.explain(error)),
            }
        }
    }

    /// Names the newest durable commit.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn mark(&self) -> Result<Mark, Error> {
        let opening = self.inner.engine.present()?;
        opening.backend().look(|vault| Ok(vault.mark()))
    }

    /// Writes the newest durable commit to `out` as a snapshot stream: all of it, or what changed
    /// since `base`, the mark of an earlier one. Reads and writes go on meanwhile, and the file
    /// grows by what they write until this returns the snapshot's mark.
    ///
    /// Blocks for as long as `out` takes it. Holds 1 MiB in memory.
    ///
    /// # Errors
    /// [`Error::Snapshot`] where `out` fails or `base` is not a commit of this store's history;
    /// [`Error::Stopped`] where `watch` says so; [`Error::Damaged`] for a block that does not
    /// open; [`Error::Interrupted`] where a failure of the file ended this view of it. What `out`
    /// has got is then of no use.
    pub fn snapshot(
        &self,
        base: Option<&Mark>,
        out: &mut dyn Write,
        watch: &mut Watch<'_>,
    ) -> Result<Mark, Error> {
        let held = Held::take(self.inner.engine.present()?)?;
        stream(&held, base, out, watch)
    }

    /// Changes the store in a transaction, and returns once the changes are durable.
    ///
    /// The closures of all callers run one after the other on one thread, and those that wait at
    /// the same time share one commit, so they are to be quick and never to wait. Where `write`
    /// returns an error nothing of it is kept, and the others' changes are. If the returned
    /// future is dropped the write may happen all the same.
    ///
    /// # Errors
    /// [`WriteError::Refused`] with the closure's own error; [`WriteError::Store`] where nothing
    /// was stored because the file failed, such as [`Error::NoSpace`]: the store goes on, and the
    /// write can be repeated.
    pub async fn write<R, E, F>(&self, write: F) -> Result<R, WriteError<E>>
    where
        F: FnOnce(&mut WriteTx<'_>) -> Result<R, E> + Send + 'static,
        R: Send + 'static,
        E: Send + 'static,
    {
        let closed = || WriteError::Store(Error::Closed);
        let queue = self.inner.queue.as_ref().ok_or_else(closed)?;
        let (job, answer) = job::job(write);
        queue.send(job).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Erases a subject: `remove` takes its records away, and all that was ever sealed for it
    /// becomes unreadable, in free pages of the file and in every earlier copy of it as well.
    /// Returns once that is durable. What `remove` leaves reads as absent too, and takes up space.
    ///
    /// # Errors
    /// As [`Self::write`]; and [`Error::EraseUnfinished`] where the records were removed and the
    /// key table failed: erase again. [`Error::KeysFull`] where nothing was erased. Erasing again
    /// what is erased does no harm.
    pub async fn erase<R, E, F>(&self, subject: Subject, remove: F) -> Result<R, WriteError<E>>
    where
        F: FnOnce(&mut WriteTx<'_>) -> Result<R, E> + Send + 'static,
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.write(move |tx| {
            let removed = remove(tx)?;
            tx.erase(subject)?;
            Ok(removed)
        })
        .await
    }
}

#[cfg(any(test, fuzzing))]
impl Store {
    /// Starts the writer of a store that has no subjects.
    pub(crate) fn start(engine: Engine) -> Result<Self, Error> {
        Self::start_with(engine, Box::new(subject::Nowhere), false)
    }
}

#[cfg(test)]
impl Store {
    pub(crate) fn key_table(&self) -> &KeyTable {
        &self.inner.key_table
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take()
            // A closure may have held the last clone.
            && writer.thread().id() != std::thread::current().id()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer ended in a panic");
        }
    }
}
