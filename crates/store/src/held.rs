//! A generation held still for as long as it is read from outside the engine.

use std::sync::Arc;

use crate::error::Error;
use crate::layout::Block;
use crate::mark::Mark;
use crate::opening::Opening;
use crate::pinned::Pinned;

/// Is shown a block's address in the file, and the block as it lies there, sealed.
pub(crate) type Visit<'v> = &'v mut dyn FnMut(u64, &Block) -> Result<(), Error>;

/// The newest durable generation at the time that it was taken. Its blocks stay where they are
/// until this is dropped, whatever is written meanwhile.
pub(crate) struct Held {
    opening: Arc<Opening>,
    pinned: Pinned,
}

impl Held {
    pub(crate) fn take(opening: Arc<Opening>) -> Result<Self, Error> {
        let pinned = opening.backend().look(|vault| vault.pin())?;
        Ok(Self { opening, pinned })
    }

    /// Names the generation.
    pub(crate) const fn mark(&self) -> Mark {
        self.pinned.mark()
    }

    /// The generation's root slot, sealed.
    pub(crate) const fn slot(&self) -> &Block {
        self.pinned.slot()
    }

    /// The superblock, its keys wrapped.
    pub(crate) const fn superblock(&self) -> &Block {
        self.pinned.superblock()
    }

    /// Shows every node and data block of the generation that was written after generation `since`
    /// (0 for all), parents first, each opened before, so that damage is not passed on.
    ///
    /// # Errors
    /// What `visit` returns; [`Error::Interrupted`] where a failure of the file ended the opening.
    pub(crate) fn walk(&self, since: u64, visit: Visit<'_>) -> Result<(), Error> {
        self.pinned.walk(since, &mut |place, entry| {
            let backend = self.opening.backend();
            let [sealed, opened] =
                backend.look(|vault| vault.reveal(&self.pinned, place, entry))?;
            visit(entry.address, &sealed)?;
            Ok(opened)
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.opening.backend().vault().unpin(&self.pinned);
    }
}
