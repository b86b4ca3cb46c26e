//! The superblock: what the file is, and its data keys wrapped by the credential key
//! (FORMAT.md, "Superblock"). Pure.

use std::fmt;

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use secret::Key;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::layout::{BLOCK_BYTES, Block, NONCE_BYTES, TAG_BYTES};
use crate::seal::{Broken, FILE_ID_BYTES, KEY_BYTES, Keyring, SUITE, VERSION};

/// First bytes of every store: not text, and broken by a transfer that alters line ends.
pub(crate) const MAGIC: [u8; 8] = *b"\x89CSMT\r\n\x1a";
/// Data keys that a file has at most: one, and those whose blocks are still to be sealed anew.
pub(crate) const DATA_KEYS_MAX: usize = 16;
/// Bytes that are authenticated with the wrapped keys.
const PREFIX_BYTES: usize = 32;
const WRAPPED_AT: usize = PREFIX_BYTES + NONCE_BYTES;
const WRAPPED_KEY_BYTES: usize = 2 + KEY_BYTES;
const PAYLOAD_BYTES: usize = DATA_KEYS_MAX * WRAPPED_KEY_BYTES;
const TAG_AT: usize = WRAPPED_AT + PAYLOAD_BYTES;
const CHECKSUM_AT: usize = BLOCK_BYTES - 32;

/// A data key and its number, the first being 1.
#[derive(Clone)]
pub(crate) struct DataKey {
    pub(crate) epoch: u16,
    pub(crate) key: Zeroizing<[u8; KEY_BYTES]>,
}

/// An opened superblock.
#[derive(Clone)]
pub(crate) struct Superblock {
    pub(crate) file: [u8; FILE_ID_BYTES],
    /// Counts rewritings; the higher one counts.
    pub(crate) sequence: u32,
    /// In the order of their numbers; the last seals what is written.
    pub(crate) keys: Vec<DataKey>,
}

impl fmt::Debug for Superblock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Superblock")
            .field("sequence", &self.sequence)
            .field("data_keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl Superblock {
    pub(crate) fn keyring(&self) -> Keyring {
        let keys = self.keys.iter().map(|data| (data.epoch, &*data.key));
        Keyring::new(self.file, keys)
    }

    /// The superblock's bytes, its data keys wrapped under `key`. Refuses over [`DATA_KEYS_MAX`].
    pub(crate) fn seal(&self, key: &Key, nonce: [u8; NONCE_BYTES]) -> Result<Block, Broken> {
        let mut payload = Zeroizing::new([0; PAYLOAD_BYTES]);
        if self.keys.len() > DATA_KEYS_MAX {
            return Err(Broken);
        }
        for (place, data) in payload.chunks_exact_mut(WRAPPED_KEY_BYTES).zip(&self.keys) {
            place[..2].copy_from_slice(&data.epoch.to_le_bytes());
            place[2..].copy_from_slice(data.key.as_slice());
        }
        let mut bytes = [0; BLOCK_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10] = SUITE;
        bytes[12..16].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.file);
        bytes[32..WRAPPED_AT].copy_from_slice(&nonce);
        let (prefix, rest) = bytes.split_at_mut(PREFIX_BYTES);
        let wrapped = &mut rest[NONCE_BYTES..NONCE_BYTES + PAYLOAD_BYTES];
        let buffer = InOutBuf::new(payload.as_slice(), wrapped).map_err(|_| Broken)?;
        let tag = XChaCha20Poly1305::new(key.expose().into())
            .encrypt_inout_detached(&XNonce::from(nonce), prefix, buffer)
            .map_err(|_| Broken)?;
        bytes[TAG_AT..TAG_AT + TAG_BYTES].copy_from_slice(&tag);
        let checksum = Sha256::digest(&bytes[..CHECKSUM_AT]);
        bytes[CHECKSUM_AT..].copy_from_slice(&checksum);
        Ok(bytes)
    }

    /// Opens one copy.
    fn open(copy: &Block, key: &Key) -> Option<Self> {
        let clear = Clear::read(copy)?;
        if !clear.intact || (clear.version, clear.suite) != (VERSION, SUITE) {
            return None;
        }
        let (prefix, rest) = copy.split_first_chunk::<PREFIX_BYTES>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let (wrapped, rest) = rest.split_first_chunk::<PAYLOAD_BYTES>()?;
        let tag = rest.first_chunk::<TAG_BYTES>()?;
        let mut payload = Zeroizing::new(*wrapped);
        XChaCha20Poly1305::new(key.expose().into())
            .decrypt_inout_detached(
                &XNonce::from(*nonce),
                prefix,
                payload.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .ok()?;
        Some(Self {
            file: clear.file,
            sequence: clear.sequence,
            keys: data_keys(&payload),
        })
    }
}

fn data_keys(payload: &[u8; PAYLOAD_BYTES]) -> Vec<DataKey> {
    let mut keys = Vec::with_capacity(DATA_KEYS_MAX);
    for place in payload.as_chunks::<WRAPPED_KEY_BYTES>().0 {
        let epoch = u16::from_le_bytes([place[0], place[1]]);
        if epoch != 0 {
            let mut key = Zeroizing::new([0; KEY_BYTES]);
            key.copy_from_slice(&place[2..]);
            keys.push(DataKey { epoch, key });
        }
    }
    keys
}

/// Reads what is behind the encryption.
#[cfg(fuzzing)]
pub(crate) fn fuzz_payload(data: &[u8]) {
    if let Some(payload) = data.first_chunk() {
        assert!(data_keys(payload).len() <= DATA_KEYS_MAX, "too many keys");
    }
}

/// What a copy says to whoever has no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clear {
    pub(crate) version: u16,
    pub(crate) suite: u8,
    pub(crate) sequence: u32,
    pub(crate) file: [u8; FILE_ID_BYTES],
    /// Whether the copy is as it was written. An accident is found so; who forges can compute it.
    pub(crate) intact: bool,
}

impl Clear {
    /// `None` where the copy is no superblock.
    pub(crate) fn read(copy: &Block) -> Option<Self> {
        let (magic, rest) = copy.split_first_chunk::<8>()?;
        let file = *rest.get(8..)?.first_chunk()?;
        (*magic == MAGIC).then(|| Self {
            version: u16::from_le_bytes([copy[8], copy[9]]),
            suite: copy[10],
            sequence: u32::from_le_bytes([copy[12], copy[13], copy[14], copy[15]]),
            file,
            intact: Sha256::digest(&copy[..CHECKSUM_AT])[..] == copy[CHECKSUM_AT..],
        })
    }
}

/// The newest of the copies that open, and which it is; the error tells a foreign file, a wrong key and damage apart.
pub(crate) fn open(copies: &[Block; 2], key: &Key) -> Result<(Superblock, usize), Error> {
    let opened = copies.iter().enumerate();
    let opened = opened.filter_map(|(at, copy)| Some((Superblock::open(copy, key)?, at)));
    if let Some(newest) = opened.max_by_key(|(superblock, _)| superblock.sequence) {
        return Ok(newest);
    }
    let clear: Vec<Clear> = copies.iter().filter_map(Clear::read).collect();
    if clear.is_empty() {
        return Err(Error::Foreign);
    }
    let known = |clear: &Clear| (clear.version, clear.suite) == (VERSION, SUITE);
    if clear.iter().any(|copy| copy.intact && known(copy)) {
        return Err(Error::WrongKey);
    }
    // Other versions need not have their checksum here; damage does not strike two copies alike.
    match clear.as_slice() {
        [one, other] if (one.version, one.suite) == (other.version, other.suite) && !known(one) => {
            Err(Error::Unsupported {
                version: one.version,
                suite: one.suite,
            })
        }
        _ => Err(Error::DamagedSuperblock),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn superblock(sequence: u32) -> Superblock {
        let keys = [1, 3].map(|epoch| DataKey {
            epoch,
            key: Zeroizing::new([epoch.to_le_bytes()[0]; KEY_BYTES]),
        });
        Superblock {
            file: [3; FILE_ID_BYTES],
            sequence,
            keys: keys.into(),
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_open(
            first in proptest::collection::vec(any::<u8>(), 0..700),
            second in proptest::collection::vec(any::<u8>(), 0..700),
            ours in any::<[bool; 2]>(),
        ) {
            let copies = [(first, ours[0]), (second, ours[1])].map(|(bytes, ours)| {
                let mut copy = [0; BLOCK_BYTES];
                copy[..bytes.len()].copy_from_slice(&bytes);
                if ours {
                    copy[..8].copy_from_slice(&MAGIC);
                    copy[8..11].copy_from_slice(&[2, 0, 1]);
                    let checksum = Sha256::digest(&copy[..CHECKSUM_AT]);
                    copy[CHECKSUM_AT..].copy_from_slice(&checksum);
                }
                copy
            });
            prop_assert!(open(&copies, &Key::new([1; 32])).is_err());
        }

        #[test]
        fn no_change_of_one_byte_opens(at in 0..BLOCK_BYTES, change in 1_u8..) {
            let key = Key::new([1; 32]);
            let good = superblock(4).seal(&key, [4; NONCE_BYTES]).unwrap();
            let mut bad = good;
            bad[at] ^= change;
            prop_assert!(open(&[bad, bad], &key).is_err());
            prop_assert_eq!(open(&[bad, good], &key).unwrap().1, 1);
        }
    }

    #[test]
    fn the_newest_copy_counts_and_each_failure_has_its_error() {
        let (key, other) = (Key::new([1; 32]), Key::new([2; 32]));
        let copy = |sequence, key| superblock(sequence).seal(key, [4; NONCE_BYTES]).unwrap();
        let (opened, _) = open(&[copy(4, &key), copy(5, &key)], &key).unwrap();
        assert_eq!(opened.sequence, 5);
        let keys: Vec<_> = opened
            .keys
            .iter()
            .map(|data| (data.epoch, *data.key))
            .collect();
        assert_eq!(keys, [(1, [1; 32]), (3, [3; 32])]);
        // A change of the credential key that was interrupted leaves either key good.
        let half = [copy(5, &other), copy(4, &key)];
        assert_eq!(open(&half, &key).unwrap().0.sequence, 4);
        assert_eq!(open(&half, &other).unwrap().0.sequence, 5);
        assert!(matches!(
            open(&half, &Key::new([9; 32])),
            Err(Error::WrongKey)
        ));
        let (foreign, mut damaged, mut newer) = ([0; BLOCK_BYTES], copy(4, &key), copy(4, &key));
        damaged[700] ^= 1;
        newer[8] = 9;
        assert!(matches!(open(&[foreign; 2], &key), Err(Error::Foreign)));
        assert!(matches!(
            open(&[damaged; 2], &key),
            Err(Error::DamagedSuperblock)
        ));
        assert!(matches!(
            open(&[newer; 2], &key),
            Err(Error::Unsupported {
                version: 9,
                suite: 1
            })
        ));
    }
}
