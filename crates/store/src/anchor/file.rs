//! An anchor in a small file of its own, to be kept in another folder than the store.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::geteuid;
use secret::Key;
use tpm::Count;

use super::Anchor;
use super::count::compare;
use super::record::{RECORD_BYTES, Record, Seal};
use super::slots::{Held, newest};
use crate::error::Error;
use crate::mark::{MARK_ID_BYTES, Mark};
use crate::random;

/// Only the owner reads and writes.
const MODE: u32 = 0o600;
/// File offsets of the two slots: a page apart, so that writing one never rewrites the other.
const SLOTS_AT: [u64; 2] = [0, 4096];

/// An [`Anchor`] in a file, sealed with a key that comes of the store's. The file is made when a
/// mark is first advanced; its folder has to be there.
///
/// It tells an older copy from the newest as long as no one puts back the anchor together with it.
/// After a power cut it may be older than the store by what was advanced since it last settled.
///
/// Where the machine has a TPM, the anchor is bound to a counter there ([`Self::counted`]), and one
/// that is put back is refused as well.
#[derive(Debug)]
pub struct FileAnchor {
    path: PathBuf,
    /// What the TPM's counter said before this opening.
    read: Option<Count>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    seal: Seal,
    /// `None` until it has been read or made.
    file: Option<File>,
    /// The newest record's sequence number.
    sequence: u64,
    /// The newest record, where one is known.
    newest: Option<Record>,
    /// The slot whose record is durable, which is not written until the other one is too.
    stable: u8,
    /// Whether the other slot was written since.
    ahead: bool,
}

impl FileAnchor {
    /// The anchor at `path` of a store with the credential key `key`. Touches no file.
    ///
    /// # Errors
    /// None in practice; [`Error::AnchorKey`] where no key could be derived.
    pub fn new(path: &Path, key: &Key) -> Result<Self, Error> {
        let state = State {
            seal: Seal::new(key)?,
            file: None,
            sequence: 0,
            newest: None,
            stable: 0,
            ahead: false,
        };
        Ok(Self {
            path: path.into(),
            read: None,
            state: Mutex::new(state),
        })
    }

    /// As [`Self::new`], bound to a counter of the TPM of which `read` is the value, if there is
    /// one. The anchor is then [`Error::AnchorPutBack`] where the counter has gone past it, and
    /// [`Error::CounterMissing`] or [`Error::CounterForeign`] where it is bound to one and that is
    /// not the one given. Once the store serves, the counter is to move to [`Count::next`]; until
    /// then the opening counts as one that failed.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn counted(path: &Path, key: &Key, read: Option<Count>) -> Result<Self, Error> {
        let anchor = Self::new(path, key)?;
        Ok(Self { read, ..anchor })
    }

    /// What this opening notes of the counter.
    fn counter(&self) -> Option<Count> {
        self.read.map(Count::next)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the file with `mark` in it, durably: it is there whole or not at all.
    fn make(&self, state: &mut State, mark: &Mark) -> Result<(), Error> {
        let failed = |error| Error::io("making the anchor", error);
        let mut name = self.path.file_name().unwrap_or_default().to_os_string();
        name.push(".new");
        let unfinished = self.path.with_file_name(name);
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(&unfinished)
            .map_err(failed)?;
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        give_to_owner(&file, folder).map_err(failed)?;
        let record = Record {
            sequence: 1,
            mark: *mark,
            counter: self.counter(),
        };
        // Both slots, so that the file never grows again and no disk is too full for it.
        write(&file, &state.seal, &record, 0)?;
        write(&file, &state.seal, &record, 1)?;
        sync(&file)?;
        fs::rename(&unfinished, &self.path).map_err(failed)?;
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed)?;
        state.file = Some(file);
        state.sequence = record.sequence;
        state.newest = Some(record);
        Ok(())
    }
}

impl State {
    /// Reads what is on the disk. Where no record opens it is ready to be overwritten.
    fn load(&mut self, path: &Path) -> Result<Option<Held>, Error> {
        (self.file, self.sequence, self.stable, self.ahead) = (None, 0, 0, false);
        self.newest = None;
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("opening the anchor", error)),
        };
        // What counts is to be durable before anything is written beside it.
        sync(&file)?;
        let slots = [read(&file, SLOTS_AT[0])?, read(&file, SLOTS_AT[1])?];
        self.file = Some(file);
        let [first, second] = &slots;
        let held = newest([self.seal.open(first, 0), self.seal.open(second, 1)])?;
        if let Some(held) = held {
            self.sequence = held.record.sequence;
            self.stable = held.slot;
            self.newest = Some(held.record);
        }
        Ok(held)
    }

    fn settle(&mut self) -> Result<(), Error> {
        if let (Some(file), true) = (&self.file, self.ahead) {
            sync(file)?;
            self.stable = 1 - self.stable;
            self.ahead = false;
        }
        Ok(())
    }
}

impl Anchor for FileAnchor {
    fn read(&self, _file: &[u8; MARK_ID_BYTES]) -> Result<Option<Mark>, Error> {
        let held = self.lock().load(&self.path)?;
        compare(held.and_then(|held| held.record.counter), self.read)?;
        Ok(held.map(|held| held.record.mark))
    }

    fn advance(&self, mark: &Mark) -> Result<(), Error> {
        let mut state = self.lock();
        if state.file.is_none() {
            match state.load(&self.path) {
                Ok(_) => {}
                // Whoever advances a mark has judged what was there, or accepted that it is lost.
                Err(Error::AnchorDamaged | Error::AnchorKey) => {}
                Err(error) => return Err(error),
            }
        }
        let Some(file) = &state.file else {
            return self.make(&mut state, mark);
        };
        let record = Record {
            sequence: state.sequence.saturating_add(1),
            mark: *mark,
            counter: self.counter(),
        };
        write(file, &state.seal, &record, 1 - state.stable)?;
        state.sequence = record.sequence;
        state.newest = Some(record);
        state.ahead = true;
        Ok(())
    }

    fn settle(&self) -> Result<(), Error> {
        self.lock().settle()
    }

    fn open(&self) -> Result<(), Error> {
        let Some(counter) = self.counter() else {
            return Ok(());
        };
        let mut state = self.lock();
        if let Some(newest) = state.newest
            && newest.counter != Some(counter)
            && let Some(file) = &state.file
        {
            let record = Record {
                sequence: newest.sequence.saturating_add(1),
                counter: Some(counter),
                ..newest
            };
            write(file, &state.seal, &record, 1 - state.stable)?;
            state.sequence = record.sequence;
            state.newest = Some(record);
            state.ahead = true;
        }
        state.settle()
    }

    fn rekey(&self, key: &Key) -> Result<(), Error> {
        let mut state = self.lock();
        state.settle()?;
        let seal = Seal::new(key)?;
        if let Some(held) = state.load(&self.path)?
            && let Some(file) = &state.file
        {
            let record = Record {
                sequence: held.record.sequence.saturating_add(1),
                ..held.record
            };
            write(file, &seal, &record, 1 - held.slot)?;
            sync(file)?;
            state.sequence = record.sequence;
            state.newest = Some(record);
            state.stable = 1 - held.slot;
        }
        state.seal = seal;
        Ok(())
    }
}

fn write(file: &File, seal: &Seal, record: &Record, slot: u8) -> Result<(), Error> {
    let bytes = seal.seal(record, slot, random::bytes()?)?;
    file.write_all_at(&bytes, SLOTS_AT[usize::from(slot & 1)])
        .map_err(|error| Error::io("writing the anchor", error))
}

/// It may be an administrator who makes it for a service, whose folder it lies in.
fn give_to_owner(file: &File, folder: &Path) -> io::Result<()> {
    let (file_data, folder_data) = (file.metadata()?, fs::metadata(folder)?);
    if geteuid().is_root() && file_data.uid() != folder_data.uid() {
        fchown(file, Some(folder_data.uid()), Some(folder_data.gid()))?;
    }
    Ok(())
}

fn sync(file: &File) -> Result<(), Error> {
    file.sync_data()
        .map_err(|error| Error::io("making the anchor durable", error))
}

/// A slot's bytes, zeros where the file ends before.
fn read(file: &File, offset: u64) -> Result<[u8; RECORD_BYTES], Error> {
    let mut bytes = [0; RECORD_BYTES];
    match file.read_exact_at(&mut bytes, offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok([0; RECORD_BYTES]),
        Err(error) => Err(Error::io("reading the anchor", error)),
        Ok(()) => Ok(bytes),
    }
}
