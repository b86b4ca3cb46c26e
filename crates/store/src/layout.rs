//! Where things lie in the file (FORMAT.md, "Layout"). Pure arithmetic.

/// Bytes of a block, of the file as of the storage engine above.
pub(crate) const BLOCK_BYTES: usize = 4096;
/// [`BLOCK_BYTES`] as a file offset.
pub(crate) const BLOCK: u64 = BLOCK_BYTES as u64;
/// Bytes of a nonce (XChaCha20: 192 bits).
pub(crate) const NONCE_BYTES: usize = 24;
/// Bytes of a Poly1305 tag.
pub(crate) const TAG_BYTES: usize = 16;
/// Addresses of the two copies of the superblock.
pub(crate) const SUPERBLOCKS: [u64; 2] = [0, 1];
/// Root slots: generation g lies in slot g modulo this. A block that a generation gives up is used
/// again only when it is out of the reach of all of them.
pub(crate) const SLOTS: u64 = 4;
/// Address of the first copy of slot 0. The first copies stand together, then the second ones.
const SLOTS_AT: u64 = 2;
/// Address of the first block of the pool.
pub(crate) const POOL_AT: u64 = SLOTS_AT + 2 * SLOTS;
/// Addresses that an entry can hold (48 bits).
pub(crate) const ADDRESSES: u64 = 1 << 48;

/// One block's bytes.
pub(crate) type Block = [u8; BLOCK_BYTES];

/// The slot of a generation.
pub(crate) const fn slot_of(generation: u64) -> u64 {
    generation % SLOTS
}

/// Addresses of the two copies of a slot.
pub(crate) const fn slot_copies(slot: u64) -> [u64; 2] {
    [SLOTS_AT + slot, SLOTS_AT + SLOTS + slot]
}

/// File offset in bytes of the block at `address`.
pub(crate) const fn offset(address: u64) -> u64 {
    // Addresses have 48 bits, a block 12.
    address.wrapping_mul(BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_slots_share_no_block() {
        let mut all: Vec<u64> = (0..SLOTS)
            .flat_map(slot_copies)
            .chain(SUPERBLOCKS)
            .collect();
        all.sort_unstable();
        assert_eq!(all, (0..POOL_AT).collect::<Vec<_>>());
        assert_eq!(offset(ADDRESSES - 1), (ADDRESSES - 1) * 4096);
    }
}
