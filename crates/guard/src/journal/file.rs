//! One file of the journal, read from a place on.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use super::format::{ARRAY_BYTES, Array, ENTRY_BYTES, Entry, HEADER_BYTES, Header};
use super::known::Memory;
use super::window::Windows;

/// Links of the chain of arrays that are followed; each is twice as long as the one before.
const ARRAYS_MAX: usize = 4096;

/// Why a file is not read on. What was read of it counted all the same.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The system's word.
    #[error("{0}")]
    System(#[from] io::Error),
    /// Its header is damaged, or of a kind that this release does not know.
    #[error("its header is damaged, or of a kind that is not known here")]
    Header,
    /// It is another machine's.
    #[error("its header says that it is another machine's")]
    Foreign,
    /// What lists its entries ends before they do.
    #[error("the list of its entries is damaged")]
    List,
}

impl Unreadable {
    /// Whether there is no such file.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::System(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Where in a file the next entry is listed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) array: u64,
    pub(super) item: u64,
    pub(super) read: u64,
}

/// One file.
#[derive(Debug)]
pub struct Journal {
    pub(super) file: File,
    pub(super) inode: u64,
    pub(super) header: Header,
    pub(super) place: Place,
    /// The array of [`Place::array`], once it was read.
    pub(super) array: Option<Array>,
    pub(super) parts: Windows,
    pub(super) known: Memory,
    /// Where the fields of the entry are, in room that is used again.
    pub(super) offsets: Vec<u64>,
    pub(super) pam_units: Vec<String>,
}

impl Journal {
    /// Opens a file, before its first entry.
    ///
    /// # Errors
    /// Where it cannot be read, or is no journal of a kind that is known.
    pub fn open(path: &Path, pam_units: &[String]) -> Result<Self, Unreadable> {
        let file = File::open(path)?;
        let inode = file.metadata()?.ino();
        let mut head = [0; HEADER_BYTES];
        file.read_exact_at(&mut head, 0)?;
        let header = Header::read(&head).ok_or(Unreadable::Header)?;
        Ok(Self {
            file,
            inode,
            header,
            place: Place::default(),
            array: None,
            parts: Windows::default(),
            known: Memory::default(),
            offsets: Vec::new(),
            pam_units: pam_units.to_owned(),
        })
    }

    /// The number that tells it from a file that took its name.
    #[must_use]
    pub const fn inode(&self) -> u64 {
        self.inode
    }

    /// What it says of itself.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Looks whether there is more to read.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn refresh(&mut self) -> Result<bool, Unreadable> {
        let mut head = [0; HEADER_BYTES];
        self.file.read_exact_at(&mut head, 0)?;
        let header = Header::read(&head).ok_or(Unreadable::Header)?;
        if header == self.header {
            return Ok(self.place.read < header.entries);
        }
        self.header = header;
        // What they show may have been written meanwhile.
        self.parts.clear();
        Ok(self.place.read < self.header.entries)
    }

    /// Goes to the first entry for which `is_new` holds, or before it: it holds for all after one for which it does.
    /// An entry that is damaged may be new.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn seek(&mut self, is_new: impl Fn(&Entry) -> bool) -> io::Result<()> {
        let (mut place, mut next) = (Place::default(), self.header.first_array);
        let mut length = 0;
        // The last array whose first entry is not new.
        for _ in 0..ARRAYS_MAX {
            let left = self.header.entries.saturating_sub(place.read + length);
            let Some(array) = self.array(next)?.filter(|_| left > 0) else {
                break;
            };
            if self.item(next, 0)?.is_none_or(|entry| is_new(&entry)) {
                break;
            }
            place.read += length;
            (place.array, length) = (next, array.items.min(left));
            next = array.next;
        }
        let (mut low, mut high) = (0, length);
        while low < high {
            let middle = low + (high - low) / 2;
            if self
                .item(place.array, middle)?
                .is_some_and(|entry| !is_new(&entry))
            {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        place.item = low;
        place.read += low;
        (self.place, self.array) = (place, None);
        Ok(())
    }

    pub(super) fn array(&mut self, at: u64) -> io::Result<Option<Array>> {
        if at == 0 {
            return Ok(None);
        }
        let bytes = self.parts.array(&self.file, at, ARRAY_BYTES, 0)?;
        Ok(bytes.and_then(|bytes| Array::read(bytes, &self.header)))
    }

    /// The head of the entry that an array lists.
    fn item(&mut self, array: u64, item: u64) -> io::Result<Option<Entry>> {
        let bytes = self.header.array_item_bytes();
        let at = item_at(array, item, bytes);
        let at = self.parts.array(&self.file, at, bytes, 0)?;
        let Some(at) = at.and_then(|item| self.header.offset(item)) else {
            return Ok(None);
        };
        let bytes = self
            .parts
            .object(&self.file, &self.header, at, ENTRY_BYTES)?;
        Ok(bytes.and_then(|bytes| Entry::read(bytes, &self.header)))
    }
}

pub(super) fn item_at(array: u64, item: u64, bytes: usize) -> u64 {
    array
        .saturating_add(ARRAY_BYTES as u64)
        .saturating_add(item.saturating_mul(bytes as u64))
}
