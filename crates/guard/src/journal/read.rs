//! The entries of a file, one after the other.

use std::io;

use super::field::{Fields, Name, VALUE_BYTES};
use super::file::{Journal, Unreadable, item_at};
use super::format::{ENTRY_BYTES, Entry, payload};
use super::known::Known;
use super::trust::is_of_no_interest;

/// An entry that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Its fields are where they were asked to be put.
    Entry(Entry),
    /// One that cannot count.
    Skipped(Entry),
    /// One that is damaged, or the end of an array.
    Nothing,
}

impl Journal {
    /// Reads the next entry; none where the end is reached.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn next(&mut self, fields: &mut Fields) -> Result<Option<Read>, Unreadable> {
        if self.place.read >= self.header.entries {
            return Ok(None);
        }
        if self.place.array == 0 {
            self.place.array = self.header.first_array;
        }
        let array = match self.array {
            Some(array) if self.place.item < array.items => array,
            _ => {
                let array = self.array(self.place.array)?;
                array.ok_or(Unreadable::List)?
            }
        };
        if self.place.item >= array.items {
            // Later arrays are further behind, so that a damaged chain has an end.
            if array.next <= self.place.array {
                return Err(Unreadable::List);
            }
            (self.place.array, self.place.item, self.array) = (array.next, 0, None);
            return Ok(Some(Read::Nothing));
        }
        self.array = Some(array);
        let bytes = self.header.array_item_bytes();
        let at = item_at(self.place.array, self.place.item, bytes);
        let left = self.header.entries.saturating_sub(self.place.read);
        let more = left.saturating_mul(bytes as u64);
        let item = self.parts.array(&self.file, at, bytes, more)?;
        let entry = item.and_then(|item| self.header.offset(item));
        self.place.item += 1;
        self.place.read += 1;
        match entry {
            Some(at) if at > 0 => Ok(Some(self.entry(at, left.saturating_sub(1), fields)?)),
            _ => Ok(Some(Read::Nothing)),
        }
    }

    /// Reads an entry that `later` others follow.
    fn entry(&mut self, at: u64, later: u64, fields: &mut Fields) -> io::Result<Read> {
        let (file, header) = (&self.file, &self.header);
        let head = self.parts.object(file, header, at, ENTRY_BYTES)?;
        let entry = head.and_then(|bytes| Entry::read(bytes, header));
        // Each later one has a higher number, and the last of them the header's.
        let is_numbered = |entry: &Entry| {
            entry
                .sequence
                .checked_add(later)
                .is_some_and(|least| least <= header.last_sequence)
        };
        let Some(entry) = entry.filter(is_numbered) else {
            return Ok(Read::Nothing);
        };
        let size = header.entry_item_bytes();
        let at_items = at.saturating_add(ENTRY_BYTES as u64);
        let length = entry.items * size;
        self.offsets.clear();
        if let Some(items) = self.parts.object(file, header, at_items, length)? {
            let items = items.chunks_exact(size);
            let offsets = items.filter_map(|item| header.offset(item));
            self.offsets.extend(offsets);
        }
        let is_whole = self.offsets.len() == entry.items;
        let counts = is_whole && self.fields(fields)?;
        self.parts.is_read(at_items.saturating_add(length as u64));
        Ok(match (is_whole, counts) {
            (false, _) => Read::Nothing,
            (true, false) => Read::Skipped(entry),
            (true, true) => Read::Entry(entry),
        })
    }

    /// Reads the fields of an entry. Says whether it may count.
    fn fields(&mut self, fields: &mut Fields) -> io::Result<bool> {
        fields.clear();
        // First those that are known: they may say that the others need not be read.
        let (known, mut skip) = (&self.known, false);
        self.offsets.retain(|offset| {
            let known = known.recall(*offset, fields);
            skip |= known == Some(Known::Skip);
            known.is_none()
        });
        if skip {
            return Ok(false);
        }
        for at in 0..self.offsets.len() {
            let offset = self.offsets.get(at).copied().unwrap_or_default();
            if self.field(offset, fields)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads a field. Says whether entries with it do not count.
    fn field(&mut self, at: u64, fields: &mut Fields) -> io::Result<bool> {
        let (file, header, is_new) = (&self.file, &self.header, !self.parts.is_old(at));
        let head = self.parts.object(file, header, at, header.data_bytes())?;
        let Some(length) = head.and_then(|head| payload(head, header)) else {
            return Ok(false);
        };
        let at_payload = at.saturating_add(header.data_bytes() as u64);
        let length = length.min(VALUE_BYTES + 32);
        let Some(bytes) = self.parts.object(file, header, at_payload, length)? else {
            return Ok(false);
        };
        let (known, value) = match Name::of(bytes) {
            Some((name, value)) => {
                fields.put(name, value);
                match name {
                    // Each line is another, and is not worth remembering.
                    Name::Message => return Ok(false),
                    _ if is_of_no_interest(name, value, &self.pam_units) => (Known::Skip, &[][..]),
                    _ => (Known::Field(name), value),
                }
            }
            None if is_new && is_unique(bytes) => return Ok(false),
            None => (Known::Nothing, &[][..]),
        };
        self.known.learn(at, known, value);
        Ok(known == Known::Skip)
    }
}

/// Fields that are another in each entry, or nearly so: what an earlier entry had is remembered all the same.
fn is_unique(payload: &[u8]) -> bool {
    let names: [&[u8]; 2] = [b"_SOURCE_", b"SYSLOG_RAW="];
    names.iter().any(|name| payload.starts_with(name))
}
