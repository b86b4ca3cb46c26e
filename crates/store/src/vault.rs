//! The encrypted block device: logical bytes above, sealed blocks below.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secret::Key;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::found::{Found, inspect};
use crate::header::{Current, HEADER_BYTES};
use crate::layout::{
    BLOCK, BLOCK_BYTES, NONCE_BYTES, SEALED_BYTES, SLOTS_AT, block_at, file_bytes,
};
use crate::medium::Medium;
use crate::random;
use crate::seal::{Place, Sealer};

/// Sealed blocks that one system call moves at most; bounds the scratch memory.
const RUN_BLOCKS: usize = 64;

/// One opened file.
pub(crate) struct Vault {
    medium: Arc<dyn Medium>,
    sealer: Sealer,
    current: Mutex<Current>,
    blocks: AtomicU64,
    /// Whether data blocks were written since the last successful sync.
    blocks_written: AtomicBool,
    /// Why nothing may be written; header writes then stay in memory.
    frozen: Option<Error>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    /// Opens the store on `medium`. What an earlier process left in the cache is made durable
    /// first, and what did not become durable is forgotten.
    ///
    /// With `frozen`, the reason why the medium cannot be written, it is only read.
    pub(crate) fn open(
        medium: Arc<dyn Medium>,
        key: &Key,
        frozen: Option<Error>,
    ) -> Result<Self, Error> {
        let Found { sealer, current } = inspect(&*medium, key, frozen.is_none())?;
        let blocks = current.header.blocks;
        Ok(Self {
            medium,
            sealer,
            current: Mutex::new(current),
            blocks: AtomicU64::new(blocks),
            blocks_written: AtomicBool::new(false),
            frozen,
        })
    }

    /// Logical length in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.blocks.load(Ordering::Acquire).saturating_mul(BLOCK)
    }

    /// Fills `out` with the logical bytes from `offset`.
    pub(crate) fn read(&self, offset: u64, mut out: &mut [u8]) -> Result<(), Error> {
        self.check_bounds(offset, out.len())?;
        let mut at = offset;
        while !out.is_empty() {
            let (block, within) = split(at);
            let blocks = out.len() / BLOCK_BYTES;
            let (now, rest) = if block > 0 && within == 0 && blocks > 0 {
                let (now, rest) = out.split_at_mut(blocks.min(RUN_BLOCKS) * BLOCK_BYTES);
                self.read_blocks(block, now)?;
                (now.len(), rest)
            } else {
                let (now, rest) = out.split_at_mut(out.len().min(BLOCK_BYTES - within));
                let mut whole = Zeroizing::new([0; BLOCK_BYTES]);
                self.read_whole(block, &mut whole)?;
                now.copy_from_slice(&whole[within..within + now.len()]);
                (now.len(), rest)
            };
            at += now as u64;
            out = rest;
        }
        Ok(())
    }

    /// Writes `data` at the logical `offset`, within the length.
    pub(crate) fn write(&self, offset: u64, mut data: &[u8]) -> Result<(), Error> {
        self.check_bounds(offset, data.len())?;
        let mut at = offset;
        while !data.is_empty() {
            let (block, within) = split(at);
            let blocks = data.len() / BLOCK_BYTES;
            let (now, rest) = if block > 0 && within == 0 && blocks > 0 {
                let (now, rest) = data.split_at(blocks.min(RUN_BLOCKS) * BLOCK_BYTES);
                self.write_blocks(block, now)?;
                (now.len(), rest)
            } else {
                let (now, rest) = data.split_at(data.len().min(BLOCK_BYTES - within));
                if block == 0 {
                    self.write_header(within, now)?;
                } else {
                    let mut whole = Zeroizing::new([0; BLOCK_BYTES]);
                    self.read_or_zero(block, &mut whole)?;
                    whole[within..within + now.len()].copy_from_slice(now);
                    self.write_blocks(block, whole.as_slice())?;
                }
                (now.len(), rest)
            };
            at += now as u64;
            data = rest;
        }
        Ok(())
    }

    /// Changes the logical length, a multiple of the block. Growth makes the file longer at once;
    /// the file shrinks only after a header that says so is on the disk.
    pub(crate) fn set_bytes(&self, bytes: u64) -> Result<(), Error> {
        if !bytes.is_multiple_of(BLOCK) {
            return Err(Error::Inconsistent(format!(
                "a length of {bytes} bytes was asked for"
            )));
        }
        let blocks = bytes / BLOCK;
        let needed = file_bytes(blocks).ok_or_else(impossible)?;
        if let Some(error) = &self.frozen {
            return Err(error.clone());
        }
        let found = self
            .medium
            .len()
            .map_err(|e| Error::io("measuring the store", e))?;
        if needed > found {
            self.medium
                .set_len(needed)
                .map_err(|e| Error::io("growing the store", e))?;
        }
        self.blocks.store(blocks, Ordering::Release);
        Ok(())
    }

    /// Returns once everything written will survive a power cut.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        if self.frozen.is_some() {
            return Ok(());
        }
        let mut current = self.lock();
        self.medium
            .sync()
            .map_err(|e| Error::io("syncing the store", e))?;
        let blocks_written = self.blocks_written.swap(false, Ordering::AcqRel);
        if current.synced() {
            self.trim(current.header.blocks);
            // The header alone was written: the engine ends each commit so. The other slot, which
            // is one header behind, follows without a sync of its own, so that later damage to
            // one slot loses nothing.
            if !blocks_written && let Err(error) = self.seal_header(&mut current) {
                current.lost();
                tracing::warn!("the store's header could not be copied: {error}");
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts off what the synced header no longer counts. Failure only leaves the file longer.
    fn trim(&self, recorded: u64) {
        if recorded != self.blocks.load(Ordering::Acquire) {
            return;
        }
        if let (Some(needed), Ok(found)) = (file_bytes(recorded), self.medium.len())
            && found > needed
            && let Err(error) = self.medium.set_len(needed)
        {
            tracing::warn!("the store's file could not be shortened: {error}");
        }
    }

    fn check_bounds(&self, offset: u64, length: usize) -> Result<(), Error> {
        let end = offset.checked_add(length as u64).ok_or_else(impossible)?;
        let bytes = self.bytes();
        if end > bytes {
            return Err(Error::Truncated {
                expected: end,
                found: bytes,
            });
        }
        Ok(())
    }

    fn write_header(&self, within: usize, data: &[u8]) -> Result<(), Error> {
        let kept = data.len().min(HEADER_BYTES.saturating_sub(within));
        let (kept, beyond) = data.split_at(kept);
        if beyond.iter().any(|byte| *byte != 0) {
            return Err(Error::Inconsistent(
                "block 0 is used beyond its stored part".into(),
            ));
        }
        let mut current = self.lock();
        current.header.content[within..within + kept.len()].copy_from_slice(kept);
        self.seal_header(&mut current)
    }

    fn seal_header(&self, current: &mut Current) -> Result<(), Error> {
        if self.frozen.is_some() {
            return Ok(());
        }
        let slot = current.advance(self.blocks.load(Ordering::Acquire));
        let sealed = current
            .header
            .seal(&self.sealer, slot, random::bytes()?)
            .map_err(|_| impossible())?;
        write(&*self.medium, SLOTS_AT[slot], &sealed)
    }

    fn read_whole(&self, block: u64, out: &mut [u8; BLOCK_BYTES]) -> Result<(), Error> {
        if block == 0 {
            out[..HEADER_BYTES].copy_from_slice(self.lock().header.content.as_slice());
            return Ok(());
        }
        self.read_blocks(block, out)
    }

    /// Opens consecutive blocks. A block that was never written fails like a damaged one: the
    /// engine reads no page before it has written it, and zeros would pass for content otherwise.
    fn read_blocks(&self, first: u64, out: &mut [u8]) -> Result<(), Error> {
        let mut sealed = vec![0; out.len() / BLOCK_BYTES * SEALED_BYTES];
        self.read_sealed(first, &mut sealed)?;
        let pairs = sealed
            .chunks_exact(SEALED_BYTES)
            .zip(out.chunks_exact_mut(BLOCK_BYTES));
        for (block, (sealed, out)) in (first..).zip(pairs) {
            self.sealer
                .open(Place::Block(block), sealed, out)
                .map_err(|_| Error::Damaged { block })?;
        }
        Ok(())
    }

    /// As [`Self::read_blocks`] for one block that is about to be partly overwritten, where one
    /// that was never written counts as zeros.
    fn read_or_zero(&self, block: u64, out: &mut [u8; BLOCK_BYTES]) -> Result<(), Error> {
        let mut sealed = [0; SEALED_BYTES];
        self.read_sealed(block, &mut sealed)?;
        if sealed.iter().all(|byte| *byte == 0) {
            out.fill(0);
            return Ok(());
        }
        self.sealer
            .open(Place::Block(block), &sealed, out)
            .map_err(|_| Error::Damaged { block })
    }

    fn read_sealed(&self, first: u64, sealed: &mut [u8]) -> Result<(), Error> {
        let at = block_at(first).ok_or_else(impossible)?;
        self.medium
            .read_at(at, sealed)
            .map_err(|e| Error::io("reading the store", e))
    }

    fn write_blocks(&self, first: u64, data: &[u8]) -> Result<(), Error> {
        if let Some(error) = &self.frozen {
            return Err(error.clone());
        }
        let blocks = data.len() / BLOCK_BYTES;
        let at = block_at(first).ok_or_else(impossible)?;
        let mut nonces = vec![0; blocks * NONCE_BYTES];
        random::fill(&mut nonces)?;
        let (nonces, _) = nonces.as_chunks::<NONCE_BYTES>();
        let mut sealed = vec![0; blocks * SEALED_BYTES];
        let pairs = data
            .chunks_exact(BLOCK_BYTES)
            .zip(sealed.chunks_exact_mut(SEALED_BYTES));
        for ((block, nonce), (plain, out)) in (first..).zip(nonces).zip(pairs) {
            self.sealer
                .seal(Place::Block(block), *nonce, plain, out)
                .map_err(|_| impossible())?;
        }
        self.blocks_written.store(true, Ordering::Release);
        write(&*self.medium, at, &sealed)
    }
}

/// A place that no file reaches, or lengths that cannot belong together.
pub(crate) fn impossible() -> Error {
    Error::Inconsistent("a place beyond what a file can have".into())
}

fn split(at: u64) -> (u64, usize) {
    (at / BLOCK, (at % BLOCK) as usize)
}

pub(crate) fn write(medium: &dyn Medium, at: u64, data: &[u8]) -> Result<(), Error> {
    medium
        .write_at(at, data)
        .map_err(|e| Error::io("writing the store", e))
}
