//! What a file holds before its blocks are read: making a new one, and making sense of one.

use secret::Key;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::header::{Current, Header};
use crate::layout::{PLACE_BYTES, SLOTS_AT, SUPERBLOCKS_AT, file_bytes};
use crate::medium::Medium;
use crate::random;
use crate::seal::{Identity, Sealer};
use crate::superblock::{self, SUITE, VERSION};
use crate::vault::{impossible, write};

/// Makes an empty store on `medium`, durably.
pub(crate) fn format(medium: &dyn Medium, key: &Key) -> Result<(), Error> {
    let mut data_key = Zeroizing::new([0; 32]);
    random::fill(data_key.as_mut_slice())?;
    let identity = Identity {
        version: VERSION,
        suite: SUITE,
        epoch: 1,
        file: random::bytes()?,
    };
    let superblock = superblock::encode(key, &identity, random::bytes()?, &data_key)
        .map_err(|_| impossible())?;
    let sealer = Sealer::new(&data_key, identity);
    for at in SUPERBLOCKS_AT {
        write(medium, at, &superblock)?;
    }
    for (slot, at) in SLOTS_AT.into_iter().enumerate() {
        let sealed = Header::blank()
            .seal(&sealer, slot, random::bytes()?)
            .map_err(|_| impossible())?;
        write(medium, at, &sealed)?;
    }
    medium.sync().map_err(|e| Error::io("syncing the store", e))
}

/// A store that was found on a medium.
pub(crate) struct Found {
    pub(crate) sealer: Sealer,
    pub(crate) current: Current,
}

/// Opens the superblock and the header slots. What an earlier process left in the cache is made
/// durable first, and what did not become durable is forgotten. Unless the medium is `writable`
/// it is only read.
pub(crate) fn inspect(medium: &dyn Medium, key: &Key, writable: bool) -> Result<Found, Error> {
    let synced = medium.sync().map_err(|e| Error::io("syncing the store", e));
    if writable {
        synced?;
    }
    medium
        .forget()
        .map_err(|e| Error::io("dropping the store's cache", e))?;
    let found = medium
        .len()
        .map_err(|e| Error::io("measuring the store", e))?;
    let mut copies = [[0; PLACE_BYTES]; 2];
    for (copy, at) in copies.iter_mut().zip(SUPERBLOCKS_AT) {
        read_available(medium, found, at, copy)?;
    }
    let opened = superblock::open(&copies, key)?;
    let mut slots = [None, None];
    for (index, slot) in slots.iter_mut().enumerate() {
        let mut bytes = [0; PLACE_BYTES];
        read_available(medium, found, SLOTS_AT[index], &mut bytes)?;
        *slot = Header::open(&opened.sealer, index, &bytes);
    }
    let current = Current::pick(slots).ok_or(Error::DamagedHeader)?;
    let blocks = current.header.blocks;
    let expected = file_bytes(blocks).ok_or_else(impossible)?;
    if found < expected {
        return Err(Error::Truncated { expected, found });
    }
    if found > expected && writable {
        // Growth that no header had taken up yet: nothing in it was ever committed.
        medium
            .set_len(expected)
            .map_err(|e| Error::io("trimming the store", e))?;
    }
    let [first, second] = &copies;
    if first != second && writable {
        tracing::warn!("one copy of the store's superblock was damaged; rewriting it");
        let bad = 1 - opened.good;
        write(medium, SUPERBLOCKS_AT[bad], &copies[opened.good])?;
    }
    Ok(Found {
        sealer: opened.sealer,
        current,
    })
}

/// Reads one place; what lies beyond the end of the file stays zero.
fn read_available(
    medium: &dyn Medium,
    length: u64,
    at: u64,
    out: &mut [u8; PLACE_BYTES],
) -> Result<(), Error> {
    let there = usize::try_from(length.saturating_sub(at)).unwrap_or(PLACE_BYTES);
    let out = &mut out[..there.min(PLACE_BYTES)];
    if out.is_empty() {
        return Ok(());
    }
    medium
        .read_at(at, out)
        .map_err(|e| Error::io("reading the store", e))
}
