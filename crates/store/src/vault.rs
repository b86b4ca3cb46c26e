//! The encrypted block device: logical bytes above, sealed blocks below (reading them is in
//! `reading.rs`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use crate::anchor::Anchor;
use crate::disk::{Disk, Gather};
use crate::entry::Entry;
use crate::error::Error;
use crate::layout::{BLOCK, BLOCK_BYTES, Block};
use crate::recover::Recovered;
use crate::seal::Place;
use crate::slot::{HEADER_BYTES, Root};
use crate::space::Space;
use crate::tree::Tree;

/// Byte of the engine's header that tells the active half.
const PRIMARY_AT: usize = 9;
/// One opened file.
pub(crate) struct Vault {
    pub(crate) disk: Disk,
    pub(crate) anchor: Option<Arc<dyn Anchor>>,
    state: Mutex<State>,
    /// Logical length in blocks.
    blocks: AtomicU64,
    /// Why nothing may be written; header writes then stay in memory.
    pub(crate) frozen: Option<Error>,
}

/// What one thread at a time looks at.
pub(crate) struct State {
    pub(crate) tree: Tree,
    pub(crate) space: Space,
    pub(crate) gather: Gather,
    /// The newest state that is on the disk, but for its header, which is the one under way.
    pub(crate) root: Root,
    /// The generation under way.
    pub(crate) next: u64,
    /// Whether the header, the length or the history has changed since the last commit.
    pub(crate) changed: bool,
    /// The transaction that the engine is committing.
    pub(crate) ending: Option<Ending>,
    /// Whether the engine has not yet written a first state that it can open.
    pub(crate) nascent: bool,
    /// Generations that are being read from outside, and by how many.
    pub(crate) pins: BTreeMap<u64, usize>,
    /// Blocks that an older data key seals, nodes among them.
    pub(crate) outdated: u64,
    /// The leaf from which on blocks may be sealed with an older data key.
    pub(crate) renewing: u64,
}

/// A transaction of the engine's that is being committed.
#[derive(Debug)]
pub(crate) struct Ending {
    /// Its number.
    pub(crate) commits: u64,
    /// The half of the engine's header that is active before.
    pub(crate) primary: u8,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    /// The store as it was found. With `frozen`, the reason why the medium cannot be written, it is
    /// only read.
    pub(crate) fn new(
        found: Recovered,
        anchor: Option<Arc<dyn Anchor>>,
        frozen: Option<Error>,
    ) -> Self {
        let root = found.root;
        let state = State {
            tree: Tree::new(root.level, root.entry),
            space: found.space,
            gather: Gather::default(),
            next: found.newest.saturating_add(1),
            changed: found.forked,
            ending: None,
            nascent: root.blocks == 0,
            pins: BTreeMap::new(),
            outdated: found.outdated,
            renewing: 0,
            root,
        };
        Self {
            disk: found.disk,
            anchor,
            blocks: AtomicU64::new(state.root.blocks),
            state: Mutex::new(state),
            frozen,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logical length in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.blocks.load(Ordering::Acquire).saturating_mul(BLOCK)
    }

    pub(crate) fn blocks(&self) -> u64 {
        self.blocks.load(Ordering::Acquire)
    }

    /// Writes `data` at the logical `offset`, within the length.
    pub(crate) fn write(&self, offset: u64, mut data: &[u8]) -> Result<(), Error> {
        self.check_bounds(offset, data.len())?;
        let mut at = offset;
        while !data.is_empty() {
            let (block, within) = split(at);
            let (now, rest) = data.split_at(data.len().min(BLOCK_BYTES - within));
            if block == 0 {
                self.write_header(within, now)?;
            } else if let Ok(whole) = now.try_into() {
                self.write_block(block, whole)?;
            } else {
                // The engine writes whole pages; this is for completeness.
                let mut whole = Zeroizing::new([0; BLOCK_BYTES]);
                if self.entry(block)?.is_some() {
                    self.read_blocks(block, whole.as_mut_slice())?;
                }
                whole[within..within + now.len()].copy_from_slice(now);
                self.write_block(block, &whole)?;
            }
            at += now.len() as u64;
            data = rest;
        }
        Ok(())
    }

    /// Changes the logical length, a multiple of the block.
    pub(crate) fn set_bytes(&self, bytes: u64) -> Result<(), Error> {
        if !bytes.is_multiple_of(BLOCK) {
            let message = format!("a length of {bytes} bytes was asked for");
            return Err(Error::Inconsistent(message));
        }
        self.check_writable()?;
        let blocks = bytes / BLOCK;
        let mut state = self.lock();
        if blocks < self.blocks() {
            let gone = state.tree.cut(blocks, &self.fetch())?;
            for entry in gone {
                state.drop_block(&entry);
            }
        }
        state.changed = true;
        self.blocks.store(blocks, Ordering::Release);
        Ok(())
    }

    pub(crate) fn check_bounds(&self, offset: u64, length: usize) -> Result<(), Error> {
        let bytes = self.bytes();
        match offset.checked_add(length as u64) {
            Some(end) if end <= bytes => Ok(()),
            _ => Err(Error::Inconsistent(format!(
                "{length} bytes at {offset} were asked for, of {bytes}"
            ))),
        }
    }

    pub(crate) fn check_writable(&self) -> Result<(), Error> {
        self.frozen.clone().map_or(Ok(()), Err)
    }

    /// Reads and opens a node that is not in memory. Changed nodes are, until they are committed, and what a commit
    /// sealed it has written before the next change.
    pub(crate) fn fetch(&self) -> impl Fn(Place, &Entry) -> Result<Box<Block>, Error> + '_ {
        |place, entry| self.disk.fetch(place, entry)
    }

    fn entry(&self, block: u64) -> Result<Option<Entry>, Error> {
        self.lock().tree.get(block, &self.fetch())
    }

    fn write_header(&self, within: usize, data: &[u8]) -> Result<(), Error> {
        let kept = data.len().min(HEADER_BYTES.saturating_sub(within));
        let (kept, beyond) = data.split_at(kept);
        if beyond.iter().any(|byte| *byte != 0) {
            return Err(Error::Inconsistent(
                "block 0 is used beyond its stored part".into(),
            ));
        }
        let mut state = self.lock();
        state.root.header[within..within + kept.len()].copy_from_slice(kept);
        state.changed = true;
        let primary = state.primary();
        if let Some(ending) = state.ending.take_if(|ending| ending.primary != primary) {
            state.root.commits = ending.commits;
        }
        Ok(())
    }

    fn write_block(&self, block: u64, plain: &Block) -> Result<(), Error> {
        self.check_writable()?;
        let mut state = self.lock();
        state.write(self, block, plain)
    }
}

impl State {
    /// Which half of the engine's header is active (redb's file format: the lowest bit of byte 9).
    pub(crate) fn primary(&self) -> u8 {
        self.root.header[PRIMARY_AT] & 1
    }

    /// Seals a logical block's new content for the generation under way.
    pub(crate) fn write(&mut self, vault: &Vault, block: u64, plain: &Block) -> Result<(), Error> {
        let before = self.tree.get(block, &vault.fetch())?;
        let address = match before {
            // Nobody but the generation under way knows that place yet.
            Some(before) if before.generation() == self.next => before.address,
            _ => self.space.allocate(),
        };
        let place = Place::Data(block);
        let entry = self
            .gather
            .seal(&vault.disk, place, address, self.next, plain)?;
        if let Some(before) = before {
            self.outdated -= u64::from(before.epoch != entry.epoch).min(self.outdated);
            if before.generation() != self.next {
                self.space.give_up(before.address, self.next);
            }
        }
        self.tree.set(block, &entry, &vault.fetch())
    }

    /// Gives up the block of an entry that was taken out of the tree.
    fn drop_block(&mut self, entry: &Entry) {
        if entry.generation() == self.next {
            self.space.take_back(entry.address);
        } else {
            self.space.give_up(entry.address, self.next);
        }
    }
}

/// Which block a logical byte lies in, and where in it.
pub(crate) fn split(at: u64) -> (u64, usize) {
    (at / BLOCK, (at % BLOCK) as usize)
}
