//! One durable generation, held still for reading while newer ones are written.

use std::sync::Arc;

use crate::entry::{Entry, FAN_OUT, Node};
use crate::error::Error;
use crate::layout::{BLOCK_BYTES, Block, SUPERBLOCKS, slot_copies, slot_of};
use crate::mark::Mark;
use crate::seal::{Keyring, Place};
use crate::slot::Root;
use crate::superblock::Clear;
use crate::vault::Vault;

/// Reads a block, does what there is to be done with it, and returns it opened.
pub(crate) type Show<'s> = &'s mut dyn FnMut(Place, &Entry) -> Result<Box<Block>, Error>;

/// A generation whose blocks stay where they are until this is given to [`Vault::unpin`].
pub(crate) struct Pinned {
    root: Root,
    mark: Mark,
    slot: Box<Block>,
    superblock: Box<Block>,
    /// The data keys of that time: older ones may go before all blocks have been read.
    keyring: Arc<Keyring>,
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
            let superblock = self.superblock()?;
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
                keyring: self.disk.keyring(),
            });
        }
        Err(Error::DamagedHeader)
    }

    /// The superblock as it lies there: the first copy that is as it was written.
    fn superblock(&self) -> Result<Box<Block>, Error> {
        for address in SUPERBLOCKS {
            let mut copy = Box::new([0; BLOCK_BYTES]);
            self.disk.read(address, copy.as_mut_slice())?;
            if Clear::read(&copy).is_some_and(|clear| clear.intact) {
                return Ok(copy);
            }
        }
        Err(Error::DamagedSuperblock)
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

    /// Reads a block of a pinned generation: as it lies there, and opened.
    pub(crate) fn reveal(
        &self,
        pinned: &Pinned,
        place: Place,
        entry: &Entry,
    ) -> Result<[Box<Block>; 2], Error> {
        let mut block = Box::new([0; BLOCK_BYTES]);
        self.disk.read(entry.address, block.as_mut_slice())?;
        let sealed = block.clone();
        let opened = pinned.keyring.open(
            place,
            entry.epoch,
            &entry.nonce,
            &entry.tag,
            block.as_mut_slice(),
        );
        opened.map_err(|_| Error::Damaged {
            block: entry.address,
        })?;
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
