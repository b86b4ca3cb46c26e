//! Snapshots: one commit of a store as a stream of its sealed blocks, all of them or those that
//! changed since an earlier snapshot (FORMAT.md, "Snapshot streams").
//!
//! Nothing is opened to make a stream or to carry it: what was sealed in the file is sealed in the
//! stream, under the same keys. Its hashes tell damage on the way; whether the content is true is
//! told by the key, when what was restored is verified.

mod fault;
mod format;
mod parser;
mod restore;
mod stream;
mod verify;
mod writer;

#[cfg(fuzzing)]
pub(crate) mod fuzz;
#[cfg(test)]
mod tests;

pub use fault::Fault;
pub use format::{BLOCK_BYTES, CHUNK_BLOCKS_MAX, DIGEST_BYTES, HEADER_BYTES, Header, Totals};
pub use parser::{Item, Parser};
pub use verify::{Summary, is_snapshot, verify};
pub use writer::Writer;

pub(crate) use restore::apply;
pub(crate) use stream::stream;
