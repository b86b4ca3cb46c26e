//! One durable generation, held still for reading while newer ones are written.

use crate::entry::{Entry, FAN_OUT, Node};
use crate::error::Error;
use crate::layout::{BLOCK_BYTES, Block, SUPERBLOCKS, slot_copies, slot_of};
use crate::mark::Mark;
use crate::seal::Place;
use crate::slot::Root;
use crate::vault::Vault;

/// Reads a block, does what there is to be done with it, and returns it opened.
pub(crate) type Show<'s> = &'s mut dyn FnMut(Place, &Entry) -> Result<Box<Block>, Error>;

/// A generation whose blocks stay where they are until this is given to [`Vault::unpin`].
pub(crate) struct Pinned {
    root: Root,
    mark: Mark,
    slot: Box<Block>,
    superblock: Box<Block>,
}

impl Pinned {
    /// Names the generation.
    pub(crate) const fn mark(&self) -> Mark {
        self.mark
    }

    /// The root slot of the generation, sealed.
    pub(crate) const fn slot(&self) -> &Block {
        &self.slot
    }

    /// The superblock, its keys wrapped.
    pub(crate) const fn superblock(&self) -> &Block {
        &self.superblock
    }
}

impl Vault {
    /// Pins the newest durable generation.
    pub(crate) fn pin(&self) -> Result<Pinned, Error> {
        let mut state = self.lock();
        let generation = state.root.generation;
        let slot = slot_of(generation);
        let mut bytes = Box::new([0; BLOCK_BYTES]);
        for address in slot_copies(slot) {
            self.disk.read(address, bytes.as_mut_slice())?;
            let Some(root) = Root::open(&self.disk.keyring(), slot, &bytes) else {
                continue;
            };
            if root.generation != generation {
                continue;
            }
            let mut superblock = Box::new([0; BLOCK_BYTES]);
            self.disk.read(SUPERBLOCKS[0], superblock.as_mut_slice())?;
            *state.pins.entry(generation).or_default() += 1;
            return Ok(Pinned {
                mark: Mark {
                    file: self.disk.keyring().file(),
                    lineage: root.lineage,
                    generation,
                    at: root.at,
                },
                root,
                slot: bytes,
                superblock,
            });
        }
        Err(Error::DamagedHeader)
    }

    /// Lets the blocks of a generation go.
    pub(crate) fn unpin(&self, pinned: &Pinned) {
        let mut state = self.lock();
        let generation = pinned.mark.generation;
        if let Some(readers) = state.pins.get_mut(&generation) {
            *readers -= 1;
            if *readers == 0 {
                state.pins.remove(&generation);
            }
        }
    }

    /// Reads a block: as it lies there, and opened.
    pub(crate) fn reveal(&self, place: Place, entry: &Entry) -> Result<[Box<Block>; 2], Error> {
        let mut block = Box::new([0; BLOCK_BYTES]);
        self.disk.read(entry.address, block.as_mut_slice())?;
        let sealed = block.clone();
        self.disk.open(place, entry, block.as_mut_slice())?;
        Ok([sealed, block])
    }
}

impl Pinned {
    /// Shows every node and data block that was written after generation `since`, parents first.
    /// With `since` 0 that is all of the generation. `show` returns the opened block.
    pub(crate) fn walk(&self, since: u64, show: Show<'_>) -> Result<(), Error> {
        let Some(entry) = self.root.entry else {
            return Ok(());
        };
        walk(self.root.level, 0, &entry, since, show)
    }
}

fn walk(level: u8, index: u64, entry: &Entry, since: u64, show: Show<'_>) -> Result<(), Error> {
    if entry.generation() <= since {
        return Ok(());
    }
    let node = Node::from_bytes(show(Place::Node { level, index }, entry)?);
    for (child, entry) in node.children() {
        let index = index * FAN_OUT + child;
        if level > 0 {
            walk(level - 1, index, &entry, since, show)?;
        } else if entry.generation() > since {
            show(Place::Data(index), &entry)?;
        }
    }
    Ok(())
}
