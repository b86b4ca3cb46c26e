//! What is measured, as the measurements see it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::ours::Ours;
use crate::plain::Plain;
use crate::records::Key;
use crate::sqlite::Sqlite;

/// The result of everything here.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Memory for cached pages in bytes, the same for all: the store's default (16 MiB).
pub(crate) const CACHE_BYTES: usize = store::CACHE_BYTES;

/// One of those that are measured, open on a file of its own.
pub(crate) trait Contender: Sync {
    /// Adds records with [`crate::records::VALUE_BYTES`] in one durable commit.
    fn load(&self, keys: &[Key]) -> Outcome<()>;
    /// Reads records one by one, each in a transaction of its own. The caller gets each value as bytes of its own.
    fn read(&self, keys: &[Key]) -> Outcome<()>;
    /// The same in one transaction for all.
    fn read_together(&self, keys: &[Key]) -> Outcome<()>;
    /// Lets so many writers add small records until `until`, each one durable commit after the other, with keys that
    /// [`crate::records::key`] makes from `first` on. Returns how many commits were made; it is over only with the last.
    fn commit(&self, writers: u32, first: u64, until: Instant) -> Outcome<u64>;
}

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// The store.
    Store,
    /// redb, with what it does by default.
    Redb,
    /// SQLite.
    Sqlite,
    /// SQLCipher.
    Sqlcipher,
}

impl Who {
    /// Everyone.
    pub(crate) const ALL: [Self; 4] = [Self::Store, Self::Redb, Self::Sqlite, Self::Sqlcipher];

    /// What the report and the files call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Redb => "redb",
            Self::Sqlite => "sqlite",
            Self::Sqlcipher => "sqlcipher",
        }
    }

    /// Its file in `folder`; other files beside it begin with the same name.
    pub(crate) fn file(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.data", self.name()))
    }

    /// Opens it on its file in `folder`, or makes that.
    pub(crate) fn open(self, folder: &Path) -> Outcome<Box<dyn Contender>> {
        let file = self.file(folder);
        Ok(match self {
            Self::Store => Box::new(Ours::open(&file)?),
            Self::Redb => Box::new(Plain::open(&file)?),
            Self::Sqlite => Box::new(Sqlite::open(&file, false)?),
            Self::Sqlcipher => Box::new(Sqlite::open(&file, true)?),
        })
    }

    /// Makes its file in `folder`, which is closed, as small as it can be.
    pub(crate) fn compact(self, folder: &Path) -> Outcome<()> {
        let file = self.file(folder);
        match self {
            Self::Store => Ours::compact(&file),
            Self::Redb => Plain::compact(&file),
            Self::Sqlite => Sqlite::compact(&file, false),
            Self::Sqlcipher => Sqlite::compact(&file, true),
        }
    }
}
