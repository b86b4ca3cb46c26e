//! What can be wrong with a snapshot, each with its consequence and the way out.

use std::io;
use std::sync::Arc;

use data_encoding::HEXLOWER;

use crate::mark::{MARK_ID_BYTES, Mark};

/// Why a snapshot could not be made, checked or restored.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes are no stream.
    #[error("this is not a snapshot of a store: nothing was restored, give the right file")]
    Foreign,
    /// A stream of a newer release.
    #[error(
        "the snapshot has version {version}, which this release does not know: nothing was \
         restored, use the release that made it"
    )]
    Unsupported {
        /// The version that it names.
        version: u16,
    },
    /// A hash does not fit.
    #[error(
        "the snapshot was damaged on its way, within the {length} bytes from byte {from}: nothing \
         was restored, carry it over once more or take another"
    )]
    Damaged {
        /// Where the damaged piece begins, in bytes.
        from: u64,
        /// How long it claims to be, in bytes.
        length: u64,
    },
    /// The stream ends before its end.
    #[error(
        "the snapshot is cut short after {bytes} bytes: nothing was restored, carry it over once \
         more or take another"
    )]
    Truncated {
        /// How much of it there is, in bytes.
        bytes: u64,
    },
    /// There is more after the end.
    #[error(
        "the snapshot ends after {bytes} bytes and more follows: nothing was restored, give each \
         snapshot in a file of its own"
    )]
    Trailing {
        /// Where it ends, in bytes.
        bytes: u64,
    },
    /// Its hashes fit, and what it says cannot be.
    #[error("the snapshot contradicts itself ({0}): nothing was restored, take another")]
    Impossible(&'static str),
    /// The stream holds changes, and what they build on is not there.
    #[error(
        "the snapshot holds only what changed since generation {base} of the store {}: \
         nothing was restored, restore the snapshot of that generation before it",
        HEXLOWER.encode(file)
    )]
    NeedsBase {
        /// The store's file identity.
        file: [u8; MARK_ID_BYTES],
        /// The generation that is needed.
        base: u64,
    },
    /// What is there is not what the stream builds on.
    #[error(
        "the snapshot builds on generation {} of the store {} in the course of history {}, and \
         what was restored before it is generation {} of {} in {}: nothing was restored, give all \
         snapshots from the full one on, in order",
        needed.generation, HEXLOWER.encode(&needed.file), HEXLOWER.encode(&needed.lineage),
        found.generation, HEXLOWER.encode(&found.file), HEXLOWER.encode(&found.lineage)
    )]
    WrongBase {
        /// What it builds on; its time is not known and 0.
        needed: Box<Mark>,
        /// What is there.
        found: Box<Mark>,
    },
    /// A full stream where changes were expected.
    #[error(
        "the snapshot of generation {generation} is a full one and builds on nothing: nothing was \
         restored, restore it on its own, or with what came after it"
    )]
    Full {
        /// Its generation.
        generation: u64,
    },
    /// Changes were asked for since a commit that this store's history does not have.
    #[error("the receipt {0}: no snapshot was made, make a full one (without a receipt)")]
    Unrelated(&'static str),
    /// There is a file where the restored one was to be.
    #[error("there is a file of that name already, and it was left as it is: give another name")]
    Exists,
    /// The stream could not be written.
    #[error("the snapshot could not be written ({0}): what there is of it is of no use")]
    Output(Arc<io::Error>),
    /// The stream could not be read.
    #[error("the snapshot could not be read ({0}): nothing was restored")]
    Input(Arc<io::Error>),
}
