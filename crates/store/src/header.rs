//! Block 0, which the engine overwrites in place, kept in two slots that are written in turn
//! (FORMAT.md, "Header slots"). Decisions only; the vault does the reading and writing.

use zeroize::Zeroizing;

use crate::layout::{NONCE_BYTES, PLACE_BYTES, SEAL_BYTES};
use crate::seal::{Broken, Place, Sealer};

/// Bytes of block 0 that can be stored. redb uses the first 320 and never the rest.
pub(crate) const HEADER_BYTES: usize = PLACE_BYTES - SEAL_BYTES - 16;
const SLOT_PLAIN_BYTES: usize = PLACE_BYTES - SEAL_BYTES;

/// A header slot's place in the file, as bytes.
pub(crate) type Slot = [u8; PLACE_BYTES];

/// What one slot says.
#[derive(Clone)]
pub(crate) struct Header {
    /// Counts header writes over the life of the file.
    pub(crate) sequence: u64,
    /// Logical blocks that the store had at that write.
    pub(crate) blocks: u64,
    /// The stored part of block 0.
    pub(crate) content: Zeroizing<[u8; HEADER_BYTES]>,
}

impl Header {
    /// The header of a store that the engine has not touched.
    pub(crate) fn blank() -> Self {
        Self {
            sequence: 0,
            blocks: 0,
            content: Zeroizing::new([0; HEADER_BYTES]),
        }
    }

    pub(crate) fn seal(
        &self,
        sealer: &Sealer,
        slot: usize,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Slot, Broken> {
        let mut plain = Zeroizing::new([0; SLOT_PLAIN_BYTES]);
        plain[..8].copy_from_slice(&self.sequence.to_le_bytes());
        plain[8..16].copy_from_slice(&self.blocks.to_le_bytes());
        plain[16..].copy_from_slice(self.content.as_slice());
        let mut out = [0; PLACE_BYTES];
        sealer.seal(place(slot), nonce, plain.as_slice(), &mut out)?;
        Ok(out)
    }

    pub(crate) fn open(sealer: &Sealer, slot: usize, bytes: &Slot) -> Option<Self> {
        let mut plain = Zeroizing::new([0; SLOT_PLAIN_BYTES]);
        sealer.open(place(slot), bytes, plain.as_mut_slice()).ok()?;
        let (sequence, rest) = plain.split_first_chunk::<8>()?;
        let (blocks, rest) = rest.split_first_chunk::<8>()?;
        let mut content = Zeroizing::new([0; HEADER_BYTES]);
        content.copy_from_slice(rest);
        Some(Self {
            sequence: u64::from_le_bytes(*sequence),
            blocks: u64::from_le_bytes(*blocks),
            content,
        })
    }
}

fn place(slot: usize) -> Place {
    Place::Slot(u8::from(slot != 0))
}

/// The header in memory and which slot may be overwritten.
pub(crate) struct Current {
    pub(crate) header: Header,
    /// Slot that holds the newest header known to be on the disk: never written.
    stable: usize,
    /// Whether the other slot was written since the last successful sync.
    pending: bool,
}

impl Current {
    /// Picks the newest of the slots that opened; `None` where neither did.
    /// The caller has synced the medium, so what was picked is on the disk.
    pub(crate) fn pick(slots: [Option<Header>; 2]) -> Option<Self> {
        let [first, second] = slots;
        let (header, stable) = match (first, second) {
            (Some(a), Some(b)) if b.sequence > a.sequence => (b, 1),
            (Some(a), _) => (a, 0),
            (None, Some(b)) => (b, 1),
            (None, None) => return None,
        };
        Some(Self {
            header,
            stable,
            pending: false,
        })
    }

    /// Prepares the next header write: which slot it goes to.
    pub(crate) fn advance(&mut self, blocks: u64) -> usize {
        self.header.sequence = self.header.sequence.saturating_add(1);
        self.header.blocks = blocks;
        self.pending = true;
        1 - self.stable
    }

    /// Notes that everything written has reached the disk. True where a header was among it.
    pub(crate) fn synced(&mut self) -> bool {
        let flipped = self.pending;
        if flipped {
            self.stable = 1 - self.stable;
            self.pending = false;
        }
        flipped
    }

    /// Notes that the slot being written holds nothing useful.
    pub(crate) fn lost(&mut self) {
        self.pending = false;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::seal::Identity;

    fn numbered(sequence: u64) -> Header {
        Header {
            sequence,
            ..Header::blank()
        }
    }

    #[test]
    fn writes_between_two_syncs_spare_the_synced_slot() {
        let mut current = Current::pick([Some(numbered(4)), Some(numbered(5))]).unwrap();
        assert_eq!(current.header.sequence, 5);
        assert_eq!(current.advance(1), 0);
        assert_eq!(current.advance(1), 0);
        assert!(current.synced());
        assert!(!current.synced());
        assert_eq!(current.advance(1), 1);
        assert_eq!(current.header.sequence, 8);
    }

    proptest! {
        #[test]
        fn no_change_of_one_byte_opens(at in 0..PLACE_BYTES, change in 1_u8..) {
            let identity = Identity { version: 1, suite: 1, epoch: 1, file: [3; 16] };
            let sealer = Sealer::new(&[5; 32], identity);
            let mut bytes = numbered(9).seal(&sealer, 1, [4; NONCE_BYTES]).unwrap();
            prop_assert_eq!(Header::open(&sealer, 1, &bytes).unwrap().sequence, 9);
            prop_assert!(Header::open(&sealer, 0, &bytes).is_none());
            bytes[at] ^= change;
            prop_assert!(Header::open(&sealer, 1, &bytes).is_none());
        }
    }

    #[test]
    fn the_one_good_slot_is_kept() {
        let mut current = Current::pick([None, Some(numbered(5))]).unwrap();
        assert_eq!(current.advance(1), 0);
        let mut current = Current::pick([Some(numbered(4)), None]).unwrap();
        assert_eq!(current.advance(1), 1);
        assert!(Current::pick([None, None]).is_none());
    }
}
