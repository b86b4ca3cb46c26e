//! What a store's file is, and what it holds in figures.

use std::path::Path;
use std::sync::Arc;

use redb::ReadableTableMetadata as _;
use secret::Key;

use super::hold;
use crate::engine::Engine;
use crate::error::Error;
use crate::layout::{BLOCK_BYTES, POOL_AT, SUPERBLOCKS, offset};
use crate::mark::{MARK_ID_BYTES, Mark};
use crate::medium::Medium;
use crate::options::Options;
use crate::recover::{read_available, recover};
use crate::subject::{Beside, KeyTable};
use crate::superblock::{self, Clear, Superblock};
use crate::table::Table;

/// What a store's file says to whoever has no key. None of it is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outline {
    /// The format's version.
    pub version: u16,
    /// The cipher suite.
    pub suite: u8,
    /// The file's random identity.
    pub file: [u8; MARK_ID_BYTES],
    /// The file's length in bytes.
    pub bytes: u64,
    /// How many of the superblock's two copies are as they were written.
    pub intact: u8,
}

/// Reads what is in the clear.
///
/// # Errors
/// [`Error::Foreign`]; [`Error::InUse`]; [`Error::Io`].
pub fn outline(path: &Path) -> Result<Outline, Error> {
    outlined(&hold(path)?)
}

pub(super) fn outlined(medium: &dyn Medium) -> Result<Outline, Error> {
    let bytes = medium.len();
    let bytes = bytes.map_err(|e| Error::io("measuring the store", e))?;
    let mut outline: Option<Outline> = None;
    for address in SUPERBLOCKS {
        if offset(address + 1) > bytes {
            continue;
        }
        let mut copy = [0; BLOCK_BYTES];
        medium
            .read_at(offset(address), &mut copy)
            .map_err(|e| Error::io("reading the store", e))?;
        let Some(clear) = Clear::read(&copy) else {
            continue;
        };
        let before = outline.map_or(0, |outline| outline.intact);
        // An intact copy is believed before a damaged one.
        if outline.is_none() || (clear.intact && before == 0) {
            outline = Some(Outline {
                version: clear.version,
                suite: clear.suite,
                file: clear.file,
                bytes,
                intact: 0,
            });
        }
        if let Some(outline) = &mut outline {
            outline.intact = before + u8::from(clear.intact);
        }
    }
    outline.ok_or(Error::Foreign)
}

/// Opens the superblock, and nothing else.
pub(super) fn superblock_of(medium: &dyn Medium, key: &Key) -> Result<Superblock, Error> {
    let length = medium.len();
    let length = length.map_err(|e| Error::io("measuring the store", e))?;
    let mut copies = [[0; BLOCK_BYTES]; 2];
    for (copy, address) in copies.iter_mut().zip(SUPERBLOCKS) {
        read_available(medium, length, address, copy)?;
    }
    superblock::open(&copies, key).map(|(superblock, _)| superblock)
}

/// How many subjects were erased, by the key table beside the store at `path`; `None` where there
/// is no key table, as long as there never was a subject. Where subjects were given up with a key
/// table that was lost ([`Error::KeysMissing`]), all numbers up to theirs count. Changes nothing.
///
/// Those that were not erased cannot be counted here: the keys of all of them, and of numbers that
/// no subject has got yet, hang on the same few nodes.
///
/// # Errors
/// As [`crate::Store::open`] for the superblock and the key table.
pub fn erased(path: &Path, key: &Key) -> Result<Option<u64>, Error> {
    let file = hold(path)?;
    let superblock = superblock_of(&file, key)?;
    KeyTable::erased(&Beside::store(path), key, superblock.file)
}

/// What a store holds, in figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// The last commit.
    pub mark: Mark,
    /// Blocks in use, of 4096 bytes each.
    pub used: u64,
    /// Blocks that the file has and that are free.
    pub free: u64,
    /// Data keys, of which the last seals what is written.
    pub data_keys: usize,
    /// Blocks that an older data key seals.
    pub outdated: u64,
}

/// How many records a table has. Changes nothing.
///
/// # Errors
/// As [`crate::Store::open`].
pub fn count(path: &Path, key: &Key, table: Table) -> Result<u64, Error> {
    let engine = Engine::look(Arc::new(hold(path)?), key, Options::default())?;
    let opening = engine.present()?;
    let found = opening.view()?.table(table)?;
    found.map_or(Ok(0), |table| table.len().map_err(Error::engine))
}

/// Opens what names the store's blocks, and counts them. Changes nothing.
///
/// # Errors
/// As [`crate::Store::open`].
pub fn info(path: &Path, key: &Key) -> Result<Info, Error> {
    let found = recover(Arc::new(hold(path)?), key, false, false)?;
    let used = found.space.used();
    Ok(Info {
        mark: Mark {
            file: found.superblock.file,
            lineage: found.root.lineage,
            generation: found.root.generation,
            at: found.root.at,
        },
        used: used.saturating_sub(POOL_AT),
        free: found.space.blocks().saturating_sub(used),
        data_keys: found.superblock.keys.len(),
        outdated: found.outdated,
    })
}
