//! Root slots: each commit in one record (FORMAT.md, "Root slots"). Pure.

use zeroize::Zeroizing;

use crate::entry::{ENTRY_BYTES, Entry};
use crate::layout::{BLOCK_BYTES, Block, NONCE_BYTES, TAG_BYTES, slot_of};
use crate::mark::{MARK_ID_BYTES, Mark};
use crate::seal::{Broken, Keyring, Place, RANDOM_BYTES, nonce};

/// Bytes of the storage engine's block 0 that are kept: redb uses the first 320, never the rest.
pub(crate) const HEADER_BYTES: usize = 1024;
/// Highest level of the tree: 85^7 blocks are more than any file has.
pub(crate) const LEVELS_MAX: u8 = 6;
const CLEAR_BYTES: usize = 8;
const SEALED_AT: usize = CLEAR_BYTES + NONCE_BYTES;
const TAG_AT: usize = BLOCK_BYTES - TAG_BYTES;
const PLAIN_BYTES: usize = TAG_AT - SEALED_AT;
const ENTRY_AT: usize = 48;
const COMMITS_AT: usize = 96;
const HEADER_AT: usize = 128;
const SETTLED: u8 = 1;
const ANCHORED: u8 = 2;

/// One durable state of the store.
#[derive(Clone)]
pub(crate) struct Root {
    /// Counts commits over the life of the file; numbers may be skipped, and never come back.
    pub(crate) generation: u64,
    /// Names the history that the generation counts in.
    pub(crate) lineage: [u8; 16],
    /// When it was committed, in seconds since 1970.
    pub(crate) at: u64,
    /// Transactions of the store's users that were committed over the life of the file.
    pub(crate) commits: u64,
    /// Logical blocks of the storage engine above, block 0 included.
    pub(crate) blocks: u64,
    /// Level of the node that `entry` names.
    pub(crate) level: u8,
    /// Whether all blocks were on the disk before this record was written.
    pub(crate) settled: bool,
    /// Whether an anchor outside the file knows the store.
    pub(crate) anchored: bool,
    /// The top of the tree, or nothing where the store has no block yet.
    pub(crate) entry: Option<Entry>,
    /// The kept part of the storage engine's block 0.
    pub(crate) header: Zeroizing<[u8; HEADER_BYTES]>,
}

impl Root {
    /// A store that the engine has not touched.
    pub(crate) fn first(lineage: [u8; 16], at: u64) -> Self {
        Self {
            generation: 1,
            lineage,
            at,
            commits: 0,
            blocks: 0,
            level: 0,
            settled: true,
            anchored: false,
            entry: None,
            header: Zeroizing::new([0; HEADER_BYTES]),
        }
    }

    /// What names this state of `file` outside it.
    pub(crate) fn mark(&self, file: [u8; MARK_ID_BYTES]) -> Mark {
        Mark {
            file,
            lineage: self.lineage,
            generation: self.generation,
            at: self.at,
        }
    }

    /// The record as its slot holds it.
    pub(crate) fn seal(
        &self,
        keyring: &Keyring,
        random: [u8; RANDOM_BYTES],
    ) -> Result<Block, Broken> {
        let mut plain = Zeroizing::new([0; PLAIN_BYTES]);
        plain[..8].copy_from_slice(&self.generation.to_le_bytes());
        plain[8..24].copy_from_slice(&self.lineage);
        plain[24..32].copy_from_slice(&self.at.to_le_bytes());
        plain[32..40].copy_from_slice(&self.blocks.to_le_bytes());
        plain[COMMITS_AT..COMMITS_AT + 8].copy_from_slice(&self.commits.to_le_bytes());
        plain[40] = self.level;
        plain[41] =
            if self.settled { SETTLED } else { 0 } | if self.anchored { ANCHORED } else { 0 };
        if let Some(entry) = &self.entry {
            plain[ENTRY_AT..ENTRY_AT + ENTRY_BYTES].copy_from_slice(&entry.encode());
        }
        plain[HEADER_AT..HEADER_AT + HEADER_BYTES].copy_from_slice(self.header.as_slice());
        let mut out = [0; BLOCK_BYTES];
        out[..2].copy_from_slice(&keyring.epoch().to_le_bytes());
        let nonce = nonce(self.generation, random);
        out[CLEAR_BYTES..SEALED_AT].copy_from_slice(&nonce);
        let place = Place::Slot(slot_of(self.generation));
        let tag = keyring.seal(place, &nonce, plain.as_slice(), &mut out[SEALED_AT..TAG_AT])?;
        out[TAG_AT..].copy_from_slice(&tag);
        Ok(out)
    }

    /// What a copy of `slot` says; `None` where it is damaged, torn or was never written.
    pub(crate) fn open(keyring: &Keyring, slot: u64, bytes: &Block) -> Option<Self> {
        let (epoch, reserved) = (
            u16::from_le_bytes([bytes[0], bytes[1]]),
            &bytes[2..CLEAR_BYTES],
        );
        if reserved.iter().any(|byte| *byte != 0) {
            return None;
        }
        let nonce = bytes[CLEAR_BYTES..SEALED_AT].try_into().ok()?;
        let tag = bytes[TAG_AT..].try_into().ok()?;
        let mut plain = Zeroizing::new([0; PLAIN_BYTES]);
        plain.copy_from_slice(&bytes[SEALED_AT..TAG_AT]);
        keyring
            .open(Place::Slot(slot), epoch, nonce, tag, plain.as_mut_slice())
            .ok()?;
        Self::decode(&plain)
    }

    fn decode(plain: &[u8; PLAIN_BYTES]) -> Option<Self> {
        let number = |at: usize| {
            let bytes = plain.get(at..at + 8)?.try_into().ok()?;
            Some(u64::from_le_bytes(bytes))
        };
        let entry = plain[ENTRY_AT..].first_chunk::<ENTRY_BYTES>()?;
        let mut header = Zeroizing::new([0; HEADER_BYTES]);
        header.copy_from_slice(&plain[HEADER_AT..HEADER_AT + HEADER_BYTES]);
        let level = plain[40];
        (level <= LEVELS_MAX).then_some(())?;
        Some(Self {
            generation: number(0)?,
            lineage: plain[8..24].try_into().ok()?,
            at: number(24)?,
            commits: number(COMMITS_AT)?,
            blocks: number(32)?,
            level,
            settled: plain[41] & SETTLED != 0,
            anchored: plain[41] & ANCHORED != 0,
            entry: Entry::decode(entry),
            header,
        })
    }
}

#[cfg(fuzzing)]
impl Root {
    /// Reads what is behind the encryption.
    pub(crate) fn fuzz_record(data: &[u8]) {
        if let Some(root) = data.first_chunk().and_then(Self::decode) {
            assert!(root.level <= LEVELS_MAX, "a level too high");
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keyring() -> Keyring {
        Keyring::new([3; 16], [(1, &[5; 32])])
    }

    proptest! {
        #[test]
        fn a_record_reads_back_and_no_change_of_one_byte_opens(
            at in 0..BLOCK_BYTES, change in 1_u8.., settled: bool, anchored: bool, blocks: u64
        ) {
            let mut root = Root::first([7; 16], 99);
            (root.generation, root.settled, root.anchored, root.blocks) = (6, settled, anchored, blocks);
            root.commits = blocks ^ 1;
            let mut bytes = root.seal(&keyring(), [4; RANDOM_BYTES]).unwrap();
            let found = Root::open(&keyring(), 2, &bytes).unwrap();
            prop_assert_eq!(
                (found.generation, found.settled, found.anchored, found.blocks, found.commits, found.at, found.lineage),
                (6, settled, anchored, blocks, blocks ^ 1, 99, [7; 16])
            );
            prop_assert!(Root::open(&keyring(), 3, &bytes).is_none());
            bytes[at] ^= change;
            prop_assert!(Root::open(&keyring(), 2, &bytes).is_none());
        }

        #[test]
        fn hostile_records_do_not_panic(bytes in prop::collection::vec(any::<u8>(), PLAIN_BYTES)) {
            let plain: [u8; PLAIN_BYTES] = bytes.try_into().unwrap();
            if let Some(root) = Root::decode(&plain) {
                prop_assert!(root.level <= LEVELS_MAX);
            }
        }
    }
}
