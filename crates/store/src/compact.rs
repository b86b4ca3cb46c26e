//! Making a store's file as short as its content allows.

use std::path::Path;

use secret::Key;

use crate::engine::Engine;
use crate::error::Error;
use crate::file::DiskFile;
use crate::store::Options;

/// Makes the file at `path`, which nobody may have open, as short as its content allows. Returns
/// its length in bytes before and after.
///
/// Needs some space itself while it runs. Interrupted at any moment, the store is as it was or
/// partly compacted, and whole.
///
/// # Errors
/// As [`crate::Store::open`], but it never makes a store; and as all writes.
pub fn compact(path: &Path, key: &Key, options: Options) -> Result<(u64, u64), Error> {
    let length = || {
        let found = std::fs::metadata(path).map(|metadata| metadata.len());
        found.map_err(|error| Error::io("measuring the store", error))
    };
    let before = length()?;
    let Some(file) = DiskFile::open(path)? else {
        let missing = std::io::ErrorKind::NotFound.into();
        return Err(Error::io("opening the store", missing));
    };
    let mut engine = Engine::open(std::sync::Arc::new(file), key, options)?;
    engine.compact()?;
    drop(engine);
    Ok((before, length()?))
}
