//! A key table on its medium: two slots, of which one is always whole (FORMAT.md, "Key table").

use std::sync::Arc;

use super::puncture::Cover;
use super::slot::{self, Content, SlotKey, Unreadable};
use crate::error::Error;
use crate::layout::{BLOCK, BLOCK_BYTES};
use crate::medium::Medium;
use crate::random;

/// The file. Block n of slot s is block 2n + s of the file, so that both can grow.
#[derive(Debug)]
pub(crate) struct KeyFile {
    medium: Arc<dyn Medium>,
    sequence: u64,
    /// The slot that is known to be on the disk whole: the other one is written first.
    good: u8,
    /// Blocks of each slot that may hold something.
    used: [u64; 2],
    /// Whether a call failed since the medium was last brought to a known state.
    doubtful: bool,
}

impl KeyFile {
    /// Makes a key table on an empty medium, durably.
    pub(crate) fn make(
        medium: Arc<dyn Medium>,
        key: &SlotKey,
        reserved: u64,
        cover: &Cover,
    ) -> Result<Self, Error> {
        let mut file = Self {
            medium,
            sequence: 0,
            good: 1,
            used: [0; 2],
            doubtful: false,
        };
        file.store(key, reserved, cover)?;
        Ok(file)
    }

    /// Opens the key table on `medium`. Where the slots differ, as after a crash, the older one is
    /// replaced before anything is returned: it may hold a key whose destruction had begun.
    pub(crate) fn open(medium: Arc<dyn Medium>, key: &SlotKey) -> Result<(Self, Content), Error> {
        let Found {
            content,
            good,
            alike,
            damaged,
            blocks,
        } = find(&*medium, key)?;
        let mut file = Self {
            medium,
            sequence: content.sequence,
            good,
            used: [blocks.div_ceil(2), blocks / 2],
            doubtful: false,
        };
        if damaged {
            tracing::warn!(
                "one slot of the store's key table was unfinished or damaged; rewriting it"
            );
        }
        if !alike {
            file.store(key, content.reserved, &content.cover)?;
        }
        Ok((file, content))
    }

    /// What the key table on `medium` holds. Changes nothing.
    pub(crate) fn look(medium: &dyn Medium, key: &SlotKey) -> Result<Content, Error> {
        find(medium, key).map(|found| found.content)
    }

    /// Replaces both slots, durably, one after the other. Until this returns, what it replaces may
    /// still be in the file; whenever it is interrupted, one slot is whole.
    pub(crate) fn store(
        &mut self,
        key: &SlotKey,
        reserved: u64,
        cover: &Cover,
    ) -> Result<(), Error> {
        self.replace(key, reserved, cover)?;
        self.write(key, reserved, cover)?;
        // What the table no longer needs is zeros by now; giving it back is no promise.
        let needed = self.used[0].max(self.used[1]) * 2 * BLOCK;
        if self.medium.len().is_ok_and(|bytes| bytes > needed)
            && let Err(error) = self.medium.set_len(needed)
        {
            self.doubtful = true;
            tracing::debug!("the key table could not be shortened: {error}");
        }
        Ok(())
    }

    /// Replaces one slot, durably, and leaves the other with what it had.
    pub(crate) fn replace(
        &mut self,
        key: &SlotKey,
        reserved: u64,
        cover: &Cover,
    ) -> Result<(), Error> {
        self.sequence = self.sequence.saturating_add(1);
        self.write(key, reserved, cover)
    }

    /// Writes the slot that is not known to be whole, and zeros over what else it had.
    fn write(&mut self, key: &SlotKey, reserved: u64, cover: &Cover) -> Result<(), Error> {
        if std::mem::replace(&mut self.doubtful, true) {
            settle(&*self.medium)?;
        }
        let which = 1 - self.good;
        let sealed = slot::seal(key, (self.sequence, reserved, cover), random::bytes()?)
            .map_err(|_| Error::Inconsistent("a key table that is too large".into()))?;
        let used = &mut self.used[usize::from(which)];
        let mut number = 0;
        for block in sealed.chunks(BLOCK_BYTES) {
            let mut padded = [0; BLOCK_BYTES];
            padded[..block.len()].copy_from_slice(block);
            write_block(&*self.medium, number, which, &padded)?;
            number += 1;
        }
        for stale in number..*used {
            write_block(&*self.medium, stale, which, &[0; BLOCK_BYTES])?;
        }
        *used = number.max(*used);
        self.medium
            .sync()
            .map_err(|e| Error::io("syncing the key table", e))?;
        *used = number;
        self.good = which;
        self.doubtful = false;
        Ok(())
    }
}

/// What was found on a medium.
struct Found {
    /// Of the slot that counts.
    content: Content,
    /// Which slot that is.
    good: u8,
    /// Whether the other slot holds the same.
    alike: bool,
    /// Whether the other slot does not open.
    damaged: bool,
    /// Blocks that the medium has, the last one perhaps not whole.
    blocks: u64,
}

/// Reads both slots.
fn find(medium: &dyn Medium, key: &SlotKey) -> Result<Found, Error> {
    settle(medium)?;
    let bytes = medium
        .len()
        .map_err(|e| Error::io("measuring the key table", e))?;
    let read = |which| read(medium, bytes, which).map(|bytes| slot::open(key, &bytes));
    let (first, second) = (read(0)?, read(1)?);
    let alike = matches!((&first, &second), (Ok(a), Ok(b)) if a.sequence == b.sequence);
    let damaged = first.is_ok() != second.is_ok();
    let (good, content) = match (first, second) {
        (Ok(a), Ok(b)) if b.sequence > a.sequence => (1, b),
        (Ok(a), _) => (0, a),
        (Err(_), Ok(b)) => (1, b),
        (Err(a), Err(b)) => return Err(why(a.max(b))),
    };
    Ok(Found {
        content,
        good,
        alike,
        damaged,
        blocks: bytes.div_ceil(BLOCK),
    })
}

/// Makes reads show what is on the disk.
fn settle(medium: &dyn Medium) -> Result<(), Error> {
    medium
        .sync()
        .map_err(|e| Error::io("syncing the key table", e))?;
    medium
        .forget()
        .map_err(|e| Error::io("dropping the key table's cache", e))
}

fn place(block: u64, which: u8) -> u64 {
    (2 * block + u64::from(which)) * BLOCK
}

fn write_block(
    medium: &dyn Medium,
    block: u64,
    which: u8,
    bytes: &[u8; BLOCK_BYTES],
) -> Result<(), Error> {
    medium
        .write_at(place(block, which), bytes)
        .map_err(|e| Error::io("writing the key table", e))
}

/// The bytes of one slot, as far as the file goes and its head says.
fn read(medium: &dyn Medium, bytes: u64, which: u8) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let mut needed = slot::HEAD_BYTES;
    for block in 0.. {
        let at = place(block, which);
        let there = usize::try_from(bytes.saturating_sub(at)).unwrap_or(BLOCK_BYTES);
        let there = there.min(BLOCK_BYTES);
        if out.len() >= needed || there == 0 {
            break;
        }
        let start = out.len();
        out.resize(start + there, 0);
        medium
            .read_at(at, &mut out[start..])
            .map_err(|e| Error::io("reading the key table", e))?;
        if block == 0 {
            needed = slot::content_bytes(&out).map_or(0, |content| slot::HEAD_BYTES + content);
        }
        if there < BLOCK_BYTES {
            break;
        }
    }
    Ok(out)
}

fn why(reason: Unreadable) -> Error {
    match reason {
        Unreadable::Unsupported { version, suite } => Error::KeysUnsupported { version, suite },
        Unreadable::OtherStore => Error::KeysOfAnother,
        Unreadable::OtherKey => Error::KeysWrongKey,
        Unreadable::Foreign | Unreadable::Damaged => Error::KeysDamaged,
    }
}
