//! Work on a store's file while no service has it open: what operators' commands do.
//!
//! Every function takes hold of the file first, and fails with [`Error::InUse`] where another
//! process has it.

mod change;
mod look;
mod restore;
mod verify;

use std::path::Path;

use rustix::io::Errno;

pub use change::{accept, rekey, renew, snapshot};
pub use look::{Info, Outline, count, erased, info, outline};
pub use restore::Restore;
pub use verify::{Verified, verify};

use crate::error::Error;
use crate::file::DiskFile;

/// Takes hold of the file at `path`.
fn hold(path: &Path) -> Result<DiskFile, Error> {
    DiskFile::open(path)?.ok_or_else(|| Error::io("opening the store", Errno::NOENT.into()))
}
