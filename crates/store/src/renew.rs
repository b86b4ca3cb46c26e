//! Changing keys: another credential key at once, another data key block by block
//! (FORMAT.md, "Keys").

use secret::Key;

use crate::entry::FAN_OUT;
use crate::error::Error;
use crate::layout::{POOL_AT, SLOTS};
use crate::recover::{data_key, write_superblock};
use crate::superblock::Superblock;
use crate::vault::Vault;

/// Blocks that one step seals anew at most; it bounds how long a write waits for a step.
pub(crate) const STEP_BLOCKS: u64 = 256;

/// How far the sealing anew has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Blocks that are still sealed with an old data key.
    pub outdated: u64,
    /// Blocks that the store has.
    pub blocks: u64,
}

impl Vault {
    /// Adds a data key, which seals whatever is written from now on.
    pub(crate) fn renew(&self, superblock: &mut Superblock, key: &Key) -> Result<(), Error> {
        self.check_writable()?;
        let mut state = self.lock();
        let last = superblock.keys.last().map_or(0, |data| data.epoch);
        let epoch = last.checked_add(1).ok_or(Error::TooManyDataKeys)?;
        let mut renewed = superblock.clone();
        renewed.sequence = superblock.sequence.saturating_add(1);
        renewed.keys.push(data_key(epoch)?);
        write_superblock(&self.disk, &renewed, key)?;
        // Nothing may be sealed with a key that a power cut could still take away.
        self.disk.set_keyring(renewed.keyring());
        *superblock = renewed;
        state.outdated = state.space.used().saturating_sub(POOL_AT);
        state.renewing = 0;
        Ok(())
    }

    /// Wraps the data keys under another credential key.
    pub(crate) fn rekey(&self, superblock: &mut Superblock, key: &Key) -> Result<(), Error> {
        self.check_writable()?;
        // Nobody is to copy a superblock that is half written.
        let _state = self.lock();
        let mut rewrapped = superblock.clone();
        rewrapped.sequence = superblock.sequence.saturating_add(1);
        write_superblock(&self.disk, &rewrapped, key)?;
        *superblock = rewrapped;
        Ok(())
    }

    pub(crate) fn progress(&self) -> Progress {
        let state = self.lock();
        Progress {
            outdated: state.outdated,
            blocks: state.space.used().saturating_sub(POOL_AT),
        }
    }

    /// Seals some blocks anew with the newest data key, and commits them. The engine must have
    /// nothing uncommitted. When all are, the old data keys go; returns whether that is so.
    pub(crate) fn renew_step(&self, superblock: &mut Superblock, key: &Key) -> Result<bool, Error> {
        if superblock.keys.len() < 2 {
            return Ok(true);
        }
        self.check_writable()?;
        let mut state = self.lock();
        let leaves = self.blocks().div_ceil(FAN_OUT);
        let epoch = self.disk.keyring().epoch();
        while state.renewing < leaves && state.gather.count() < STEP_BLOCKS {
            let leaf = state.renewing;
            state.move_blocks(self, leaf, &|entry| entry.epoch != epoch)?;
            state.renewing += 1;
        }
        if state.renewing < leaves || state.tree.is_changed() {
            self.commit(&mut state, false)?;
            return Ok(false);
        }
        // The last root slots still need the old keys: write them all once more.
        for _ in 0..SLOTS {
            state.changed = true;
            self.commit(&mut state, false)?;
        }
        let mut cleared = superblock.clone();
        cleared.sequence = superblock.sequence.saturating_add(1);
        let newest = cleared.keys.pop();
        cleared.keys = newest.into_iter().collect();
        write_superblock(&self.disk, &cleared, key)?;
        self.disk.set_keyring(cleared.keyring());
        *superblock = cleared;
        state.outdated = 0;
        Ok(true)
    }
}
