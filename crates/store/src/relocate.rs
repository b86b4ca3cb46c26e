//! Sealing blocks anew at another place of the file: for a new data key, and to make the file short.

use zeroize::Zeroizing;

use crate::entry::{Entry, FAN_OUT};
use crate::error::Error;
use crate::layout::{BLOCK_BYTES, SLOTS};
use crate::renew::STEP_BLOCKS;
use crate::seal::Place;
use crate::vault::{State, Vault};
use crate::watch::{Step, Unit, Watch};

/// Times that blocks are moved towards the start of the file at most: moving needs space itself.
const PASSES_MAX: u32 = 8;
/// A file is short enough when at most one block in so many is free.
const FREE_ONE_IN: u64 = 64;

/// Whether a block is to be sealed anew.
type Choose<'c> = &'c dyn Fn(&Entry) -> bool;

impl State {
    /// Seals the chosen ones among a leaf and its blocks anew.
    pub(crate) fn move_blocks(
        &mut self,
        vault: &Vault,
        leaf: u64,
        choose: Choose<'_>,
    ) -> Result<(), Error> {
        let fetch = vault.fetch();
        let Some((node, of_leaf)) = self.tree.leaf(leaf, &fetch)? else {
            return Ok(());
        };
        for (child, entry) in node.children().filter(|(_, entry)| choose(entry)) {
            let block = leaf * FAN_OUT + child;
            let mut plain = Zeroizing::new([0; BLOCK_BYTES]);
            // What a transaction that was given up had written may not have reached the file.
            match self.gather.waiting(entry.address) {
                Some(sealed) => plain.copy_from_slice(sealed),
                None => vault.disk.read(entry.address, plain.as_mut_slice())?,
            }
            let place = Place::Data(block);
            vault.disk.open(place, &entry, plain.as_mut_slice())?;
            self.write(vault, block, &plain)?;
        }
        let above = self.tree.above(leaf, &fetch)?;
        let above = above.filter(|_| leaf.is_multiple_of(FAN_OUT));
        // The top is sealed anew with whatever changes, so something must.
        if leaf == 0 || of_leaf.iter().chain(&above).any(choose) {
            self.tree.touch(leaf, &fetch)?;
        }
        Ok(())
    }
}

impl Vault {
    /// Moves blocks from the end of the file to free places before, and cuts the end off. The
    /// engine must have nothing uncommitted. Stops, where `watch` says so, only once what was moved
    /// is committed.
    pub(crate) fn shorten(&self, watch: &mut Watch<'_>) -> Result<(), Error> {
        self.check_writable()?;
        let mut step = Step {
            doing: "shortening the file",
            unit: Unit::Blocks,
            done: 0,
            of: Some(self.blocks()),
        };
        let mut state = self.lock();
        for _ in 0..PASSES_MAX {
            // What the last commits gave up is free after as many more.
            for _ in 0..SLOTS {
                state.changed = true;
                self.commit(&mut state, false)?;
            }
            if let Some(blocks) = state.space.trim(true) {
                self.disk.set_blocks(blocks)?;
            }
            let limit = state.space.used();
            if state.space.blocks() - limit <= limit / FREE_ONE_IN {
                break;
            }
            state.space.pack();
            step.done = 0;
            step.show(watch)?;
            for leaf in 0..self.blocks().div_ceil(FAN_OUT) {
                state.move_blocks(self, leaf, &|entry| entry.address >= limit)?;
                if state.gather.count() >= STEP_BLOCKS {
                    self.commit(&mut state, false)?;
                    step.done = leaf * FAN_OUT;
                    step.show(watch)?;
                }
            }
            self.commit(&mut state, false)?;
        }
        Ok(())
    }
}
