//! Making a generation durable (FORMAT.md, "Commits").

use std::time::{SystemTime, UNIX_EPOCH};

use crate::disk::Gather;
use crate::error::Error;
use crate::layout::{Block, slot_copies, slot_of};
use crate::mark::Mark;
use crate::slot::Root;
use crate::vault::{Ending, State, Vault};

/// Blocks that a commit writes at most (4 MiB) before it syncs twice instead of once. Opening after
/// a crash reads the last commit's blocks again, unless it synced twice.
const UNSETTLED_BLOCKS_MAX: u64 = 1024;

impl Vault {
    /// Lets the syncs of the engine's commit pass until it has written what makes it valid: its
    /// two-phase commit syncs before as well, so that no state between the two can be torn, but here
    /// each generation is whole or not there. What makes it valid also raises the count of
    /// transactions to `commits`. Call [`Self::finish`] once the engine's commit has returned.
    pub(crate) fn expect_commit(&self, commits: u64) {
        let mut state = self.lock();
        let primary = state.primary();
        state.ending = Some(Ending { commits, primary });
    }

    /// Returns once everything written will survive a power cut.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        let mut state = self.lock();
        if self.frozen.is_some() || state.ending.is_some() || state.nascent {
            return Ok(());
        }
        self.commit(&mut state, false)
    }

    /// Makes what the engine has written durable, once it can open that. What it syncs before, while
    /// it makes a new store, never comes to be on the disk.
    pub(crate) fn born(&self) -> Result<(), Error> {
        if !std::mem::take(&mut self.lock().nascent) {
            return Ok(());
        }
        self.sync()
    }

    /// Makes sure that the engine's commit is durable, however often it synced.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        if self.lock().ending.take().is_some() {
            let message = "the engine committed without saying so";
            return Err(Error::Inconsistent(message.into()));
        }
        self.sync()
    }

    /// Ends the use of the file: what is on the disk then needs no check on opening.
    pub(crate) fn close(&self) -> Result<(), Error> {
        if self.frozen.is_some() || self.lock().nascent {
            return Ok(());
        }
        self.commit(&mut self.lock(), true)?;
        // Carries the last commit's settled record.
        self.disk.sync()?;
        self.settle()
    }

    /// Makes what the anchor knows durable.
    pub(crate) fn settle(&self) -> Result<(), Error> {
        let anchor = self.anchor.as_ref();
        anchor.map_or(Ok(()), |anchor| anchor.settle())
    }

    /// Names the newest durable state.
    pub(crate) fn mark(&self) -> Mark {
        let state = self.lock();
        mark(self, &state)
    }

    /// Writes the generation under way, if there is anything to write.
    pub(crate) fn commit(&self, state: &mut State, settle: bool) -> Result<(), Error> {
        if !state.changed && !state.tree.is_changed() {
            return Ok(());
        }
        self.check_writable()?;
        let generation = state.next;
        self.seal_nodes(state, generation)?;
        state.gather.flush(&self.disk)?;
        let mut root = state.root.clone();
        root.settled = settle || state.gather.count() > UNSETTLED_BLOCKS_MAX;
        if root.settled {
            self.disk.sync()?;
        }
        root.generation = generation;
        root.at = now();
        root.blocks = self.blocks();
        root.anchored |= self.anchor.is_some();
        (root.level, root.entry) = state.tree.root();
        let sealed = self.seal_root(&root, &mut state.gather)?;
        let copies = slot_copies(slot_of(generation));
        for address in copies {
            self.disk.write(address, &sealed)?;
        }
        self.disk.sync()?;
        if !root.settled {
            // Reaches the disk sometime, and says that what is missing from then on was damaged
            // and not cut off. The first copy stays, should this be torn.
            root.settled = true;
            let sealed = self.seal_root(&root, &mut state.gather)?;
            if let Err(error) = self.disk.write(copies[1], &sealed) {
                tracing::warn!("damage to the last commit might pass for a power cut: {error}");
            }
        }
        state.root = root;
        self.committed(state);
        Ok(())
    }

    fn seal_root(&self, root: &Root, gather: &mut Gather) -> Result<Block, Error> {
        root.seal(&self.disk.keyring(), gather.random()?)
            .map_err(|_| Error::Inconsistent("the root could not be sealed".into()))
    }

    fn seal_nodes(&self, state: &mut State, generation: u64) -> Result<(), Error> {
        let State {
            tree,
            space,
            gather,
            outdated,
            ..
        } = state;
        tree.seal(&self.fetch(), &mut |place, node, before| {
            let address = space.allocate();
            let entry = gather.seal(&self.disk, place, address, generation, node.bytes())?;
            if let Some(before) = before {
                *outdated -= u64::from(before.epoch != entry.epoch).min(*outdated);
                space.give_up(before.address, generation);
            }
            Ok(entry)
        })
    }

    /// Takes note that the root is on the disk.
    fn committed(&self, state: &mut State) {
        let generation = state.root.generation;
        state.next = generation.saturating_add(1);
        state.changed = false;
        state.gather.restart();
        // A copy of the running machine would seal other content with what is left of these.
        state.gather.forget_random();
        state.tree.shed();
        let pinned = state.pins.keys().next().copied();
        state.space.release(generation, pinned);
        // Failure only leaves the file longer.
        if let Some(blocks) = state.space.trim(false)
            && let Err(error) = self.disk.set_blocks(blocks)
        {
            tracing::warn!("the store's file could not be shortened: {error}");
        }
        if let Some(anchor) = &self.anchor
            && let Err(error) = anchor.advance(&mark(self, state))
        {
            tracing::warn!("an older copy of the store might go unnoticed: {error}");
        }
    }
}

fn mark(vault: &Vault, state: &State) -> Mark {
    state.root.mark(vault.disk.keyring().file())
}

/// The time for people to read, in seconds since 1970; nothing is decided by it.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
