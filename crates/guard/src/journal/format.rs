//! Pure: the parts of a journal file.
//!
//! The file is written to while it is read, and may be damaged: whatever does not fit gives `None`, and no number that
//! is read is believed to lie within the file.

/// Bytes of the header that are read.
pub const HEADER_BYTES: usize = 208;

/// Bytes of what begins every object.
pub const OBJECT_BYTES: usize = 16;

/// Bytes of an entry before its items.
pub const ENTRY_BYTES: usize = 64;

/// Bytes of an array before its items.
pub const ARRAY_BYTES: usize = 24;

/// Items of one entry that are looked at; journald itself allows 1024.
pub const ITEMS_MAX: usize = 1024;

/// A feature of the file without which it can't be read: 32-bit offsets.
const COMPACT: u32 = 1 << 4;

/// The features that are known: compression by XZ, LZ4 and ZSTD, keyed hashes, and [`COMPACT`].
const KNOWN: u32 = 0b1_1111;

/// Types of objects.
const DATA: u8 = 1;
const ENTRY: u8 = 3;
const ARRAY: u8 = 6;

/// The flags of an object that is compressed.
const COMPRESSED: u8 = 0b111;

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    bytes.try_into().ok().map(u64::from_le_bytes)
}

fn small(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    bytes.try_into().ok().map(u32::from_le_bytes)
}

/// The id of a machine, a boot, or a journald's numbers.
pub type Id = [u8; 16];

fn id(bytes: &[u8], at: usize) -> Option<Id> {
    bytes.get(at..at.checked_add(16)?)?.try_into().ok()
}

/// What a file says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header {
    /// Whether offsets have 32 bits.
    pub compact: bool,
    /// The machine that it is of.
    pub machine: Id,
    /// Whose sequence numbers its entries have.
    pub sequence_id: Id,
    /// How many entries there are.
    pub entries: u64,
    /// The sequence number of the last entry.
    pub last_sequence: u64,
    /// Where its last object begins.
    pub last_object: u64,
    /// Where the first array of entries is; 0 where there is none.
    pub first_array: u64,
}

impl Header {
    /// Reads the first [`HEADER_BYTES`] of a file.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let features = small(bytes, 12)?;
        let known = bytes.starts_with(b"LPKSHHRH") && features & !KNOWN == 0;
        known.then_some(())?;
        Some(Self {
            compact: features & COMPACT != 0,
            machine: id(bytes, 40)?,
            sequence_id: id(bytes, 72)?,
            entries: number(bytes, 152)?,
            last_sequence: number(bytes, 160)?,
            last_object: number(bytes, 136)?,
            first_array: number(bytes, 176)?,
        })
    }

    /// Bytes of one item of an array.
    #[must_use]
    pub const fn array_item_bytes(&self) -> usize {
        if self.compact { 4 } else { 8 }
    }

    /// Bytes of one item of an entry.
    #[must_use]
    pub const fn entry_item_bytes(&self) -> usize {
        if self.compact { 4 } else { 16 }
    }

    /// Bytes of a data object before its payload.
    #[must_use]
    pub const fn data_bytes(&self) -> usize {
        if self.compact { 72 } else { 64 }
    }

    /// An offset in an array or an entry.
    #[must_use]
    pub fn offset(&self, item: &[u8]) -> Option<u64> {
        if self.compact {
            small(item, 0).map(u64::from)
        } else {
            number(item, 0)
        }
    }
}

/// The size of an object of that type.
fn object(bytes: &[u8], kind: u8) -> Option<u64> {
    (*bytes.first()? == kind)
        .then(|| number(bytes, 8))
        .flatten()
}

/// An array of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Array {
    /// How many items it has room for.
    pub items: u64,
    /// Where the next one is; 0 where there is none yet.
    pub next: u64,
}

impl Array {
    /// Reads the first [`ARRAY_BYTES`] of one.
    #[must_use]
    pub fn read(bytes: &[u8], header: &Header) -> Option<Self> {
        let size = object(bytes, ARRAY)?.checked_sub(ARRAY_BYTES as u64)?;
        Some(Self {
            items: size / header.array_item_bytes() as u64,
            next: number(bytes, 16)?,
        })
    }
}

/// An entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its number. It rises with each entry of one journald.
    pub sequence: u64,
    /// When it came, in microseconds since 1970.
    pub realtime_us: u64,
    /// When it came, in microseconds since the boot.
    pub monotonic_us: u64,
    /// The boot.
    pub boot: Id,
    /// How many fields it has; at most [`ITEMS_MAX`].
    pub items: usize,
}

impl Entry {
    /// Reads the first [`ENTRY_BYTES`] of one.
    #[must_use]
    pub fn read(bytes: &[u8], header: &Header) -> Option<Self> {
        let size = object(bytes, ENTRY)?.checked_sub(ENTRY_BYTES as u64)?;
        let items = usize::try_from(size).ok()? / header.entry_item_bytes();
        Some(Self {
            sequence: number(bytes, 16)?,
            realtime_us: number(bytes, 24)?,
            monotonic_us: number(bytes, 32)?,
            boot: id(bytes, 40)?,
            items: items.min(ITEMS_MAX),
        })
    }
}

/// The length of a data object's payload; none where it is compressed.
#[must_use]
pub fn payload(bytes: &[u8], header: &Header) -> Option<usize> {
    let size = usize::try_from(object(bytes, DATA)?).ok()?;
    let plain = bytes.get(1)? & COMPRESSED == 0;
    plain
        .then(|| size.checked_sub(header.data_bytes()))
        .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), compact in any::<bool>()) {
            let mut header = Header { compact, ..Header::default() };
            if let Some(read) = Header::read(&bytes) {
                header = read;
            }
            for kind in [DATA, ENTRY, ARRAY] {
                let mut object = bytes.clone();
                if let Some(first) = object.first_mut() {
                    *first = kind;
                }
                let entry = Entry::read(&object, &header);
                prop_assert!(entry.is_none_or(|entry| entry.items <= ITEMS_MAX));
                let _ = (Array::read(&object, &header), payload(&object, &header), header.offset(&object));
            }
        }
    }
}
