//! Where things lie in the file (FORMAT.md, "Layout"). Pure arithmetic.

/// Plaintext bytes of a data block; also the storage engine's page.
pub(crate) const BLOCK_BYTES: usize = 4096;
/// Bytes of a nonce (XChaCha20: 192 bits, chosen at random).
pub(crate) const NONCE_BYTES: usize = 24;
/// Bytes of a Poly1305 tag.
pub(crate) const TAG_BYTES: usize = 16;
/// Bytes that sealing adds: nonce before, tag after.
pub(crate) const SEAL_BYTES: usize = NONCE_BYTES + TAG_BYTES;
/// Bytes of a sealed data block in the file.
pub(crate) const SEALED_BYTES: usize = BLOCK_BYTES + SEAL_BYTES;
/// Bytes of a superblock's or a header slot's place in the file.
pub(crate) const PLACE_BYTES: usize = 4096;
/// File offsets of the two copies of the superblock.
pub(crate) const SUPERBLOCKS_AT: [u64; 2] = [0, 4096];
/// File offsets of the two header slots.
pub(crate) const SLOTS_AT: [u64; 2] = [8192, 12288];
/// File offset of data block 1. Block 0 is in the header slots.
pub(crate) const DATA_AT: u64 = 16384;

/// [`BLOCK_BYTES`] as a file offset.
pub(crate) const BLOCK: u64 = BLOCK_BYTES as u64;
const SEALED: u64 = SEALED_BYTES as u64;

/// File offset of data block `block`, or `None` for block 0 and where no file reaches.
pub(crate) fn block_at(block: u64) -> Option<u64> {
    block
        .checked_sub(1)?
        .checked_mul(SEALED)?
        .checked_add(DATA_AT)
}

/// Length of the file that holds `blocks` logical blocks (block 0 included).
pub(crate) fn file_bytes(blocks: u64) -> Option<u64> {
    blocks
        .saturating_sub(1)
        .checked_mul(SEALED)?
        .checked_add(DATA_AT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_follow_each_other_and_end_with_the_file() {
        assert_eq!(block_at(0), None);
        assert_eq!(block_at(1), Some(16384));
        assert_eq!(block_at(2), Some(16384 + 4136));
        assert_eq!(file_bytes(0), Some(16384));
        assert_eq!(file_bytes(1), Some(16384));
        assert_eq!(file_bytes(3), block_at(3));
        assert_eq!(block_at(u64::MAX), None);
        assert_eq!(file_bytes(u64::MAX), None);
    }
}
