//! Pure: where things lie in a snapshot stream (FORMAT.md, "Snapshot streams").

use sha2::{Digest as _, Sha256};

use super::fault::Fault;
use crate::layout::{ADDRESSES, POOL_AT};
use crate::mark::{MARK_ID_BYTES, Mark};

/// Bytes of a block.
pub const BLOCK_BYTES: usize = crate::layout::BLOCK_BYTES;
/// Bytes of a hash (SHA-256, FIPS 180-4).
pub const DIGEST_BYTES: usize = 32;
/// Most blocks of a chunk: 1 MiB of them bounds what a writer or a reader holds in memory.
pub const CHUNK_BLOCKS_MAX: usize = 256;
/// Bytes of a stream's header without its hash.
pub const HEADER_BYTES: usize = SLOT_AT + BLOCK_BYTES;

/// First bytes of every stream: not text, and broken by a transfer that alters line ends.
pub(super) const MAGIC: [u8; 8] = *b"\x89CSMS\r\n\x1a";
/// The one version of the stream that this release reads and writes.
pub(super) const VERSION: u16 = 1;
/// Bytes of a chunk's count, and of the zero that begins the trailer.
pub(super) const COUNT_BYTES: usize = 4;
/// Bytes of a block's address.
pub(super) const ADDRESS_BYTES: usize = 8;
/// Bytes of the trailer after its count and before its hash.
pub(super) const TOTALS_BYTES: usize = 16;
/// Most bytes of a chunk: count, addresses, blocks and hash.
pub(super) const CHUNK_BYTES_MAX: usize =
    COUNT_BYTES + CHUNK_BLOCKS_MAX * (ADDRESS_BYTES + BLOCK_BYTES) + DIGEST_BYTES;
const SUPERBLOCK_AT: usize = 72;
const SLOT_AT: usize = SUPERBLOCK_AT + BLOCK_BYTES;

/// A hash.
pub(super) type Digest = [u8; DIGEST_BYTES];

/// What a stream says of itself before its blocks.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// The commit that the stream holds.
    pub mark: Mark,
    /// The generation that must have been restored before; 0 where the stream holds all blocks.
    pub base: u64,
    /// The store's superblock, with its data keys wrapped.
    pub(crate) superblock: Box<[u8; BLOCK_BYTES]>,
    /// The sealed content of the root slot.
    pub(crate) root: Box<[u8; BLOCK_BYTES]>,
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Header")
            .field("mark", &self.mark)
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend([0; 6]);
        out.extend(self.mark.file);
        out.extend(self.mark.lineage);
        out.extend(self.mark.generation.to_le_bytes());
        out.extend(self.mark.at.to_le_bytes());
        out.extend(self.base.to_le_bytes());
        out.extend(self.superblock.as_slice());
        out.extend(self.root.as_slice());
        out
    }

    /// Reads a header whose hash fits.
    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, Fault> {
        let mut rest = bytes.get(10..).unwrap_or_default();
        let zeros = take::<6>(&mut rest);
        let mark = Mark {
            file: take::<MARK_ID_BYTES>(&mut rest),
            lineage: take::<MARK_ID_BYTES>(&mut rest),
            generation: u64::from_le_bytes(take(&mut rest)),
            at: u64::from_le_bytes(take(&mut rest)),
        };
        let header = Self {
            mark,
            base: u64::from_le_bytes(take(&mut rest)),
            superblock: Box::new(take(&mut rest)),
            root: Box::new(take(&mut rest)),
        };
        if zeros != [0; 6] {
            return Err(Fault::Impossible("its header has bytes that mean nothing"));
        }
        if mark.generation == 0 || header.base > mark.generation {
            return Err(Fault::Impossible("it is older than what it builds on"));
        }
        Ok(header)
    }
}

/// Whether bytes that begin a file may be a stream's.
pub(super) fn is_stream(start: &[u8]) -> bool {
    start.starts_with(&MAGIC)
}

/// The stream's version, where `start`, at least 10 bytes, is a stream's.
pub(super) fn check_start(start: &[u8]) -> Result<(), Fault> {
    let Some(&[low, high]) = start.strip_prefix(&MAGIC).and_then(|rest| rest.get(..2)) else {
        return Err(Fault::Foreign);
    };
    match u16::from_le_bytes([low, high]) {
        VERSION => Ok(()),
        version => Err(Fault::Unsupported { version }),
    }
}

/// How much a stream held, once it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Chunks.
    pub chunks: u64,
    /// Blocks.
    pub blocks: u64,
    /// The last hash, which depends on every byte before it.
    pub digest: [u8; DIGEST_BYTES],
}

impl Totals {
    /// Nothing yet, behind a header of that hash.
    pub(super) fn after(header: Digest) -> Self {
        Self {
            chunks: 0,
            blocks: 0,
            digest: header,
        }
    }

    /// Counts a chunk in.
    pub(super) fn add(&mut self, blocks: usize, digest: Digest) {
        self.chunks = self.chunks.saturating_add(1);
        self.blocks = self.blocks.saturating_add(blocks as u64);
        self.digest = digest;
    }

    /// The trailer without its hash.
    pub(super) fn trailer(&self) -> [u8; COUNT_BYTES + TOTALS_BYTES] {
        let mut out = [0; COUNT_BYTES + TOTALS_BYTES];
        out[4..12].copy_from_slice(&self.chunks.to_le_bytes());
        out[12..].copy_from_slice(&self.blocks.to_le_bytes());
        out
    }
}

/// Whether a block may lie there: in the pool, where no superblock and no root slot is.
pub(super) fn is_in_pool(address: u64) -> bool {
    (POOL_AT..ADDRESSES).contains(&address)
}

/// The hash of a header.
pub(super) fn header_hash(header: &[u8]) -> Digest {
    Sha256::digest(header).into()
}

/// The next hash of the chain, over the one before and the parts of a chunk or the trailer.
pub(super) fn next_hash(previous: &Digest, parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new_with_prefix(previous);
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// Takes the first `N` bytes off; zeros where there are fewer, which no caller lets happen.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    match bytes.split_first_chunk::<N>() {
        Some((taken, rest)) => {
            *bytes = rest;
            *taken
        }
        None => [0; N],
    }
}
