//! From streams to a store's file.

use std::io::Read;

use super::fault::Fault;
use super::format::Header;
use super::parser::Item;
use super::verify::{Summary, read};
use crate::error::Error;
use crate::layout::{BLOCK_BYTES, SLOTS, SUPERBLOCKS, offset, slot_copies, slot_of};
use crate::mark::Mark;
use crate::medium::Medium;
use crate::watch::Watch;

/// Puts a stream onto a medium: a full one onto an empty medium, one of changes onto a medium that
/// holds `base`. Not synced, and of no use after an error.
pub(crate) fn apply(
    medium: &dyn Medium,
    base: Option<&Mark>,
    stream: &mut dyn Read,
    watch: &mut Watch<'_>,
) -> Result<Summary, Error> {
    let mut ends = None;
    let summary = read(stream, watch, "restoring", &mut |item| {
        match item {
            Item::Header(header) => {
                fits(header, base)?;
                ends = Some(header.clone());
            }
            Item::Block { address, block } => write(medium, address, block)?,
        }
        Ok(())
    })?;
    // The superblock comes last, so that what is half restored is no store.
    if let Some(header) = ends {
        head(medium, &header)?;
    }
    Ok(summary)
}

/// Whether the stream may be put onto what is there.
fn fits(header: &Header, base: Option<&Mark>) -> Result<(), Fault> {
    let mark = &header.mark;
    match (header.base, base) {
        (0, None) => Ok(()),
        (0, Some(_)) => Err(Fault::Full {
            generation: mark.generation,
        }),
        (base, None) => Err(Fault::NeedsBase {
            file: mark.file,
            base,
        }),
        (base, Some(found)) => {
            let same =
                (mark.file, mark.lineage, base) == (found.file, found.lineage, found.generation);
            if same {
                return Ok(());
            }
            let needed = Mark {
                generation: base,
                at: 0,
                ..*mark
            };
            Err(Fault::WrongBase {
                needed: Box::new(needed),
                found: Box::new(*found),
            })
        }
    }
}

/// Writes the root slot and the superblock, each twice, and empties the other slots: what earlier
/// roots named has been overwritten.
fn head(medium: &dyn Medium, header: &Header) -> Result<(), Error> {
    for slot in 0..SLOTS {
        let blank = [0; BLOCK_BYTES];
        let block = if slot == slot_of(header.mark.generation) {
            &*header.root
        } else {
            &blank
        };
        for address in slot_copies(slot) {
            write(medium, address, block)?;
        }
    }
    for address in SUPERBLOCKS {
        write(medium, address, &header.superblock)?;
    }
    Ok(())
}

fn write(medium: &dyn Medium, address: u64, block: &[u8; BLOCK_BYTES]) -> Result<(), Error> {
    medium
        .write_at(offset(address), block)
        .map_err(|error| Error::io("writing the restored store", error))
}
