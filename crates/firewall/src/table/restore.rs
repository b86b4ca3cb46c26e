//! Makes again what somebody else has removed or changed. What they left stays in force meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use firewall_api::BlockName;
use rustix::io::Errno;

use super::read::Listed;
use super::{ELEMENTS_PER_BATCH, Table, TableError, new_generation};
use crate::bans::{Bans, Second};
use crate::clock::MS;
use crate::nft::{Batch, Elements, SetName, ban_rules, base, block_rules, lead_to, spare};

/// Bytes at most of that many elements, each removed and added with its time.
const PART_BYTES: usize = ELEMENTS_PER_BATCH * 80;

/// How much later than known a ban may end in the kernel, in seconds: both are rounded.
const ROUNDED: Second = 2;

/// What there is of the table.
#[derive(Debug, Default)]
struct Found {
    sets: BTreeSet<SetName>,
    bans: Bans,
}

impl Table {
    /// Makes everything again that somebody else is known to have changed: at once the rules and all bans, in one batch
    /// unless they are more than the kernel takes in one. Block lists of which nothing is missing stay in force; all are
    /// to be filled again ([`Self::stale`]). One that was only found in the kernel, and not put to this process, is lost
    /// if it is gone, until it is put again: the generation says so.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn restore(&mut self) -> Result<(), TableError> {
        self.generation = new_generation();
        self.restored += 1;
        let found = self.found()?;
        self.make_again(found)?;
        for block in self.blocks.values_mut() {
            block.stale |= block.content.is_some();
        }
        Ok(())
    }

    /// As [`Self::restore`] where nobody can tell whether somebody has: the rules are made again, and of bans and lists
    /// what differs. `altered` are the lists whose sets do not have what they should. Says whether anything differed.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn examine(&mut self, altered: &[Listed]) -> Result<bool, TableError> {
        let found = self.found()?;
        let mut whole = self.is_as_found(&found);
        for listed in altered {
            if let Some(block) = self.blocks.get_mut(&listed.name)
                && block.version == listed.version
            {
                (block.stale, whole) = (true, false);
            }
        }
        if !whole {
            self.generation = new_generation();
            self.restored += 1;
        }
        self.make_again(found)?;
        Ok(!whole)
    }

    fn found(&mut self) -> Result<Found, TableError> {
        let sets: BTreeSet<SetName> = self.sets()?.into_iter().map(|(set, _)| set).collect();
        let mut bans = Bans::default();
        for set in &sets {
            if matches!(set, SetName::Bans(_)) {
                self.learn(set, &mut bans)?;
            }
        }
        Ok(Found { sets, bans })
    }

    /// Whether all sets are there that should be, and the bans as they should be.
    fn is_as_found(&self, found: &Found) -> bool {
        let sets = self.keys.iter().map(|key| SetName::Bans(*key));
        let lists = self.blocks.values().flat_map(|block| block.sets.iter());
        let spared = [false, true].map(|v6| SetName::Spared { v6 });
        sets.chain(lists.cloned())
            .chain(spared)
            .all(|set| found.sets.contains(&set))
            && self.keys.iter().all(|key| {
                self.missing(*key, &found.bans).next().is_none()
                    && found
                        .bans
                        .of(*key)
                        .all(|(prefix, _)| self.bans.end(&prefix).is_some())
            })
    }

    /// The bans of that length that the kernel does not have as they should be.
    fn missing<'a>(
        &'a self,
        key: crate::nft::Key,
        found: &'a Bans,
    ) -> impl Iterator<Item = Elements> + 'a {
        let now = self.clock.now();
        let differs = move |(prefix, end): &(_, Second)| {
            *end > now
                && found
                    .end(prefix)
                    .is_none_or(|its| its.abs_diff(*end) > ROUNDED)
        };
        self.bans
            .of(key)
            .filter(differs)
            .map(move |(prefix, end)| Elements {
                prefix,
                milliseconds: u64::from(end - now) * MS,
                counter: crate::nft::Counter::default(),
            })
    }

    fn make_again(&mut self, found: Found) -> Result<(), TableError> {
        match self.put_back(&found, false) {
            // What is there under one of its names is something else.
            Err(TableError::Kernel(error))
                if matches!(
                    error.errno(),
                    Some(
                        Errno::EXIST | Errno::INVAL | Errno::OPNOTSUPP | Errno::BUSY | Errno::NOENT
                    )
                ) =>
            {
                self.put_back(&Found::default(), true)
            }
            other => other,
        }
    }

    /// Sends what `found` lacks, the table itself `anew` or as it is.
    fn put_back(&mut self, found: &Found, anew: bool) -> Result<(), TableError> {
        let room = self.socket.capacity()?.saturating_sub(PART_BYTES);
        let mut batches = Vec::new();
        let mut batch = Batch::default();
        if anew {
            // Made where it is missing, so that it can be removed with whatever is left of it.
            batch.table();
            batch.remove_table();
        }
        let whole: BTreeMap<&BlockName, &Vec<SetName>> = self
            .blocks
            .iter()
            .filter(|(_, block)| block.sets.iter().all(|set| found.sets.contains(set)))
            .map(|(name, block)| (name, &block.sets))
            .collect();
        self.begin(&mut batch);
        base(&mut batch, &self.ports);
        spare(&mut batch, &self.judge.spared());
        ban_rules(&mut batch, self.keys.iter());
        lead_to(&mut batch, whole.keys().copied());
        for (name, sets) in &whole {
            block_rules(&mut batch, name, sets.iter());
        }
        let lost: Vec<BlockName> = self
            .blocks
            .keys()
            .filter(|name| !whole.contains_key(name))
            .cloned()
            .collect();
        for key in &self.keys {
            let set = SetName::Bans(*key);
            let known = |prefix: &_| self.bans.end(prefix).is_some();
            let strange = found.bans.of(*key).map(|(prefix, _)| prefix);
            let strange: Vec<_> = strange.filter(|prefix| !known(prefix)).collect();
            for part in strange.chunks(ELEMENTS_PER_BATCH) {
                batch.remove_elements(&set, part.iter().copied());
                next_if_full(&mut batch, room, &mut batches);
            }
            let missing: Vec<Elements> = self.missing(*key, &found.bans).collect();
            for part in missing.chunks(ELEMENTS_PER_BATCH) {
                batch.renew_bans(&set, part);
                next_if_full(&mut batch, room, &mut batches);
            }
        }
        batches.push(batch);
        for batch in batches {
            self.commit(batch)?;
        }
        for name in lost {
            if let Some(block) = self.blocks.get_mut(&name) {
                if block.content.is_none() {
                    self.blocks.remove(&name);
                } else {
                    block.sets.clear();
                    block.stale = true;
                }
            }
        }
        Ok(())
    }
}

fn next_if_full(batch: &mut Batch, room: usize, full: &mut Vec<Batch>) {
    if batch.len() > room {
        full.push(std::mem::take(batch));
    }
}
