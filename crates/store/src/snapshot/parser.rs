//! Pure: a snapshot stream read piece by piece, as it arrives.

use std::mem;

use super::fault::Fault;
use super::format::{
    ADDRESS_BYTES, BLOCK_BYTES, CHUNK_BLOCKS_MAX, CHUNK_BYTES_MAX, COUNT_BYTES, DIGEST_BYTES,
    Digest, HEADER_BYTES, Header, TOTALS_BYTES, Totals, check_start, header_hash, is_in_pool,
    next_hash,
};

/// Bytes from which on the parser knows whether this is a stream at all.
const START_BYTES: usize = 10;
const TRAILER_BYTES: usize = COUNT_BYTES + TOTALS_BYTES + DIGEST_BYTES;

/// What a stream holds. It is given out only once its hash fits.
#[derive(Debug)]
pub enum Item<'a> {
    /// The header, once, before all blocks.
    Header(&'a Header),
    /// A sealed block.
    Block {
        /// Where it lies in the store's file, in blocks; always within the pool.
        address: u64,
        /// Its bytes.
        block: &'a [u8; BLOCK_BYTES],
    },
}

/// What the buffered bytes are the beginning of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Start,
    Header,
    Count,
    Chunk(usize),
    Trailer,
    /// The stream has ended.
    Nothing,
    /// An earlier piece was refused.
    Refused,
}

impl Expected {
    /// How many bytes make the piece whole.
    const fn bytes(self) -> usize {
        match self {
            Self::Start => START_BYTES,
            Self::Header => HEADER_BYTES + DIGEST_BYTES,
            Self::Count => COUNT_BYTES,
            Self::Chunk(blocks) => {
                COUNT_BYTES + blocks * (ADDRESS_BYTES + BLOCK_BYTES) + DIGEST_BYTES
            }
            Self::Trailer => TRAILER_BYTES,
            Self::Nothing | Self::Refused => 0,
        }
    }
}

/// Reads a stream in pieces of any size. Holds at most one chunk in memory, and never more than
/// has arrived.
#[derive(Debug)]
pub struct Parser {
    expected: Expected,
    buffer: Vec<u8>,
    /// Bytes of the pieces before the one in the buffer.
    before: u64,
    totals: Totals,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// Waits for the first byte.
    #[must_use]
    pub fn new() -> Self {
        Self {
            expected: Expected::Start,
            buffer: Vec::new(),
            before: 0,
            totals: Totals::after([0; DIGEST_BYTES]),
        }
    }

    /// Takes the next bytes, and gives `visit` what they complete.
    ///
    /// After an error the parser refuses all that follows.
    ///
    /// # Errors
    /// Those of `visit`, and every [`Fault`] of a stream that is damaged or no stream.
    pub fn push<E: From<Fault>>(
        &mut self,
        mut bytes: &[u8],
        visit: &mut impl FnMut(Item<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            let missing = self.expected.bytes().saturating_sub(self.buffer.len());
            let (now, rest) = bytes.split_at(missing.min(bytes.len()));
            bytes = rest;
            self.buffer.extend_from_slice(now);
            if self.buffer.len() < self.expected.bytes() {
                return Ok(());
            }
            // Should this piece be refused, so is everything after it.
            let expected = mem::replace(&mut self.expected, Expected::Refused);
            self.expected = self.piece(expected, visit)?;
        }
        Ok(())
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// [`Fault::Truncated`] where its end has not arrived; [`Fault::Damaged`] after an error.
    pub fn finish(self) -> Result<Totals, Fault> {
        match self.expected {
            Expected::Nothing => Ok(self.totals),
            Expected::Refused => Err(self.damaged()),
            Expected::Start if self.buffer.is_empty() => Err(Fault::Truncated { bytes: 0 }),
            Expected::Start => Err(Fault::Foreign),
            _ => Err(Fault::Truncated {
                bytes: self.before.saturating_add(self.buffer.len() as u64),
            }),
        }
    }

    /// Digests the whole piece in the buffer; returns what is expected after it.
    fn piece<E: From<Fault>>(
        &mut self,
        expected: Expected,
        visit: &mut impl FnMut(Item<'_>) -> Result<(), E>,
    ) -> Result<Expected, E> {
        let next = match expected {
            Expected::Start => {
                check_start(&self.buffer)?;
                return Ok(Expected::Header);
            }
            Expected::Count => {
                let count = self.buffer.first_chunk().copied().unwrap_or_default();
                return match usize::try_from(u32::from_le_bytes(count)) {
                    Ok(0) => Ok(Expected::Trailer),
                    Ok(blocks) if blocks <= CHUNK_BLOCKS_MAX => Ok(Expected::Chunk(blocks)),
                    _ => Err(self.damaged().into()),
                };
            }
            Expected::Header => {
                let header = self.header()?;
                visit(Item::Header(&header))?;
                Expected::Count
            }
            Expected::Chunk(blocks) => {
                self.chunk(blocks, visit)?;
                Expected::Count
            }
            Expected::Trailer => {
                self.trailer()?;
                Expected::Nothing
            }
            Expected::Nothing => return Err(Fault::Trailing { bytes: self.before }.into()),
            Expected::Refused => return Err(self.damaged().into()),
        };
        self.before = self.before.saturating_add(self.buffer.len() as u64);
        self.buffer.clear();
        Ok(next)
    }

    fn header(&mut self) -> Result<Header, Fault> {
        let Some((header, digest)) = self.buffer.split_first_chunk::<HEADER_BYTES>() else {
            return Err(self.damaged());
        };
        if header_hash(header) != digest {
            return Err(self.damaged());
        }
        self.totals = Totals::after(header_hash(header));
        Header::decode(header)
    }

    fn chunk<E: From<Fault>>(
        &mut self,
        blocks: usize,
        visit: &mut impl FnMut(Item<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let digest = self.check()?;
        let body = self.buffer.get(COUNT_BYTES..).unwrap_or_default();
        let (addresses, content) = body
            .split_at_checked(blocks * ADDRESS_BYTES)
            .unwrap_or_default();
        let addresses = addresses.as_chunks::<ADDRESS_BYTES>().0;
        let content = content.as_chunks::<BLOCK_BYTES>().0;
        let all_in_pool = addresses
            .iter()
            .all(|address| is_in_pool(u64::from_le_bytes(*address)));
        if !all_in_pool {
            return Err(Fault::Impossible("a block lies where none can").into());
        }
        for (address, block) in addresses.iter().zip(content) {
            let address = u64::from_le_bytes(*address);
            visit(Item::Block { address, block })?;
        }
        self.totals.add(blocks, digest);
        Ok(())
    }

    fn trailer(&mut self) -> Result<(), Fault> {
        let digest = self.check()?;
        if !self.buffer.starts_with(&self.totals.trailer()) {
            return Err(Fault::Impossible("its totals are not those of its blocks"));
        }
        self.totals.digest = digest;
        Ok(())
    }

    /// The hash that ends the piece, where it fits.
    fn check(&self) -> Result<Digest, Fault> {
        match self.buffer.split_last_chunk::<DIGEST_BYTES>() {
            Some((body, digest)) if next_hash(&self.totals.digest, &[body]) == *digest => {
                Ok(*digest)
            }
            _ => Err(self.damaged()),
        }
    }

    /// Bytes held in memory.
    #[cfg(any(test, fuzzing))]
    pub(super) fn held(&self) -> usize {
        self.buffer.len()
    }

    fn damaged(&self) -> Fault {
        Fault::Damaged {
            from: self.before,
            length: self.buffer.len() as u64,
        }
    }
}

const _: () = assert!(Expected::Chunk(CHUNK_BLOCKS_MAX).bytes() == CHUNK_BYTES_MAX);
