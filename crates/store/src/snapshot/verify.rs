//! Checking a snapshot stream for damage on its way, without a key.

use std::io::{self, Read};
use std::sync::Arc;

use super::fault::Fault;
use super::format::{Totals, is_stream};
use super::parser::{Item, Parser};
use crate::error::Error;
use crate::mark::Mark;
use crate::watch::{Step, Unit, Watch};

/// Bytes that are read at once.
const READ_BYTES: usize = 256 << 10;

/// What a whole stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The commit.
    pub mark: Mark,
    /// The generation that it builds on; 0 where it builds on nothing.
    pub base: u64,
    /// How much it holds.
    pub totals: Totals,
    /// Bytes of the whole stream.
    pub bytes: u64,
}

/// Whether bytes that begin a file, at least 8, are a snapshot's rather than a store's.
#[must_use]
pub fn is_snapshot(start: &[u8]) -> bool {
    is_stream(start)
}

/// Reads a stream to its end and checks every hash. That it is whole says nothing of who made it:
/// whether its content is true is told only with the key, after it was restored.
///
/// # Errors
/// [`Error::Snapshot`]; [`Error::Stopped`].
pub fn verify(stream: &mut dyn Read, watch: &mut Watch<'_>) -> Result<Summary, Error> {
    read(stream, watch, "checking the snapshot", &mut |_| Ok(()))
}

/// Reads a stream to its end, and gives `visit` what it holds.
pub(super) fn read(
    stream: &mut dyn Read,
    watch: &mut Watch<'_>,
    doing: &'static str,
    visit: &mut dyn FnMut(Item<'_>) -> Result<(), Error>,
) -> Result<Summary, Error> {
    let mut parser = Parser::new();
    let mut about = None;
    let mut bytes = 0_u64;
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let step = Step {
            doing,
            unit: Unit::Bytes,
            done: bytes,
            of: None,
        };
        step.show(watch)?;
        let read = match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Fault::Input(Arc::new(error)).into()),
        };
        bytes = bytes.saturating_add(read as u64);
        parser.push(buffer.get(..read).unwrap_or_default(), &mut |item| {
            if let Item::Header(header) = &item {
                about = Some((header.mark, header.base));
            }
            visit(item)
        })?;
    }
    let totals = parser.finish()?;
    // A stream that has ended had a header.
    let (mark, base) = about.ok_or(Fault::Truncated { bytes })?;
    Ok(Summary {
        mark,
        base,
        totals,
        bytes,
    })
}
