//! Sealing and opening of one place in the file (FORMAT.md, "Sealing").

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};

use crate::layout::{NONCE_BYTES, SEAL_BYTES, TAG_BYTES};

/// Bytes of a file's random identity.
pub(crate) const FILE_ID_BYTES: usize = 16;
/// Bytes of the associated data of a header slot or a data block.
const ASSOCIATED_BYTES: usize = 32;

/// What a sealed place is for, so that none can stand in for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Header slot 0 or 1.
    Slot(u8),
    /// A data block.
    Block(u64),
}

/// A tag did not match, or the lengths cannot belong together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// What names a file and its present data key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Format version.
    pub(crate) version: u16,
    /// Cipher suite.
    pub(crate) suite: u8,
    /// Number of the data key, the first being 1.
    pub(crate) epoch: u32,
    /// The file's random identity.
    pub(crate) file: [u8; FILE_ID_BYTES],
}

/// Seals and opens with one file's data key, which is zeroized on drop.
#[derive(Debug)]
pub(crate) struct Sealer {
    cipher: XChaCha20Poly1305,
    identity: Identity,
}

impl Sealer {
    pub(crate) fn new(data_key: &[u8; 32], identity: Identity) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(data_key.into()),
            identity,
        }
    }

    /// Seals `plain` as nonce, ciphertext and tag into `out`, which is [`SEAL_BYTES`] longer.
    /// `nonce` must never have been used under this key: take it from the system's generator.
    pub(crate) fn seal(
        &self,
        place: Place,
        nonce: [u8; NONCE_BYTES],
        plain: &[u8],
        out: &mut [u8],
    ) -> Result<(), Broken> {
        if out.len() != plain.len() + SEAL_BYTES {
            return Err(Broken);
        }
        let (head, rest) = out.split_at_mut(NONCE_BYTES);
        let (body, tail) = rest.split_at_mut(plain.len());
        head.copy_from_slice(&nonce);
        let buffer = InOutBuf::new(plain, body).map_err(|_| Broken)?;
        let associated = self.associated(place);
        let tag = self
            .cipher
            .encrypt_inout_detached(&XNonce::from(nonce), &associated, buffer)
            .map_err(|_| Broken)?;
        tail.copy_from_slice(&tag);
        Ok(())
    }

    /// Opens what [`Self::seal`] made for the same place. `out` is meaningless after an error.
    pub(crate) fn open(&self, place: Place, sealed: &[u8], out: &mut [u8]) -> Result<(), Broken> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(Broken)?;
        let (body, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(Broken)?;
        let buffer = InOutBuf::new(body, out).map_err(|_| Broken)?;
        let associated = self.associated(place);
        self.cipher
            .decrypt_inout_detached(&XNonce::from(*nonce), &associated, buffer, &Tag::from(*tag))
            .map_err(|_| Broken)
    }

    fn associated(&self, place: Place) -> [u8; ASSOCIATED_BYTES] {
        let (kind, index) = match place {
            Place::Slot(slot) => (1, u64::from(slot)),
            Place::Block(block) => (2, block),
        };
        let mut data = [0; ASSOCIATED_BYTES];
        data[0] = kind;
        data[1] = self.identity.suite;
        data[2..4].copy_from_slice(&self.identity.version.to_le_bytes());
        data[4..8].copy_from_slice(&self.identity.epoch.to_le_bytes());
        data[8..24].copy_from_slice(&self.identity.file);
        data[24..32].copy_from_slice(&index.to_le_bytes());
        data
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealer(epoch: u32, file: u8) -> Sealer {
        let identity = Identity {
            version: 1,
            suite: 1,
            epoch,
            file: [file; FILE_ID_BYTES],
        };
        Sealer::new(&[9; 32], identity)
    }

    #[test]
    fn opens_only_in_its_own_place() {
        let plain = [5; 64];
        let mut sealed = [0; 64 + SEAL_BYTES];
        let mut out = [0; 64];
        let own = sealer(1, 1);
        own.seal(Place::Block(7), [3; NONCE_BYTES], &plain, &mut sealed)
            .unwrap();
        own.open(Place::Block(7), &sealed, &mut out).unwrap();
        assert_eq!(out, plain);
        assert_eq!(own.open(Place::Block(8), &sealed, &mut out), Err(Broken));
        assert_eq!(own.open(Place::Slot(1), &sealed, &mut out), Err(Broken));
        assert_eq!(
            sealer(2, 1).open(Place::Block(7), &sealed, &mut out),
            Err(Broken)
        );
        assert_eq!(
            sealer(1, 2).open(Place::Block(7), &sealed, &mut out),
            Err(Broken)
        );
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_open(sealed in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut out = vec![0; sealed.len().saturating_sub(SEAL_BYTES)];
            prop_assert_eq!(sealer(1, 1).open(Place::Block(1), &sealed, &mut out), Err(Broken));
        }
    }
}
