//! Takes over what an earlier process left in the kernel.

use std::collections::BTreeMap;

use firewall_api::BlockName;
use rustix::io::Errno;

use super::judged::end;
use super::{Block, Table, TableError, Tenure};
use crate::bans::Bans;
use crate::clock::MS;
use crate::netlink::SocketError;
use crate::nft::{
    Batch, SetName, ban_rules, base, elements, lead_to, list_elements, list_sets, set_of, spare,
};

/// How often to begin again where the table changes while it is read.
const READS_MAX: u32 = 5;

impl Table {
    pub(super) fn take_over(&mut self) -> Result<(), TableError> {
        let sets = self.sets()?;
        let mut versions = BTreeMap::<BlockName, u32>::new();
        let mut bans = Bans::default();
        for (set, _) in &sets {
            match set {
                SetName::Bans(key) => {
                    self.keys.insert(*key);
                    self.learn(set, &mut bans)?;
                }
                SetName::Spared { .. } => {}
                SetName::Block { name, version, .. } => {
                    self.version = self.version.max(*version);
                    let lowest = versions.entry(name.clone()).or_insert(*version);
                    *lowest = (*lowest).min(*version);
                }
            }
        }
        self.bans = bans;
        // Of a list's versions the oldest is in force: a newer one replaces it in the batch that puts it in force.
        let (mut unfinished, mut blocks) = (Vec::new(), BTreeMap::<BlockName, Block>::new());
        for (set, size) in sets {
            let SetName::Block { name, version, .. } = &set else {
                continue;
            };
            if versions.get(name) == Some(version) {
                let block = blocks.entry(name.clone()).or_insert(Block {
                    version: *version,
                    sets: Vec::new(),
                    entries: 0,
                    content: None,
                    stale: false,
                });
                block.entries += usize::try_from(size).unwrap_or(usize::MAX);
                block.sets.push(set);
            } else {
                unfinished.push(set);
            }
        }
        // A list that was new is not in force before it is whole.
        let leading = self.led_to(&blocks)?;
        for (name, block) in blocks {
            if leading.contains(&name) {
                self.blocks.insert(name, block);
            } else {
                unfinished.extend(block.sets);
            }
        }
        let taken = self.establish(&unfinished);
        match taken {
            Err(TableError::Kernel(error))
                if self.tenure == Tenure::Owned
                    && matches!(error.errno(), Some(Errno::OPNOTSUPP | Errno::INVAL)) =>
            {
                self.tenure = Tenure::Shared;
                self.establish(&unfinished)
            }
            other => other,
        }
    }

    /// Makes the rules and ends what is not permitted, in one batch.
    fn establish(&mut self, unfinished: &[SetName]) -> Result<(), TableError> {
        let refused = self.refused();
        let mut batch = Batch::default();
        self.begin(&mut batch);
        base(&mut batch, &self.ports);
        spare(&mut batch, &self.judge.spared());
        ban_rules(&mut batch, self.keys.iter());
        // No more than that: an empty list has no sets, and its chain would be led to for good.
        lead_to(&mut batch, self.blocks.keys());
        end(&mut batch, &refused);
        for set in unfinished {
            batch.remove_set(set);
        }
        self.commit(batch)?;
        self.forget(&refused);
        Ok(())
    }

    /// Has the batch make the table, or take it.
    pub(super) fn begin(&self, batch: &mut Batch) {
        match self.tenure {
            Tenure::Owned => batch.own_table(),
            Tenure::Shared => batch.table(),
        }
    }

    /// The sets of the table, and for how many elements each was made; none where there is no table.
    pub(super) fn sets(&mut self) -> Result<Vec<(SetName, u32)>, TableError> {
        for _ in 0..READS_MAX {
            let mut sets = Vec::new();
            let read = self.socket.ask(list_sets, |message| {
                sets.extend(set_of(message)?);
                Ok::<_, TableError>(())
            });
            match read {
                Ok(()) => return Ok(sets),
                Err(TableError::Kernel(SocketError::Interrupted)) => {}
                Err(TableError::Kernel(error)) if error.errno() == Some(Errno::NOENT) => {
                    return Ok(Vec::new());
                }
                Err(error) => return Err(error),
            }
        }
        Err(SocketError::Interrupted.into())
    }

    /// Notes the bans that are in a set. Changes meanwhile are those of others' tables or of time.
    pub(super) fn learn(&mut self, set: &SetName, bans: &mut Bans) -> Result<(), TableError> {
        let now = self.clock.now();
        let read = self.socket.ask(
            |number| list_elements(number, set),
            |message| {
                for element in elements(message, set)? {
                    let element = element?;
                    let seconds =
                        u32::try_from(element.milliseconds.div_ceil(MS)).unwrap_or(u32::MAX);
                    bans.put(&element.prefix, now.saturating_add(seconds));
                }
                Ok::<_, TableError>(())
            },
        );
        match read {
            Err(TableError::Kernel(SocketError::Interrupted)) => Ok(()),
            other => other,
        }
    }
}
