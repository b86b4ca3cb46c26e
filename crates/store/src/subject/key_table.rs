//! The key table in use: keys for readers, numbers and erasures for the writer.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use secret::Key;
use zeroize::Zeroizing;

use super::Subject;
use super::keyfile::KeyFile;
use super::puncture::{Cover, NODES_MAX, NUMBERS};
use super::record::SubjectKeys;
use super::shelf::Shelf;
use super::slot::SlotKey;
use crate::error::Error;
use crate::random;
use crate::seal::FILE_ID_BYTES;

/// Subject numbers that one write of the key table sets aside. Those left over when the store is
/// closed are not used.
const RESERVE: u64 = 4096;

/// One store's key table.
pub(crate) struct KeyTable {
    file: [u8; FILE_ID_BYTES],
    shelf: Box<dyn Shelf>,
    /// The keys, for readers too: not locked against them while the file is written. `None` until
    /// there is a subject.
    cover: RwLock<Option<Cover>>,
    table: Mutex<Table>,
}

struct Table {
    key: SlotKey,
    /// `None` until there is a subject.
    file: Option<KeyFile>,
    /// The next number to hand out.
    next: u64,
    /// Numbers from this on are not set aside yet.
    reserved: u64,
    /// Whether keys were destroyed that the file may still hold.
    dirty: bool,
    /// Whether the two slots are sealed with two keys, and only opening can tell which one holds.
    between: bool,
}

impl fmt::Debug for KeyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyTable").finish_non_exhaustive()
    }
}

impl KeyTable {
    /// Opens the key table of the store `file`. `highest` is the latest subject that the store
    /// knows of. With `give_up`, a table that is missing is made anew, and all subjects so far
    /// count as erased.
    pub(crate) fn open(
        shelf: Box<dyn Shelf>,
        credential: &Key,
        file: [u8; FILE_ID_BYTES],
        highest: Option<Subject>,
        give_up: bool,
    ) -> Result<Self, Error> {
        let key = slot_key(credential, file)?;
        let used = highest.map_or(0, |highest| highest.0.saturating_add(1));
        let mut table = Table {
            key,
            file: None,
            next: used,
            reserved: used,
            dirty: false,
            between: false,
        };
        let mut cover = None;
        if let Some(medium) = shelf.find()? {
            let (file, content) = KeyFile::open(medium, &table.key)?;
            if content.reserved < used {
                tracing::warn!(
                    "the store's key table is an older copy: what was erased since that copy was made is only removed, erase it again"
                );
            }
            table.file = Some(file);
            table.next = used.max(content.reserved);
            table.reserved = table.next;
            cover = Some(content.cover);
        } else if highest.is_some() && !give_up {
            return Err(Error::KeysMissing);
        }
        let key_table = Self {
            file,
            shelf,
            cover: RwLock::new(cover),
            table: Mutex::new(table),
        };
        if give_up && highest.is_some() {
            let mut table = key_table.lock();
            if table.file.is_none() {
                tracing::warn!("the store's key table is missing: all subjects are given up");
                key_table.make(&mut table)?;
            }
        }
        Ok(key_table)
    }

    /// How many subjects have been erased according to the key table on `shelf`; `None` where there
    /// is none. Changes nothing.
    pub(crate) fn erased(
        shelf: &dyn Shelf,
        credential: &Key,
        file: [u8; FILE_ID_BYTES],
    ) -> Result<Option<u64>, Error> {
        let Some(medium) = shelf.find()? else {
            return Ok(None);
        };
        let content = KeyFile::look(&*medium, &slot_key(credential, file)?)?;
        Ok(Some(content.cover.destroyed()))
    }

    /// The identity of the store.
    pub(crate) const fn file(&self) -> &[u8; FILE_ID_BYTES] {
        &self.file
    }

    /// Whether the subject has not been erased.
    pub(crate) fn has(&self, number: u64) -> bool {
        let cover = self.cover.read().unwrap_or_else(PoisonError::into_inner);
        cover.as_ref().is_some_and(|cover| cover.has(number))
    }

    /// The subject's keys, or `None` where it has been erased.
    pub(crate) fn keys(&self, number: u64) -> Option<SubjectKeys> {
        let cover = self.cover.read().unwrap_or_else(PoisonError::into_inner);
        let key = cover.as_ref()?.derive(number)?;
        drop(cover);
        Some(SubjectKeys::new(number, &key))
    }

    /// What `find` finds under the key that stands for `key` where it is hidden for `subject`.
    /// Nothing where the subject has been erased: no one can make that key any more.
    pub(crate) fn find_hidden<T>(
        &self,
        subject: Subject,
        table: &str,
        key: &[u8],
        find: impl FnOnce(&[u8]) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        self.keys(subject.0)
            .map_or(Ok(None), |keys| find(&keys.hide(table, key)))
    }

    /// A number that was never handed out, and never will be again: that is durable before this
    /// returns.
    pub(crate) fn next(&self) -> Result<Subject, Error> {
        let mut table = self.lock();
        if table.next >= NUMBERS {
            return Err(Error::KeysFull);
        }
        if table.file.is_none() {
            self.make(&mut table)?;
        }
        if table.next >= table.reserved {
            let reserved = table.next.saturating_add(RESERVE).min(NUMBERS);
            self.store(&mut table, reserved)?;
        }
        let number = table.next;
        table.next += 1;
        Ok(Subject(number))
    }

    /// Makes the key table with the first subject. Numbers used before belong to a table that is
    /// lost: their keys are not made again.
    fn make(&self, table: &mut Table) -> Result<(), Error> {
        let mut root = Zeroizing::new([0; secret::KEY_BYTES]);
        random::fill(root.as_mut_slice())?;
        let mut cover = Cover::whole(Box::new(Key::new(*root)));
        if let Some(last) = table.next.checked_sub(1) {
            cover.puncture_range(0, last);
        }
        let reserved = table.next.saturating_add(RESERVE).min(NUMBERS);
        let mut made = None;
        self.shelf.make(&mut |medium| {
            made = Some(KeyFile::make(medium, &table.key, reserved, &cover)?);
            Ok(())
        })?;
        table.file = made;
        table.reserved = reserved;
        *self.cover.write().unwrap_or_else(PoisonError::into_inner) = Some(cover);
        Ok(())
    }

    /// Refuses to erase what was never handed out, or where the table has no room for it.
    pub(crate) fn admit_erasure(&self, subject: Subject) -> Result<(), Error> {
        if subject.0 >= self.lock().next {
            return Err(Error::Inconsistent("a subject of another store".into()));
        }
        let cover = self.cover.read().unwrap_or_else(PoisonError::into_inner);
        match cover.as_ref() {
            Some(cover) if cover.nodes_without(subject.0) > NODES_MAX => Err(Error::KeysFull),
            _ => Ok(()),
        }
    }

    /// Destroys the keys of these subjects, durably. From the moment of the call on their records
    /// read as absent, even where this fails; it is then to be repeated.
    pub(crate) fn erase(&self, subjects: &[Subject]) -> Result<(), Error> {
        let mut table = self.lock();
        let mut cover = self.cover.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(cover) = cover.as_mut() {
            for subject in subjects {
                table.dirty |= cover.puncture(subject.0);
            }
        }
        drop(cover);
        if table.dirty {
            let reserved = table.reserved;
            self.store(&mut table, reserved)?;
        }
        Ok(())
    }

    fn store(&self, table: &mut Table, reserved: u64) -> Result<(), Error> {
        if table.between {
            return Err(Error::Interrupted);
        }
        let cover = self.cover.read().unwrap_or_else(PoisonError::into_inner);
        if let (Some(file), Some(cover)) = (&mut table.file, cover.as_ref()) {
            file.store(&table.key, reserved, cover)?;
            table.reserved = reserved;
            table.dirty = false;
        }
        Ok(())
    }

    /// Seals the table with a key made of another credential key. `between` gives the data file
    /// its new key: meanwhile the table opens with the old key and with the new one. Where it
    /// fails both stay good, and nothing can be changed until the store was opened anew: which of
    /// them the data file has by then decides.
    pub(crate) fn rekey(
        &self,
        credential: &Key,
        between: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let new = slot_key(credential, self.file)?;
        let mut table = self.lock();
        let Table {
            key,
            file,
            reserved,
            dirty,
            between: stuck,
            ..
        } = &mut *table;
        let cover = self.cover.read().unwrap_or_else(PoisonError::into_inner);
        let (Some(file), Some(cover)) = (file.as_mut(), cover.as_ref()) else {
            between()?;
            *key = new;
            return Ok(());
        };
        if *stuck {
            return Err(Error::Interrupted);
        }
        // Both slots hold the present table before one of them changes its key.
        if *dirty {
            file.store(key, *reserved, cover)?;
            *dirty = false;
        }
        file.replace(&new, *reserved, cover)?;
        *stuck = true;
        between()?;
        *stuck = false;
        *key = new;
        // Where this fails the other slot still has the old key; the next change or opening
        // replaces it.
        *dirty = true;
        file.store(key, *reserved, cover)?;
        *dirty = false;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn slot_key(credential: &Key, file: [u8; FILE_ID_BYTES]) -> Result<SlotKey, Error> {
    SlotKey::new(credential, file)
        .map_err(|_| Error::Inconsistent("a key that cannot be derived from".into()))
}
