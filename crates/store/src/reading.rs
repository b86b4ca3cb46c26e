//! Logical bytes out of sealed blocks.

use zeroize::Zeroizing;

use crate::entry::Entry;
use crate::error::Error;
use crate::layout::BLOCK_BYTES;
use crate::seal::Place;
use crate::slot::HEADER_BYTES;
use crate::vault::{Vault, split};

/// Blocks that are looked up and read at once at most; bounds the time that a reader holds up others.
const RUN_BLOCKS: usize = 64;
/// Times that a block is looked for again where it was moved while being read.
const READ_ATTEMPTS: u32 = 4;

impl Vault {
    /// Fills `out` with the logical bytes from `offset`.
    pub(crate) fn read(&self, offset: u64, mut out: &mut [u8]) -> Result<(), Error> {
        self.check_bounds(offset, out.len())?;
        let mut at = offset;
        while !out.is_empty() {
            let (block, within) = split(at);
            let whole = out.len() / BLOCK_BYTES;
            let (now, rest) = if block > 0 && within == 0 && whole > 0 {
                let (now, rest) = out.split_at_mut(whole.min(RUN_BLOCKS) * BLOCK_BYTES);
                self.read_blocks(block, now)?;
                (now.len(), rest)
            } else {
                let (now, rest) = out.split_at_mut(out.len().min(BLOCK_BYTES - within));
                let mut whole = Zeroizing::new([0; BLOCK_BYTES]);
                if block == 0 {
                    whole[..HEADER_BYTES].copy_from_slice(self.lock().root.header.as_slice());
                } else {
                    self.read_blocks(block, whole.as_mut_slice())?;
                }
                now.copy_from_slice(&whole[within..within + now.len()]);
                (now.len(), rest)
            };
            at += now as u64;
            out = rest;
        }
        Ok(())
    }

    /// Opens consecutive blocks. A block that was never written is an error: the engine reads no
    /// page before it has written it.
    pub(crate) fn read_blocks(&self, first: u64, out: &mut [u8]) -> Result<(), Error> {
        let mut entries = Vec::with_capacity(out.len() / BLOCK_BYTES);
        {
            let mut state = self.lock();
            for (block, out) in (first..).zip(out.chunks_exact_mut(BLOCK_BYTES)) {
                let entry = state.tree.get(block, &self.fetch())?;
                let entry = entry.ok_or_else(|| never_written(block))?;
                let waiting = state.gather.waiting(entry.address);
                if let Some(sealed) = waiting {
                    out.copy_from_slice(sealed);
                }
                entries.push((entry, waiting.is_some()));
            }
        }
        let mut at = 0;
        for run in entries.chunk_by(|(a, waits), (b, too)| {
            !waits && !too && b.address == a.address.wrapping_add(1)
        }) {
            let bytes = &mut out[at * BLOCK_BYTES..(at + run.len()) * BLOCK_BYTES];
            if let [(entry, false), ..] = run {
                self.disk.read(entry.address, bytes)?;
            }
            for ((block, (entry, _)), bytes) in (first + at as u64..)
                .zip(run)
                .zip(bytes.chunks_exact_mut(BLOCK_BYTES))
            {
                let opened = self.disk.open(Place::Data(block), entry, bytes);
                if let Err(error) = opened {
                    self.read_moved(block, *entry, error, bytes)?;
                }
            }
            at += run.len();
        }
        Ok(())
    }

    /// Reads a block that did not open: right where it was moved meanwhile, else `error` stands.
    fn read_moved(
        &self,
        block: u64,
        mut before: Entry,
        mut error: Error,
        out: &mut [u8],
    ) -> Result<(), Error> {
        for _ in 0..READ_ATTEMPTS {
            let entry = {
                let mut state = self.lock();
                let entry = state.tree.get(block, &self.fetch())?;
                let entry = entry.ok_or_else(|| never_written(block))?;
                if let Some(sealed) = state.gather.waiting(entry.address) {
                    out.copy_from_slice(sealed);
                    return self.disk.open(Place::Data(block), &entry, out);
                }
                entry
            };
            if entry == before {
                break;
            }
            self.disk.read(entry.address, out)?;
            match self.disk.open(Place::Data(block), &entry, out) {
                Ok(()) => return Ok(()),
                Err(again) => (before, error) = (entry, again),
            }
        }
        Err(error)
    }
}

fn never_written(block: u64) -> Error {
    Error::Inconsistent(format!("block {block} was never written"))
}
