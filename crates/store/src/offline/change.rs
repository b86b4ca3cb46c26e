//! What changes a store, or copies it.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use secret::Key;

use super::hold;
use super::look::superblock_of;
use crate::disk::Disk;
use crate::engine::Engine;
use crate::error::Error;
use crate::held::Held;
use crate::mark::Mark;
use crate::options::Options;
use crate::recover::write_superblock;
use crate::snapshot::stream;
use crate::subject::{Beside, KeyTable};
use crate::watch::{Step, Unit, Watch};

/// As [`crate::Store::snapshot`] of a store that no one has open. Changes nothing in it.
///
/// # Errors
/// As [`crate::Store::open`] and [`crate::Store::snapshot`].
pub fn snapshot(
    path: &Path,
    key: &Key,
    base: Option<&Mark>,
    out: &mut dyn Write,
    watch: &mut Watch<'_>,
) -> Result<Mark, Error> {
    let engine = Engine::look(Arc::new(hold(path)?), key, Options::default())?;
    let held = Held::take(engine.present()?)?;
    stream(&held, base, out, watch)
}

/// Has the store, its key table and the anchor of `options` opened by `new` instead of `key`. Of the store only the
/// superblock is read and written, so that it takes no longer for a large one.
///
/// # Errors
/// As [`crate::Store::open`] for the superblock; those of the anchor; [`Error::NoSpace`] and
/// [`Error::Io`], after which one of the two keys opens the store, or both do.
pub fn rekey(path: &Path, key: &Key, options: &Options, new: &Key) -> Result<(), Error> {
    let file = hold(path)?;
    let mut superblock = superblock_of(&file, key)?;
    superblock.sequence = superblock.sequence.saturating_add(1);
    // Which subjects the store names does not matter here, so the store is not looked through.
    let shelf = Box::new(Beside::store(path));
    let key_table = KeyTable::open(shelf, key, superblock.file, None, false)?;
    key_table.rekey(new, || {
        if let Some(anchor) = &options.anchor {
            anchor.rekey(new)?;
        }
        let disk = Disk::new(Arc::new(file), superblock.keyring());
        write_superblock(&disk, &superblock, new)
    })
}

/// Makes a new data key and seals all blocks anew with it; goes on with it where an earlier call
/// was stopped. Returns how many blocks the store has.
///
/// # Errors
/// As [`crate::Store::open`] and [`crate::Store::renew`]; [`Error::Stopped`].
pub fn renew(
    path: &Path,
    key: &Key,
    options: Options,
    watch: &mut Watch<'_>,
) -> Result<u64, Error> {
    let engine = open(path, key, options)?;
    if !engine.is_renewing() {
        engine.renew()?;
    }
    loop {
        let opening = engine.present()?;
        let progress = opening.backend().look(|vault| Ok(vault.progress()))?;
        let step = Step {
            doing: "sealing anew",
            unit: Unit::Blocks,
            done: progress.blocks.saturating_sub(progress.outdated),
            of: Some(progress.blocks),
        };
        step.show(watch)?;
        if engine.renew_step()? {
            return Ok(progress.blocks);
        }
    }
}

/// Opens a store that is an older copy of itself, and takes it for the newest from now on: its
/// history goes on under another name, and the anchor of `options` follows.
///
/// # Errors
/// As [`crate::Store::open`].
pub fn accept(path: &Path, key: &Key, options: Options) -> Result<Mark, Error> {
    let options = Options {
        accept_rollback: true,
        ..options
    };
    let engine = open(path, key, options)?;
    let opening = engine.present()?;
    opening.backend().look(|vault| Ok(vault.mark()))
}

fn open(path: &Path, key: &Key, options: Options) -> Result<Engine, Error> {
    Engine::open(Arc::new(hold(path)?), key, options)
}
