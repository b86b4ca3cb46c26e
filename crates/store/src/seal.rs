//! Sealing and opening of blocks (FORMAT.md, "Sealing").

use std::collections::BTreeMap;
use std::fmt;

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};

use crate::layout::{NONCE_BYTES, TAG_BYTES};

/// The one format version that this release reads and writes.
pub(crate) const VERSION: u16 = 2;
/// The one cipher suite: XChaCha20-Poly1305.
pub(crate) const SUITE: u8 = 1;
/// Bytes of a file's random identity.
pub(crate) const FILE_ID_BYTES: usize = 16;
/// Bytes of a data key.
pub(crate) const KEY_BYTES: usize = 32;
/// Random bytes of a nonce; the other 8 are the generation. Drawn anew for every block: a counter
/// alone would repeat after a crash, or on a machine restored to an earlier state.
pub(crate) const RANDOM_BYTES: usize = NONCE_BYTES - 8;
/// Bytes of the associated data.
const ASSOCIATED_BYTES: usize = 32;

/// What a sealed block is for, so that none can stand in for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A root slot.
    Slot(u64),
    /// A node of the tree; level 0 has data blocks for children.
    Node { level: u8, index: u64 },
    /// A block of the storage engine's.
    Data(u64),
}

/// A tag did not match, or its data key is not there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// The nonce of a block that `generation` writes.
pub(crate) fn nonce(generation: u64, random: [u8; RANDOM_BYTES]) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    nonce[..8].copy_from_slice(&generation.to_le_bytes());
    nonce[8..].copy_from_slice(&random);
    nonce
}

/// A file's identity and its data keys, which are zeroized on drop.
#[derive(Clone)]
pub(crate) struct Keyring {
    file: [u8; FILE_ID_BYTES],
    ciphers: BTreeMap<u16, XChaCha20Poly1305>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("epochs", &self.ciphers.keys())
            .finish_non_exhaustive()
    }
}

impl Keyring {
    /// Those keys, each with its number.
    pub(crate) fn new<'k>(
        file: [u8; FILE_ID_BYTES],
        keys: impl IntoIterator<Item = (u16, &'k [u8; KEY_BYTES])>,
    ) -> Self {
        let ciphers = keys
            .into_iter()
            .map(|(epoch, key)| (epoch, XChaCha20Poly1305::new(key.into())))
            .collect();
        Self { file, ciphers }
    }

    pub(crate) const fn file(&self) -> [u8; FILE_ID_BYTES] {
        self.file
    }

    /// Number of the newest data key, which seals what is written.
    pub(crate) fn epoch(&self) -> u16 {
        self.ciphers.keys().next_back().copied().unwrap_or_default()
    }

    /// Seals `plain` into `out`, of the same length, under the newest data key. `nonce` must never
    /// have been used under it.
    pub(crate) fn seal(
        &self,
        place: Place,
        nonce: &[u8; NONCE_BYTES],
        plain: &[u8],
        out: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], Broken> {
        let (epoch, cipher) = self.ciphers.last_key_value().ok_or(Broken)?;
        let buffer = InOutBuf::new(plain, out).map_err(|_| Broken)?;
        cipher
            .encrypt_inout_detached(
                &XNonce::from(*nonce),
                &self.associated(place, *epoch),
                buffer,
            )
            .map(Into::into)
            .map_err(|_| Broken)
    }

    /// Opens in place what [`Self::seal`] made. `bytes` is meaningless after an error.
    pub(crate) fn open(
        &self,
        place: Place,
        epoch: u16,
        nonce: &[u8; NONCE_BYTES],
        tag: &[u8; TAG_BYTES],
        bytes: &mut [u8],
    ) -> Result<(), Broken> {
        let cipher = self.ciphers.get(&epoch).ok_or(Broken)?;
        cipher
            .decrypt_inout_detached(
                &XNonce::from(*nonce),
                &self.associated(place, epoch),
                bytes.into(),
                &Tag::from(*tag),
            )
            .map_err(|_| Broken)
    }

    fn associated(&self, place: Place, epoch: u16) -> [u8; ASSOCIATED_BYTES] {
        let (kind, level, index) = match place {
            Place::Slot(slot) => (1, 0, slot),
            Place::Node { level, index } => (2, level, index),
            Place::Data(block) => (3, 0, block),
        };
        let mut data = [0; ASSOCIATED_BYTES];
        data[0] = kind;
        data[1] = SUITE;
        data[2..4].copy_from_slice(&VERSION.to_le_bytes());
        data[4..6].copy_from_slice(&epoch.to_le_bytes());
        data[6] = level;
        data[8..24].copy_from_slice(&self.file);
        data[24..32].copy_from_slice(&index.to_le_bytes());
        data
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn opens_only_in_its_own_place() {
        let keyring = |file, epoch| Keyring::new([file; 16], [(epoch, &[9; 32])]);
        let own = keyring(1, 1);
        let (nonce, mut sealed) = (nonce(5, [3; RANDOM_BYTES]), [0; 64]);
        let tag = own
            .seal(Place::Data(7), &nonce, &[5; 64], &mut sealed)
            .unwrap();
        let open = |ring: &Keyring, place, epoch| {
            let mut bytes = sealed;
            ring.open(place, epoch, &nonce, &tag, &mut bytes)
                .map(|()| bytes)
        };
        assert_eq!(open(&own, Place::Data(7), 1), Ok([5; 64]));
        assert_eq!(open(&own, Place::Data(8), 1), Err(Broken));
        assert_eq!(open(&own, Place::Slot(7), 1), Err(Broken));
        let node = Place::Node { level: 0, index: 7 };
        assert_eq!(open(&own, node, 1), Err(Broken));
        assert_eq!(open(&own, Place::Data(7), 2), Err(Broken));
        assert_eq!(open(&keyring(1, 2), Place::Data(7), 2), Err(Broken));
        assert_eq!(open(&keyring(2, 1), Place::Data(7), 1), Err(Broken));
    }
}
