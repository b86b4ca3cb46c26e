//! One slot of a key table (FORMAT.md, "Key table"). Pure.

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use secret::Key;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::puncture::{Cover, NODE_BYTES, NODES_MAX, NUMBERS};
use crate::layout::{NONCE_BYTES, TAG_BYTES};
use crate::seal::FILE_ID_BYTES;

/// First bytes of every slot.
const MAGIC: [u8; 8] = *b"\x89CSMK\r\n\x1a";
/// The one version of key tables that this release reads and writes.
pub(crate) const VERSION: u16 = 1;
/// The one suite: XChaCha20-Poly1305 around a tree of HMAC-SHA-256.
pub(crate) const SUITE: u8 = 1;
const CHECK_BYTES: usize = 8;
/// Bytes that are authenticated with the content.
const PREFIX_BYTES: usize = 48 + NONCE_BYTES;
/// Bytes in front of the sealed content.
pub(crate) const HEAD_BYTES: usize = PREFIX_BYTES + TAG_BYTES;
/// Longest content in bytes: the high-water mark and all nodes that there can be.
pub(crate) const CONTENT_BYTES_MAX: usize = 8 + NODES_MAX * NODE_BYTES;

/// What seals key tables: made of the credential key and the file's identity by HKDF-SHA-256
/// (RFC 5869).
pub(crate) struct SlotKey {
    file: [u8; FILE_ID_BYTES],
    seal: Key,
    /// Tells whether a slot was sealed with this key, so that damage is not taken for a wrong key.
    check: [u8; CHECK_BYTES],
}

impl SlotKey {
    pub(crate) fn new(credential: &Key, file: [u8; FILE_ID_BYTES]) -> Result<Self, Unreadable> {
        let derived = Hkdf::<Sha256>::new(Some(&file), credential.expose());
        let mut seal = Zeroizing::new([0; secret::KEY_BYTES]);
        let mut check = [0; CHECK_BYTES];
        derived
            .expand(b"casemate key table", seal.as_mut_slice())
            .and_then(|()| derived.expand(b"casemate key table check", &mut check))
            .map_err(|_| Unreadable::Damaged)?;
        let seal = Key::new(*seal);
        Ok(Self { file, seal, check })
    }
}

/// Why a slot cannot be read. In this order, the later of two slots' reasons says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unreadable {
    /// It is no slot of a key table.
    Foreign,
    /// It is of a later release.
    Unsupported { version: u16, suite: u8 },
    /// It belongs to another store.
    OtherStore,
    /// It was sealed with another key.
    OtherKey,
    /// The key is right and the content is not what was written.
    Damaged,
}

/// What a slot holds.
#[derive(Debug)]
pub(crate) struct Content {
    /// Rises with every change of the table.
    pub(crate) sequence: u64,
    /// Subject numbers from this on were never handed out.
    pub(crate) reserved: u64,
    /// The keys.
    pub(crate) cover: Cover,
}

/// Seals a slot. `nonce` must be fresh from the system's generator.
pub(crate) fn seal(
    key: &SlotKey,
    (sequence, reserved, cover): (u64, u64, &Cover),
    nonce: [u8; NONCE_BYTES],
) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    let length = 8 + cover.nodes() * NODE_BYTES;
    if length > CONTENT_BYTES_MAX {
        return Err(Unreadable::Damaged);
    }
    // Reserved at once, since a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD_BYTES + length));
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[SUITE, 0]);
    let length = u32::try_from(length).map_err(|_| Unreadable::Damaged)?;
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&key.file);
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&key.check);
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&[0; TAG_BYTES]);
    bytes.extend_from_slice(&reserved.to_le_bytes());
    cover.encode(&mut bytes);
    let (prefix, rest) = bytes.split_at_mut(PREFIX_BYTES);
    let (tag, content) = rest.split_at_mut(TAG_BYTES);
    let sealed = cipher(key)
        .encrypt_inout_detached(&XNonce::from(nonce), prefix, InOutBuf::from(content))
        .map_err(|_| Unreadable::Damaged)?;
    tag.copy_from_slice(&sealed);
    Ok(bytes)
}

/// Bytes of the sealed content that follows this head, once more than the limit is ruled out.
/// Not authenticated yet.
pub(crate) fn content_bytes(head: &[u8]) -> Option<usize> {
    let length = head.get(12..16)?.first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    (length <= CONTENT_BYTES_MAX).then_some(length)
}

/// Opens a slot; bytes beyond its content are not read.
pub(crate) fn open(key: &SlotKey, bytes: &[u8]) -> Result<Content, Unreadable> {
    let (head, rest) = bytes
        .split_first_chunk::<HEAD_BYTES>()
        .ok_or(Unreadable::Foreign)?;
    if !head.starts_with(&MAGIC) {
        return Err(Unreadable::Foreign);
    }
    let (version, suite) = (u16::from_le_bytes([head[8], head[9]]), head[10]);
    if (version, suite) != (VERSION, SUITE) {
        return Err(Unreadable::Unsupported { version, suite });
    }
    if head[16..32] != key.file {
        return Err(Unreadable::OtherStore);
    }
    if head[40..48] != key.check {
        return Err(Unreadable::OtherKey);
    }
    open_content(key, head, rest).ok_or(Unreadable::Damaged)
}

fn open_content(key: &SlotKey, head: &[u8; HEAD_BYTES], rest: &[u8]) -> Option<Content> {
    let sealed = rest.get(..content_bytes(head)?)?;
    let (prefix, tag) = head.split_last_chunk::<TAG_BYTES>()?;
    let (_, nonce) = prefix.split_last_chunk::<NONCE_BYTES>()?;
    let mut content = Zeroizing::new(vec![0; sealed.len()]);
    let buffer = InOutBuf::new(sealed, content.as_mut_slice()).ok()?;
    cipher(key)
        .decrypt_inout_detached(&XNonce::from(*nonce), prefix, buffer, &Tag::from(*tag))
        .ok()?;
    let (reserved, nodes) = content.split_first_chunk::<8>()?;
    let reserved = u64::from_le_bytes(*reserved);
    let sequence = prefix.get(32..40)?.first_chunk::<8>()?;
    Some(Content {
        sequence: u64::from_le_bytes(*sequence),
        reserved: (reserved <= NUMBERS).then_some(reserved)?,
        cover: Cover::decode(nodes).ok()?,
    })
}

fn cipher(key: &SlotKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.seal.expose().into())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(credential: u8, file: u8) -> SlotKey {
        SlotKey::new(&Key::new([credential; 32]), [file; FILE_ID_BYTES]).unwrap()
    }

    fn sealed() -> Vec<u8> {
        let mut cover = Cover::whole(Box::new(Key::new([5; 32])));
        cover.puncture(9);
        seal(&key(1, 2), (7, 4096, &cover), [3; NONCE_BYTES])
            .unwrap()
            .to_vec()
    }

    #[test]
    fn reads_back_and_tells_other_stores_and_keys() {
        let bytes = sealed();
        let content = open(&key(1, 2), &[&bytes[..], &[0; 99]].concat()).unwrap();
        assert_eq!((content.sequence, content.reserved), (7, 4096));
        assert!(content.cover.has(8) && !content.cover.has(9));
        assert_eq!(
            open(&key(1, 3), &bytes).unwrap_err(),
            Unreadable::OtherStore
        );
        assert_eq!(open(&key(2, 2), &bytes).unwrap_err(), Unreadable::OtherKey);
        let mut later = bytes.clone();
        later[8] = 2;
        let unsupported = Unreadable::Unsupported {
            version: 2,
            suite: 1,
        };
        assert_eq!(open(&key(1, 2), &later).unwrap_err(), unsupported);
    }

    proptest! {
        #[test]
        fn no_change_of_one_byte_opens(at in any::<prop::sample::Index>(), change in 1_u8..) {
            let mut bytes = sealed();
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            prop_assert!(open(&key(1, 2), &bytes).is_err());
        }

        #[test]
        fn hostile_bytes_never_open(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), ours in any::<bool>(), length in any::<u32>(),
        ) {
            let mut bytes = bytes;
            if ours && bytes.len() >= HEAD_BYTES {
                bytes[..48].copy_from_slice(&sealed()[..48]);
                bytes[12..16].copy_from_slice(&length.to_le_bytes());
            }
            prop_assert!(open(&key(1, 2), &bytes).is_err());
        }
    }
}
