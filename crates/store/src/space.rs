//! Which blocks of the file are in use (FORMAT.md, "Space"). Pure; it is never stored: opening a
//! store learns it from the tree.

use std::collections::VecDeque;

use crate::layout::{POOL_AT, SLOTS};

const WORD_BITS: u64 = u64::BITS as u64;
/// Free blocks are looked for only while at least one block in so many is free; below that the
/// file grows instead, so that what is written together lies together.
const FREE_ONE_IN: u64 = 8;
/// Free blocks at the end of the file that are worth giving back (1 MiB).
const TRIM_BLOCKS: u64 = 256;

/// The map of the pool.
#[derive(Debug, Default)]
pub(crate) struct Space {
    /// A bit a block, set where it is in use or not yet to be used again.
    used: Vec<u64>,
    /// Blocks that the map covers; the file is to be this long at most.
    blocks: u64,
    free: u64,
    /// Where to look next.
    cursor: u64,
    /// Blocks given up, by the generation that gave them up.
    pending: VecDeque<(u64, Vec<u64>)>,
    /// Set where the file is to become short, and free blocks are used from its start on.
    packing: bool,
    /// Set where not all of the tree could be read: what is free is then unknown.
    grow_only: bool,
}

impl Space {
    /// An empty file's.
    pub(crate) fn new() -> Self {
        let mut space = Self::default();
        for address in 0..POOL_AT {
            space.occupy(address);
        }
        space
    }

    /// Notes a block in use, while opening. False where it was in use already.
    pub(crate) fn occupy(&mut self, address: u64) -> bool {
        if address >= self.blocks {
            self.extend(address + 1);
        }
        let (word, bit) = place(address);
        let Some(word) = self.used.get_mut(word) else {
            return false;
        };
        let was_free = *word & bit == 0;
        *word |= bit;
        self.free -= u64::from(was_free);
        was_free
    }

    /// From now on the file only grows, from `blocks` on.
    pub(crate) fn grow_only(&mut self, blocks: u64) {
        self.cover(blocks);
        self.grow_only = true;
    }

    /// Takes the blocks that the file has into the map; those that are not in use are free.
    pub(crate) fn cover(&mut self, blocks: u64) {
        self.extend(blocks.max(self.blocks));
    }

    fn extend(&mut self, blocks: u64) {
        let words = usize::try_from(blocks.div_ceil(WORD_BITS)).unwrap_or(usize::MAX);
        self.used.resize(words, 0);
        self.free += blocks - self.blocks;
        self.blocks = blocks;
    }

    /// Blocks that the file has or is about to have.
    pub(crate) const fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Blocks in use, those that cannot be used again yet among them.
    pub(crate) const fn used(&self) -> u64 {
        self.blocks - self.free
    }

    /// A free block, behind the last one where possible.
    pub(crate) fn allocate(&mut self) -> u64 {
        let plenty = self.packing || self.free > self.blocks / FREE_ONE_IN;
        let found = (!self.grow_only && self.free > 0)
            .then(|| {
                let ahead = self.next_free(self.cursor);
                ahead.or_else(|| plenty.then(|| self.next_free(POOL_AT)).flatten())
            })
            .flatten();
        let address = found.unwrap_or(self.blocks);
        self.occupy(address);
        self.cursor = address + 1;
        address
    }

    /// From now on free blocks are used from the start of the file on, as long as there are any.
    pub(crate) const fn pack(&mut self) {
        self.packing = true;
        self.cursor = POOL_AT;
    }

    fn next_free(&self, from: u64) -> Option<u64> {
        let (first, bit) = place(from);
        let mut mask = !(bit - 1);
        for (index, word) in self.used.iter().enumerate().skip(first) {
            let free = !word & mask;
            if free != 0 {
                let address = index as u64 * WORD_BITS + u64::from(free.trailing_zeros());
                return (address < self.blocks).then_some(address);
            }
            mask = u64::MAX;
        }
        None
    }

    /// Gives up a block that no generation from `generation` on needs.
    pub(crate) fn give_up(&mut self, address: u64, generation: u64) {
        match self.pending.back_mut() {
            Some((last, addresses)) if *last == generation => addresses.push(address),
            _ => self.pending.push_back((generation, vec![address])),
        }
    }

    /// Frees a block that no durable generation has ever named.
    pub(crate) fn take_back(&mut self, address: u64) {
        let (word, bit) = place(address);
        if let Some(word) = self.used.get_mut(word)
            && *word & bit != 0
        {
            *word &= !bit;
            self.free += 1;
        }
    }

    /// Frees what neither the last root slots nor `pinned`, the oldest generation that someone
    /// reads, can need, now that `durable` is on the disk.
    pub(crate) fn release(&mut self, durable: u64, pinned: Option<u64>) {
        while let Some((generation, _)) = self.pending.front()
            && generation + SLOTS - 1 <= durable
            && pinned.is_none_or(|pinned| *generation <= pinned)
            && let Some((_, addresses)) = self.pending.pop_front()
        {
            for address in addresses {
                self.take_back(address);
            }
        }
    }

    /// Cuts free blocks off the end where they are worth it, or are `all` to go; returns the
    /// blocks that the file shall have then.
    pub(crate) fn trim(&mut self, all: bool) -> Option<u64> {
        if self.grow_only {
            return None;
        }
        let last = self.used.iter().rposition(|word| *word != 0)?;
        let word = self.used.get(last)?;
        let end = (last as u64 + 1) * WORD_BITS - u64::from(word.leading_zeros());
        let surplus = self.blocks.saturating_sub(end);
        if surplus == 0 || !all && surplus < TRIM_BLOCKS.max(self.blocks / FREE_ONE_IN) {
            return None;
        }
        self.used.truncate(last + 1);
        self.free -= surplus;
        self.blocks = end;
        self.cursor = self.cursor.min(end);
        Some(end)
    }
}

const fn place(address: u64) -> (usize, u64) {
    ((address / WORD_BITS) as usize, 1 << (address % WORD_BITS))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// No block is given out that a generation within reach, or a pinned one, still needs.
        #[test]
        fn nothing_in_reach_is_overwritten(steps in prop::collection::vec((0..6_u8, any::<u8>()), 1..300)) {
            let mut space = Space::new();
            // Blocks of each durable generation, and of the one under way.
            let mut durable: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::from([(1, BTreeSet::new())]);
            let mut now = BTreeSet::new();
            let mut pin = None;
            for (step, pick) in steps {
                let generation = *durable.keys().next_back().unwrap_or(&1);
                match step {
                    0..=2 => {
                        let address = space.allocate();
                        prop_assert!(address >= POOL_AT && !now.contains(&address));
                        let oldest = pin.unwrap_or(generation).min(generation.saturating_sub(SLOTS - 1));
                        for (_, blocks) in durable.range(oldest..) {
                            prop_assert!(!blocks.contains(&address));
                        }
                        now.insert(address);
                    }
                    3 => {
                        if let Some(address) = now.iter().nth(usize::from(pick) % now.len().max(1)).copied() {
                            now.remove(&address);
                            let fresh = !durable[&generation].contains(&address);
                            if fresh { space.take_back(address) } else { space.give_up(address, generation + 1) }
                        }
                    }
                    4 => {
                        durable.insert(generation + 1, now.clone());
                        space.release(generation + 1, pin);
                        if let Some(end) = space.trim(pick < 128) {
                            prop_assert!(now.iter().all(|address| *address < end));
                        }
                    }
                    _ => pin = if pin.is_none() { Some(generation) } else { None },
                }
            }
        }
    }

    #[test]
    fn blocks_follow_each_other_and_are_used_again() {
        let mut space = Space::new();
        let first: Vec<u64> = (0..100).map(|_| space.allocate()).collect();
        assert_eq!(first, (POOL_AT..POOL_AT + 100).collect::<Vec<_>>());
        for address in &first[..50] {
            space.give_up(*address, 2);
        }
        space.release(4, None);
        assert_eq!(space.allocate(), POOL_AT + 100);
        space.release(5, Some(1));
        assert_eq!(space.used(), POOL_AT + 101);
        space.release(5, None);
        assert_eq!(space.used(), POOL_AT + 51);
        assert_eq!(space.allocate(), POOL_AT);
    }
}
