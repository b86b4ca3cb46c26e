//! The store's file: mode 0600, locked, and under its own name only once it can be opened.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Advice, CWD, RenameFlags};
use rustix::io::Errno;

use crate::error::Error;
use crate::medium::Medium;
use crate::random;

/// Only the owner reads and writes.
const MODE: u32 = 0o600;

/// A locked file.
#[derive(Debug)]
pub(crate) struct DiskFile {
    file: File,
    /// Whether a sync has failed since the cache was last dropped.
    doubtful: AtomicBool,
}

impl DiskFile {
    fn new(file: File) -> Self {
        Self {
            file,
            doubtful: AtomicBool::new(false),
        }
    }
}

impl DiskFile {
    /// Opens and locks the file at `path`, or `None` where there is none.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, Error> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("opening the store", error)),
        };
        lock(&file)?;
        Ok(Some(Self::new(file)))
    }
}

impl DiskFile {
    /// Copies what comes next of `other` behind what was copied before, `bytes` at most, and
    /// shares it where the file system can. Returns how much it was; 0 at the end.
    pub(crate) fn take_over(&self, other: &Self, bytes: u64) -> Result<u64, Error> {
        io::copy(&mut (&other.file).take(bytes), &mut &self.file)
            .map_err(|error| Error::io("copying the store", error))
    }
}

fn lock(file: &File) -> Result<(), Error> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::InUse),
        Err(TryLockError::Error(error)) => Err(Error::io("locking the store", error)),
    }
}

/// A file that is being made under a temporary name, and is removed unless published.
#[derive(Debug)]
pub(crate) struct Nascent {
    temporary: PathBuf,
    published: bool,
}

impl Nascent {
    /// Makes and locks a new file beside `path`.
    pub(crate) fn create(path: &Path) -> Result<(Self, DiskFile), Error> {
        let random = u64::from_le_bytes(random::bytes()?);
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{random:016x}.new"));
        let temporary = path.with_file_name(name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(&temporary)
            .map_err(|error| Error::io("creating the store", error))?;
        let nascent = Self {
            temporary,
            published: false,
        };
        lock(&file)?;
        Ok((nascent, DiskFile::new(file)))
    }

    /// Gives the file its name, durably. Never replaces: where another process was faster, its
    /// store stays and this is [`Error::InUse`].
    pub(crate) fn publish(mut self, path: &Path) -> Result<(), Error> {
        match rename_without_replacing(&self.temporary, path) {
            Ok(()) => self.published = true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(Error::InUse),
            Err(error) => return Err(Error::io("naming the new store", error)),
        }
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| Error::io("making the new store's name durable", error))
    }
}

/// renameat2(2) with `RENAME_NOREPLACE`, or link(2) and unlink(2) on file systems without it.
fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)
        }
        other => Ok(other?),
    }
}

impl Drop for Nascent {
    fn drop(&mut self) {
        if !self.published
            && let Err(error) = std::fs::remove_file(&self.temporary)
        {
            tracing::warn!("an unfinished store, without content, could not be removed: {error}");
        }
    }
}

impl Medium for DiskFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.file
            .sync_data()
            .inspect_err(|_| self.doubtful.store(true, Ordering::Release))
    }

    fn forget(&self) -> io::Result<()> {
        match rustix::fs::fadvise(&self.file, 0, None, Advice::DontNeed) {
            Ok(()) => self.doubtful.store(false, Ordering::Release),
            // A filter that forbids the call does no harm as long as every sync has succeeded.
            Err(Errno::PERM | Errno::NOSYS) if !self.doubtful.load(Ordering::Acquire) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(())
    }
}
