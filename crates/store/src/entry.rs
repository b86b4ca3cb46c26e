//! What a parent knows of a block: where it lies and what opens it (FORMAT.md, "Entries"). Pure.

use crate::layout::{ADDRESSES, BLOCK_BYTES, Block, NONCE_BYTES, POOL_AT, TAG_BYTES};

/// Bytes of an encoded entry.
pub(crate) const ENTRY_BYTES: usize = 6 + 2 + NONCE_BYTES + TAG_BYTES;
/// Entries of a node: the tree's fan-out.
pub(crate) const FAN_OUT: u64 = (BLOCK_BYTES / ENTRY_BYTES) as u64;

/// A sealed block as its parent names it. Whoever trusts the parent trusts the block: an older
/// version of it has another nonce and tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where it lies in the file, in blocks.
    pub(crate) address: u64,
    /// Number of the data key that seals it.
    pub(crate) epoch: u16,
    /// The nonce: generation (8 bytes), then 16 random bytes.
    pub(crate) nonce: [u8; NONCE_BYTES],
    pub(crate) tag: [u8; TAG_BYTES],
}

impl Entry {
    /// The generation that wrote the block.
    pub(crate) fn generation(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.nonce;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    pub(crate) fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mut out = [0; ENTRY_BYTES];
        out[..6].copy_from_slice(&self.address.to_le_bytes()[..6]);
        out[6..8].copy_from_slice(&self.epoch.to_le_bytes());
        out[8..32].copy_from_slice(&self.nonce);
        out[32..].copy_from_slice(&self.tag);
        out
    }

    /// `None` where there is no block: its address would be one of the file's first blocks.
    pub(crate) fn decode(bytes: &[u8; ENTRY_BYTES]) -> Option<Self> {
        let mut address = [0; 8];
        address[..6].copy_from_slice(&bytes[..6]);
        let address = u64::from_le_bytes(address);
        if !(POOL_AT..ADDRESSES).contains(&address) {
            return None;
        }
        let mut entry = Self {
            address,
            epoch: u16::from_le_bytes([bytes[6], bytes[7]]),
            nonce: [0; NONCE_BYTES],
            tag: [0; TAG_BYTES],
        };
        entry.nonce.copy_from_slice(&bytes[8..32]);
        entry.tag.copy_from_slice(&bytes[32..]);
        Some(entry)
    }
}

/// A node of the tree, opened: [`FAN_OUT`] entries. Holds no content, only where it lies.
#[derive(Clone)]
pub(crate) struct Node(Box<Block>);

impl Node {
    /// A node without children.
    pub(crate) fn empty() -> Self {
        Self::from_bytes(Box::new([0; BLOCK_BYTES]))
    }

    pub(crate) fn from_bytes(bytes: Box<Block>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &Block {
        &self.0
    }

    /// The child number `index`, under [`FAN_OUT`].
    pub(crate) fn child(&self, index: u64) -> Option<Entry> {
        let (entries, _) = self.0.as_chunks::<ENTRY_BYTES>();
        entries
            .get(usize::try_from(index).ok()?)
            .and_then(Entry::decode)
    }

    /// Sets or clears the child number `index`, under [`FAN_OUT`].
    pub(crate) fn set(&mut self, index: u64, entry: Option<&Entry>) {
        let (entries, _) = self.0.as_chunks_mut::<ENTRY_BYTES>();
        if let Some(place) = usize::try_from(index).ok().and_then(|i| entries.get_mut(i)) {
            *place = entry.map_or([0; ENTRY_BYTES], Entry::encode);
        }
    }

    /// The children that are there, with their numbers.
    pub(crate) fn children(&self) -> impl Iterator<Item = (u64, Entry)> + '_ {
        let (entries, _) = self.0.as_chunks::<ENTRY_BYTES>();
        (0..)
            .zip(entries)
            .filter_map(|(index, bytes)| Some((index, Entry::decode(bytes)?)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn entries_read_back(
            address in POOL_AT..ADDRESSES, epoch: u16, nonce: [u8; 24], tag: [u8; 16], at in 0..FAN_OUT
        ) {
            let entry = Entry { address, epoch, nonce, tag };
            prop_assert_eq!(Entry::decode(&entry.encode()), Some(entry));
            let mut node = Node::empty();
            node.set(at, Some(&entry));
            prop_assert_eq!(node.children().collect::<Vec<_>>(), vec![(at, entry)]);
            prop_assert_eq!(node.child(at), Some(entry));
            node.set(at, None);
            prop_assert_eq!(node.bytes(), &[0; BLOCK_BYTES]);
        }

        #[test]
        fn hostile_nodes_name_no_block_outside_the_pool(
            bytes in prop::collection::vec(any::<u8>(), BLOCK_BYTES)
        ) {
            let mut block = Box::new([0; BLOCK_BYTES]);
            block.copy_from_slice(&bytes);
            for (index, entry) in Node::from_bytes(block).children() {
                prop_assert!(index < FAN_OUT && (POOL_AT..ADDRESSES).contains(&entry.address));
            }
        }
    }

    #[test]
    fn the_file_s_first_blocks_are_nobody_s_children() {
        assert_eq!(FAN_OUT, 85);
        let node = Node::empty();
        assert_eq!(node.child(0), None);
        assert_eq!(node.child(FAN_OUT), None);
        assert_eq!(node.children().count(), 0);
    }
}
