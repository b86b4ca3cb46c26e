//! From a pinned commit to a stream.

use std::io::Write;

use super::fault::Fault;
use super::format::{BLOCK_BYTES, Header};
use super::writer::Writer;
use crate::error::Error;
use crate::held::Held;
use crate::mark::Mark;
use crate::watch::{Step, Unit, Watch};

/// A sealed block.
pub(crate) type Block = [u8; BLOCK_BYTES];

/// One commit whose blocks stay as they are for as long as this lives.
pub(crate) trait Source {
    /// Which commit it is.
    fn mark(&self) -> Mark;
    /// The superblock with the keys that open it.
    fn superblock(&self) -> &Block;
    /// The root slot's sealed content.
    fn slot(&self) -> &Block;
    /// Visits the address and the sealed bytes of every block of the commit that was written
    /// after generation `since`: nodes and data, in any order, each once.
    fn walk(
        &self,
        since: u64,
        visit: &mut dyn FnMut(u64, &Block) -> Result<(), Error>,
    ) -> Result<(), Error>;
}

impl Source for Held {
    fn mark(&self) -> Mark {
        self.mark()
    }

    fn superblock(&self) -> &Block {
        self.superblock()
    }

    fn slot(&self) -> &Block {
        self.slot()
    }

    fn walk(
        &self,
        since: u64,
        visit: &mut dyn FnMut(u64, &Block) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.walk(since, visit)
    }
}

/// Writes the stream: all blocks, or those that changed since `base`.
pub(crate) fn stream(
    source: &dyn Source,
    base: Option<&Mark>,
    out: &mut dyn Write,
    watch: &mut Watch<'_>,
) -> Result<Mark, Error> {
    let mark = source.mark();
    let since = match base {
        Some(base) => since(base, &mark)?,
        None => 0,
    };
    let header = Header {
        mark,
        base: since,
        superblock: Box::new(*source.superblock()),
        root: Box::new(*source.slot()),
    };
    let mut writer = Writer::begin(out, &header)?;
    let mut step = Step {
        doing: "writing",
        unit: Unit::Blocks,
        done: 0,
        of: None,
    };
    source.walk(since, &mut |address, block| {
        step.show(watch)?;
        step.done += 1;
        Ok(writer.block(address, block)?)
    })?;
    writer.finish()?;
    Ok(mark)
}

/// The generation that a snapshot of `mark` may build on.
fn since(base: &Mark, mark: &Mark) -> Result<u64, Fault> {
    if base.file != mark.file {
        return Err(Fault::Unrelated("is another store's"));
    }
    if base.lineage != mark.lineage {
        return Err(Fault::Unrelated(
            "is of a course of this store's history that was given up when an older copy was \
             accepted",
        ));
    }
    if base.generation > mark.generation {
        return Err(Fault::Unrelated("is newer than the store itself"));
    }
    if base.generation == 0 {
        return Err(Fault::Unrelated("is of no commit"));
    }
    Ok(base.generation)
}
