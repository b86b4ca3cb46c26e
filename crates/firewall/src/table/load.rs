//! Block lists are put in force. A list is filled into sets of its own beside those in force, in many small batches
//! between which bans get their turn; one batch more puts it in force and removes the one before.

use std::sync::Arc;

use firewall_api::BlockName;
use firewall_api::limits::{BLOCK_ENTRIES_MAX, BLOCKS_MAX};

use super::{Block, ELEMENTS_PER_BATCH, Table, TableError, Turns};
use crate::block::Content;
use crate::nft::{Batch, SetName, block_rules, lead_to, unblock};

/// A list that is being filled.
#[derive(Debug)]
pub struct Loading<'a> {
    table: &'a Turns,
    name: BlockName,
    /// Whether it is put to this process, or was before.
    again: bool,
}

/// Which version of a list is filled, and how often the table had been restored when that began.
#[derive(Debug, Clone, Copy)]
struct Turn {
    version: u32,
    restored: u64,
}

impl<'a> Loading<'a> {
    /// A list of that name for that table.
    #[must_use]
    pub const fn new(table: &'a Turns, name: BlockName) -> Self {
        Self {
            table,
            name,
            again: false,
        }
    }

    /// A list that was put before and may have been changed by somebody else.
    #[must_use]
    pub const fn again(table: &'a Turns, name: BlockName) -> Self {
        Self {
            table,
            name,
            again: true,
        }
    }

    /// Puts the list in force, in place of the one of its name.
    ///
    /// # Errors
    /// Whatever the kernel says; then the one before is in force.
    pub fn load(self, content: impl Into<Arc<Content>>) -> Result<usize, TableError> {
        let content = content.into();
        let turn = self.table.next().next_turn(&self.name, content.len())?;
        let filled = self.fill(&content, turn.version);
        let mut table = self.table.next();
        let done = filled.and_then(|sets| {
            if self.again && !table.blocks.contains_key(&self.name) {
                return Err(TableError::Overtaken);
            }
            table.put_in_force(&self.name, turn, sets, content)
        });
        if done.is_err() {
            table.remove_unfinished(&self.name, turn.version);
        }
        done
    }

    fn fill(&self, content: &Content, version: u32) -> Result<Vec<SetName>, TableError> {
        let mut sets = Vec::new();
        for (key, entries) in content.parts() {
            let set = SetName::Block {
                name: self.name.clone(),
                key,
                version,
            };
            let size = u32::try_from(entries.len()).unwrap_or(u32::MAX);
            for start in (0..entries.len()).step_by(ELEMENTS_PER_BATCH) {
                let end = (start + ELEMENTS_PER_BATCH).min(entries.len());
                let mut batch = Batch::default();
                if start == 0 {
                    batch.set(&set, size);
                }
                batch.add_elements(&set, entries.prefixes(key, start..end));
                self.table.last().commit(batch)?;
            }
            sets.push(set);
        }
        Ok(sets)
    }
}

impl Table {
    fn next_turn(&mut self, name: &BlockName, entries: usize) -> Result<Turn, TableError> {
        if !self.blocks.contains_key(name) && self.blocks.len() >= BLOCKS_MAX {
            return Err(TableError::ListsFull);
        }
        let others = self.blocks.iter().filter(|(other, _)| *other != name);
        let together = others.map(|(_, block)| block.entries).sum::<usize>() + entries;
        if together > BLOCK_ENTRIES_MAX {
            return Err(TableError::EntriesFull(together));
        }
        self.version += 1;
        Ok(Turn {
            version: self.version,
            restored: self.restored,
        })
    }

    /// A list that is to be filled again, with what it has.
    #[must_use]
    pub fn stale(&self) -> Vec<(BlockName, Arc<Content>)> {
        let stale = self.blocks.iter().filter(|(_, block)| block.stale);
        stale
            .filter_map(|(name, block)| Some((name.clone(), Arc::clone(block.content.as_ref()?))))
            .collect()
    }

    /// Whether there is such a list.
    #[must_use]
    pub fn has_stale(&self) -> bool {
        self.blocks.values().any(|block| block.stale)
    }

    fn put_in_force(
        &mut self,
        name: &BlockName,
        turn: Turn,
        sets: Vec<SetName>,
        content: Arc<Content>,
    ) -> Result<usize, TableError> {
        let before = self.blocks.get(name);
        if before.is_some_and(|before| before.version > turn.version) {
            return Err(TableError::Overtaken);
        }
        let mut batch = Batch::default();
        block_rules(&mut batch, name, sets.iter());
        if before.is_none_or(|before| before.sets.is_empty()) {
            let others = self.blocks.keys().filter(|other| *other != name);
            lead_to(&mut batch, others.chain([name]));
        }
        for set in before.into_iter().flat_map(|before| &before.sets) {
            batch.remove_set(set);
        }
        self.commit(batch)?;
        let entries = content.len();
        let block = Block {
            version: turn.version,
            sets,
            entries,
            content: Some(content),
            // What was restored meanwhile may have been what was filled.
            stale: turn.restored != self.restored,
        };
        self.blocks.insert(name.clone(), block);
        Ok(entries)
    }

    /// Removes what a list that was not put in force has left. What stays is removed when the table is next taken over.
    fn remove_unfinished(&mut self, name: &BlockName, version: u32) {
        let Ok(sets) = self.sets() else { return };
        let mut batch = Batch::default();
        for (set, _) in &sets {
            if matches!(set, SetName::Block { name: its, version: number, .. } if its == name && *number == version)
            {
                batch.remove_set(set);
            }
        }
        if let Err(error) = self.commit(batch) {
            tracing::warn!(
                "what was read of a block list that is not in force stays in the kernel's memory: {error}"
            );
        }
    }

    /// Ends a list, and says whether there was one.
    ///
    /// # Errors
    /// Whatever the kernel says; then it is still in force.
    pub fn remove_block(&mut self, name: &BlockName) -> Result<bool, TableError> {
        if !self.blocks.contains_key(name) {
            return Ok(false);
        }
        self.change(|table, batch| {
            unblock(
                batch,
                name,
                table.blocks.keys().filter(|other| *other != name),
            );
            for set in table
                .blocks
                .get(name)
                .into_iter()
                .flat_map(|block| &block.sets)
            {
                batch.remove_set(set);
            }
        })?;
        self.blocks.remove(name);
        Ok(true)
    }
}
