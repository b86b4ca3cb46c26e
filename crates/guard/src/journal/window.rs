//! Parts of a file that were read.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use super::format::Header;

/// Most that is read of the file at a time, in bytes. An entry and what it alone has lie next to each other.
const WINDOW_BYTES: usize = 64 * 1024;

/// What is read of what lies before the first entry that is read, in bytes: its fields are written before it.
const BEFORE_BYTES: usize = WINDOW_BYTES / 2;

/// What is read at once of a field that an earlier entry had first, in bytes: mostly it is all of it.
const FIELD_BYTES: u64 = 256;

/// What is read beyond where the last object begins, in bytes. Beyond it the file holds room for later ones.
const LAST_BYTES: u64 = 1024;

/// The parts of a file that are read beside each other, each with calls of its own.
#[derive(Debug, Default)]
pub(super) struct Windows {
    arrays: Window,
    /// What is new, in the order of the file.
    new: Window,
    /// What new entries share with those that were read before.
    old: Window,
    /// Where the entry ended that was read last: what the next one alone has lies behind it.
    behind: u64,
}

impl Windows {
    /// Forgets what was read: it may have been written meanwhile.
    pub(super) fn clear(&mut self) {
        for window in [&mut self.arrays, &mut self.new, &mut self.old] {
            window.filled = 0;
        }
    }

    /// An entry was read that ends there.
    pub(super) const fn is_read(&mut self, end: u64) {
        self.behind = end;
    }

    /// Whether an object was there before the entry that is read now.
    pub(super) const fn is_old(&self, at: u64) -> bool {
        at < self.behind
    }

    /// A part of an array; `more` bytes behind it are to be read too.
    pub(super) fn array(
        &mut self,
        file: &File,
        at: u64,
        length: usize,
        more: u64,
    ) -> io::Result<Option<&[u8]>> {
        let around = at..at.saturating_add(more);
        self.arrays.bytes(file, at, length, around)
    }

    /// A part of an object. What lies behind the entry that was read last is read together, from there on.
    pub(super) fn object(
        &mut self,
        file: &File,
        header: &Header,
        at: u64,
        length: usize,
    ) -> io::Result<Option<&[u8]>> {
        if self.is_old(at) {
            let around = at..at.saturating_add(FIELD_BYTES);
            return self.old.bytes(file, at, length, around);
        }
        let from = at.saturating_sub(BEFORE_BYTES as u64).max(self.behind);
        let to = header.last_object.saturating_add(LAST_BYTES);
        self.new.bytes(file, at, length, from..to)
    }
}

/// A part of a file that was read.
#[derive(Debug, Default)]
struct Window {
    /// Room, of which the first `filled` bytes were read.
    bytes: Vec<u8>,
    filled: usize,
    at: u64,
}

impl Window {
    /// Bytes of the file; none where it is not as long. Where they are not there yet, all of `around` that there is
    /// room for is read with them.
    ///
    /// # Errors
    /// Where the file cannot be read.
    fn bytes(
        &mut self,
        file: &File,
        at: u64,
        length: usize,
        around: Range<u64>,
    ) -> io::Result<Option<&[u8]>> {
        if self.range(at, length).is_none() {
            let from = around.start.min(at);
            let to = around.end.max(at.saturating_add(length as u64));
            let most = WINDOW_BYTES.max(length.saturating_add(BEFORE_BYTES));
            let room = usize::try_from(to.saturating_sub(from)).unwrap_or(most);
            self.fill(file, from, room.min(most))?;
        }
        let range = self.range(at, length);
        Ok(range.and_then(|range| self.bytes.get(range)))
    }

    fn range(&self, at: u64, length: usize) -> Option<Range<usize>> {
        let from = usize::try_from(at.checked_sub(self.at)?).ok()?;
        let to = from.checked_add(length)?;
        (to <= self.filled).then_some(from..to)
    }

    fn fill(&mut self, file: &File, at: u64, length: usize) -> io::Result<()> {
        self.at = at;
        self.filled = 0;
        if self.bytes.len() < length {
            self.bytes.resize(length, 0);
        }
        while let Some(rest) = self
            .bytes
            .get_mut(self.filled..length)
            .filter(|rest| !rest.is_empty())
        {
            match file.read_at(rest, self.at.saturating_add(self.filled as u64)) {
                Ok(0) => break,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.filled = 0;
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
