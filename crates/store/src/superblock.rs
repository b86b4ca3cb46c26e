//! The superblock: what the file is, and its data key wrapped by the credential key
//! (FORMAT.md, "Superblock"). Pure.

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use secret::Key;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::layout::{NONCE_BYTES, PLACE_BYTES, TAG_BYTES};
use crate::seal::{Broken, FILE_ID_BYTES, Identity, Sealer};

/// First bytes of every store: not text, and broken by a transfer that alters line ends.
pub(crate) const MAGIC: [u8; 8] = *b"\x89CSMT\r\n\x1a";
/// The one format version that this release reads and writes.
pub(crate) const VERSION: u16 = 1;
/// The one cipher suite: XChaCha20-Poly1305 with random nonces, inline tags.
pub(crate) const SUITE: u8 = 1;
/// Bytes that are authenticated with the wrapped key.
const PREFIX_BYTES: usize = 32;
const KEY_BYTES: usize = 32;
/// Bytes that carry meaning; the rest of the place is zero.
pub(crate) const SUPERBLOCK_BYTES: usize = PREFIX_BYTES + NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/// A superblock as bytes, padded to its place.
pub(crate) type Bytes = [u8; PLACE_BYTES];

/// Writes the superblock that wraps `data_key` under `key`.
pub(crate) fn encode(
    key: &Key,
    identity: &Identity,
    nonce: [u8; NONCE_BYTES],
    data_key: &[u8; KEY_BYTES],
) -> Result<Bytes, Broken> {
    let mut bytes = [0; PLACE_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&identity.version.to_le_bytes());
    bytes[10] = identity.suite;
    bytes[12..16].copy_from_slice(&identity.epoch.to_le_bytes());
    bytes[16..32].copy_from_slice(&identity.file);
    bytes[32..56].copy_from_slice(&nonce);
    let (prefix, rest) = bytes.split_at_mut(PREFIX_BYTES);
    let wrapped = &mut rest[NONCE_BYTES..NONCE_BYTES + KEY_BYTES];
    let buffer = InOutBuf::new(data_key.as_slice(), wrapped).map_err(|_| Broken)?;
    let tag = XChaCha20Poly1305::new(key.expose().into())
        .encrypt_inout_detached(&XNonce::from(nonce), prefix, buffer)
        .map_err(|_| Broken)?;
    bytes[SUPERBLOCK_BYTES - TAG_BYTES..SUPERBLOCK_BYTES].copy_from_slice(&tag);
    Ok(bytes)
}

/// What the two copies of a superblock say.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) sealer: Sealer,
    /// The copy that opened; the other is to be rewritten from it where it differs.
    pub(crate) good: usize,
}

/// Opens whichever copy can be opened; the error tells a foreign file, a wrong key and damage apart.
pub(crate) fn open(copies: &[Bytes; 2], key: &Key) -> Result<Opened, Error> {
    for (good, copy) in copies.iter().enumerate() {
        if let Some(sealer) = unwrap(copy, key) {
            return Ok(Opened { sealer, good });
        }
    }
    let [first, second] = copies;
    let ours = |copy: &Bytes| copy.starts_with(&MAGIC);
    if !ours(first) && !ours(second) {
        return Err(Error::Foreign);
    }
    // Damage does not strike two copies alike: what agrees is intact.
    if first[..SUPERBLOCK_BYTES] != second[..SUPERBLOCK_BYTES] {
        return Err(Error::DamagedSuperblock);
    }
    let identity = identity(first);
    if (identity.version, identity.suite) != (VERSION, SUITE) {
        return Err(Error::Unsupported {
            version: identity.version,
            suite: identity.suite,
        });
    }
    Err(Error::WrongKey)
}

fn identity(copy: &Bytes) -> Identity {
    let mut file = [0; FILE_ID_BYTES];
    file.copy_from_slice(&copy[16..32]);
    Identity {
        version: u16::from_le_bytes([copy[8], copy[9]]),
        suite: copy[10],
        epoch: u32::from_le_bytes([copy[12], copy[13], copy[14], copy[15]]),
        file,
    }
}

fn unwrap(copy: &Bytes, key: &Key) -> Option<Sealer> {
    let identity = identity(copy);
    if !copy.starts_with(&MAGIC) || (identity.version, identity.suite) != (VERSION, SUITE) {
        return None;
    }
    let (prefix, rest) = copy.split_first_chunk::<PREFIX_BYTES>()?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>()?;
    let (wrapped, rest) = rest.split_first_chunk::<KEY_BYTES>()?;
    let tag = rest.first_chunk::<TAG_BYTES>()?;
    let mut data_key = Zeroizing::new([0; KEY_BYTES]);
    let buffer = InOutBuf::new(wrapped.as_slice(), data_key.as_mut_slice()).ok()?;
    XChaCha20Poly1305::new(key.expose().into())
        .decrypt_inout_detached(&XNonce::from(*nonce), prefix, buffer, &Tag::from(*tag))
        .ok()?;
    Some(Sealer::new(&data_key, identity))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pad(start: &[u8]) -> Bytes {
        let mut bytes = [0; PLACE_BYTES];
        bytes[..start.len()].copy_from_slice(start);
        bytes
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_open(
            first in proptest::collection::vec(any::<u8>(), 0..128),
            second in proptest::collection::vec(any::<u8>(), 0..128),
            ours in any::<[bool; 2]>(),
        ) {
            let copies = [(first, ours[0]), (second, ours[1])].map(|(bytes, ours)| {
                let mut copy = pad(&bytes);
                if ours {
                    copy[..8].copy_from_slice(&MAGIC);
                    copy[8..11].copy_from_slice(&[1, 0, 1]);
                }
                copy
            });
            prop_assert!(open(&copies, &Key::new([1; 32])).is_err());
        }

        #[test]
        fn no_change_of_one_byte_opens(at in 0..SUPERBLOCK_BYTES, change in 1_u8..) {
            let identity = Identity { version: VERSION, suite: SUITE, epoch: 1, file: [3; 16] };
            let key = Key::new([1; 32]);
            let good = encode(&key, &identity, [4; NONCE_BYTES], &[5; KEY_BYTES]).unwrap();
            let mut bad = good;
            bad[at] ^= change;
            // Byte 11 is not read, but authenticated.
            prop_assert!(open(&[bad, bad], &key).is_err());
            prop_assert_eq!(open(&[bad, good], &key).unwrap().good, 1);
        }
    }
}
