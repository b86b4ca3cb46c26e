//! Writing a snapshot stream.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use super::fault::Fault;
use super::format::{
    ADDRESS_BYTES, BLOCK_BYTES, CHUNK_BLOCKS_MAX, Header, Totals, header_hash, is_in_pool,
    next_hash,
};

/// Writes a stream, chunk by chunk. Holds at most [`CHUNK_BLOCKS_MAX`] blocks in memory.
pub struct Writer<W> {
    out: W,
    totals: Totals,
    addresses: Vec<u8>,
    blocks: Vec<u8>,
}

impl<W> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("totals", &self.totals)
            .finish_non_exhaustive()
    }
}

impl<W: Write> Writer<W> {
    /// Begins the stream.
    ///
    /// # Errors
    /// [`Fault::Output`].
    pub fn begin(out: W, header: &Header) -> Result<Self, Fault> {
        let header = header.encode();
        let digest = header_hash(&header);
        let mut writer = Self {
            out,
            totals: Totals::after(digest),
            addresses: Vec::with_capacity(CHUNK_BLOCKS_MAX * ADDRESS_BYTES),
            blocks: Vec::with_capacity(CHUNK_BLOCKS_MAX * BLOCK_BYTES),
        };
        writer.put(&header)?;
        writer.put(&digest)?;
        Ok(writer)
    }

    /// Adds a sealed block and where it lies in the store's file, in blocks.
    ///
    /// # Errors
    /// [`Fault::Output`]; [`Fault::Impossible`] for an address where no such block can lie.
    pub fn block(&mut self, address: u64, block: &[u8; BLOCK_BYTES]) -> Result<(), Fault> {
        if !is_in_pool(address) {
            return Err(Fault::Impossible("a block lies where none can"));
        }
        self.addresses.extend(address.to_le_bytes());
        self.blocks.extend(block);
        if self.waiting() == CHUNK_BLOCKS_MAX {
            self.flush()?;
        }
        Ok(())
    }

    /// Ends the stream. Without this it counts as cut short.
    ///
    /// # Errors
    /// [`Fault::Output`].
    pub fn finish(mut self) -> Result<Totals, Fault> {
        self.flush()?;
        let trailer = self.totals.trailer();
        let digest = next_hash(&self.totals.digest, &[&trailer]);
        self.totals.digest = digest;
        self.put(&trailer)?;
        self.put(&digest)?;
        self.out
            .flush()
            .map_err(|error| Fault::Output(Arc::new(error)))?;
        Ok(self.totals)
    }

    fn waiting(&self) -> usize {
        self.addresses.len() / ADDRESS_BYTES
    }

    fn flush(&mut self) -> Result<(), Fault> {
        let blocks = self.waiting();
        if blocks == 0 {
            return Ok(());
        }
        let count = u32::try_from(blocks).unwrap_or(u32::MAX).to_le_bytes();
        let addresses = std::mem::take(&mut self.addresses);
        let content = std::mem::take(&mut self.blocks);
        let digest = next_hash(&self.totals.digest, &[&count, &addresses, &content]);
        for part in [&count, addresses.as_slice(), &content, &digest] {
            self.put(part)?;
        }
        self.totals.add(blocks, digest);
        (self.addresses, self.blocks) = (addresses, content);
        self.addresses.clear();
        self.blocks.clear();
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.out
            .write_all(bytes)
            .map_err(|error| Fault::Output(Arc::new(error)))
    }
}
