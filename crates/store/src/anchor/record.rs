//! The anchor's record: one mark, sealed into one sector (FORMAT.md, "The anchor"). Pure.

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use secret::{KEY_BYTES, Key};
use sha2::{Digest as _, Sha256};
use tpm::Count;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::layout::{NONCE_BYTES, TAG_BYTES};
use crate::mark::{MARK_ID_BYTES, Mark};

/// Bytes of a record: one sector, which a disk writes whole or not at all.
pub(super) const RECORD_BYTES: usize = 512;
/// What a record begins with.
const MAGIC: [u8; 8] = *b"\x89CSMA\r\n\x1a";
/// The format's version of a record without a counter.
const VERSION: u16 = 1;
/// That of one with a counter, which a release that knows of none refuses.
const COUNTED_VERSION: u16 = 2;
/// XChaCha20-Poly1305 under a key by HKDF-SHA-256.
const SUITE: u8 = 1;
/// What tells the anchor's key from whatever else comes of the credential key.
const KEY_LABEL: &[u8] = b"casemate store anchor 1";
/// Bytes before the nonce, which are not secret and are sealed in as associated data.
const HEAD_BYTES: usize = 32;
/// Bytes that are sealed: sequence number, lineage, generation, time.
const PLAIN_BYTES: usize = 8 + MARK_ID_BYTES + 8 + 8;
/// Bytes that are sealed where there is a counter: besides, its index, first value and value.
const COUNTED_BYTES: usize = PLAIN_BYTES + 4 + 8 + 8;
const SEALED_AT: usize = HEAD_BYTES + NONCE_BYTES;
/// Where the checksum lies, over all that is before it.
pub(super) const CHECK_AT: usize = RECORD_BYTES - 32;

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// Rises with every record written, so that it tells which of the two slots is newer.
    pub(super) sequence: u64,
    /// The newest commit that was known.
    pub(super) mark: Mark,
    /// What the TPM's counter comes to once this opening has succeeded.
    pub(super) counter: Option<Count>,
}

/// Why the bytes in a slot are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Zeros: nothing was ever written.
    Blank,
    /// The checksum does not fit, or the record is of another slot: damage, or a torn write.
    Damaged,
    /// Whole, and of a version or suite that is not known.
    Unknown { version: u16, suite: u8 },
    /// Whole, and not sealed with this key.
    Key,
}

/// Seals and opens records. Its key is zeroized on drop.
#[derive(Debug)]
pub(super) struct Seal {
    cipher: XChaCha20Poly1305,
}

impl Seal {
    /// Derives the anchor's key from the store's credential key (RFC 5869).
    pub(super) fn new(key: &Key) -> Result<Self, Error> {
        let mut derived = Zeroizing::new([0; KEY_BYTES]);
        Hkdf::<Sha256>::new(None, key.expose())
            .expand(KEY_LABEL, &mut *derived)
            // It refuses lengths over 8160 bytes alone.
            .map_err(|_| Error::AnchorKey)?;
        Ok(Self {
            cipher: XChaCha20Poly1305::new((&*derived).into()),
        })
    }

    /// The record's bytes for slot 0 or 1. `nonce` must never have been used under this key: take
    /// it from the system's generator.
    pub(super) fn seal(
        &self,
        record: &Record,
        slot: u8,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<[u8; RECORD_BYTES], Error> {
        let Record {
            sequence,
            mark,
            counter,
        } = record;
        let (version, plain_bytes) = form(counter.is_some());
        let mut out = [0; RECORD_BYTES];
        out[..8].copy_from_slice(&MAGIC);
        out[8..10].copy_from_slice(&version.to_le_bytes());
        out[10] = SUITE;
        out[11] = slot;
        out[16..HEAD_BYTES].copy_from_slice(&mark.file);
        out[HEAD_BYTES..SEALED_AT].copy_from_slice(&nonce);
        let (head, rest) = out.split_at_mut(SEALED_AT);
        let (body, tail) = rest.split_at_mut(plain_bytes);
        body[..8].copy_from_slice(&sequence.to_le_bytes());
        body[8..24].copy_from_slice(&mark.lineage);
        body[24..32].copy_from_slice(&mark.generation.to_le_bytes());
        body[32..40].copy_from_slice(&mark.at.to_le_bytes());
        if let Some(count) = counter {
            body[40..44].copy_from_slice(&count.index.to_le_bytes());
            body[44..52].copy_from_slice(&count.first.to_le_bytes());
            body[52..].copy_from_slice(&count.value.to_le_bytes());
        }
        let tag = self
            .cipher
            .encrypt_inout_detached(&XNonce::from(nonce), &head[..HEAD_BYTES], body.into())
            // It refuses lengths over 256 GiB alone.
            .map_err(|_| Error::AnchorDamaged)?;
        tail[..TAG_BYTES].copy_from_slice(&tag);
        let check = Sha256::digest(&out[..CHECK_AT]);
        out[CHECK_AT..].copy_from_slice(&check);
        Ok(out)
    }

    /// Opens what lies in slot 0 or 1.
    pub(super) fn open(&self, bytes: &[u8; RECORD_BYTES], slot: u8) -> Result<Record, Flaw> {
        if *bytes == [0; RECORD_BYTES] {
            return Err(Flaw::Blank);
        }
        let (checked, check) = bytes.split_at(CHECK_AT);
        if bytes[..8] != MAGIC || check != Sha256::digest(checked).as_slice() {
            return Err(Flaw::Damaged);
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        let suite = bytes[10];
        if !matches!(version, VERSION | COUNTED_VERSION) || suite != SUITE {
            return Err(Flaw::Unknown { version, suite });
        }
        let counted = version == COUNTED_VERSION;
        if bytes[11] != slot {
            return Err(Flaw::Damaged);
        }
        let (_, plain_bytes) = form(counted);
        let tag_at = SEALED_AT + plain_bytes;
        let mut body = [0; COUNTED_BYTES];
        let buffer = InOutBuf::new(&bytes[SEALED_AT..tag_at], &mut body[..plain_bytes]);
        self.cipher
            .decrypt_inout_detached(
                &XNonce::from(array(bytes, HEAD_BYTES)),
                &bytes[..HEAD_BYTES],
                buffer.map_err(|_| Flaw::Damaged)?,
                &Tag::from(array(bytes, tag_at)),
            )
            .map_err(|_| Flaw::Key)?;
        Ok(Record {
            sequence: u64::from_le_bytes(array(&body, 0)),
            mark: Mark {
                file: array(bytes, 16),
                lineage: array(&body, 8),
                generation: u64::from_le_bytes(array(&body, 24)),
                at: u64::from_le_bytes(array(&body, 32)),
            },
            counter: counted.then(|| Count {
                index: u32::from_le_bytes(array(&body, 40)),
                first: u64::from_le_bytes(array(&body, 44)),
                value: u64::from_le_bytes(array(&body, 52)),
            }),
        })
    }
}

/// The version of a record with or without a counter, and how many of its bytes are sealed.
fn form(counted: bool) -> (u16, usize) {
    if counted {
        (COUNTED_VERSION, COUNTED_BYTES)
    } else {
        (VERSION, PLAIN_BYTES)
    }
}

/// The `N` bytes at `at`; zeros where `bytes` end before, which no caller asks for.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let found = bytes.get(at..).and_then(<[u8]>::first_chunk);
    found.copied().unwrap_or([0; N])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    pub(in crate::anchor) fn seal() -> Seal {
        Seal::new(&Key::new(std::array::from_fn(|i| u8::try_from(i).unwrap()))).unwrap()
    }

    pub(in crate::anchor) fn record(sequence: u64) -> Record {
        Record {
            sequence,
            mark: Mark {
                file: std::array::from_fn(|i| 0xa0 + u8::try_from(i).unwrap()),
                lineage: std::array::from_fn(|i| 0xb0 + u8::try_from(i).unwrap()),
                generation: 1214,
                at: 1_795_183_380,
            },
            counter: None,
        }
    }

    pub(in crate::anchor) fn count(value: u64) -> Count {
        Count {
            index: 0x01ae_2849,
            first: 12,
            value,
        }
    }

    pub(in crate::anchor) fn sealed(sequence: u64, slot: u8) -> [u8; RECORD_BYTES] {
        let nonce = std::array::from_fn(|i| 0x40 + u8::try_from(i).unwrap());
        seal().seal(&record(sequence), slot, nonce).unwrap()
    }

    /// FORMAT.md, "Test vectors"; computed by an independent implementation.
    #[test]
    fn the_record_is_as_specified() {
        let bytes = sealed(7, 1);
        assert_eq!(
            HEXLOWER.encode(&bytes[..112]),
            "8943534d410d0a1a0100010100000000a0a1a2a3a4a5a6a7a8a9aaabacadaeaf404142434445\
             464748494a4b4c4d4e4f5051525354555657b8e69a746a4b97e80ee30218fdd7fbbb3dec8363\
             2e932055892db56af2af52723579de5c0cdc5fc5d9c8c796dd670bb1a687501ed50b638b"
        );
        assert_eq!(bytes[112..480], [0; 368]);
        assert_eq!(
            HEXLOWER.encode(&bytes[480..]),
            "3963d87c188bbdabd812c7f6dd27b9b3402fcdaaa063e576fd629266e0dd5ef2"
        );
        assert_eq!(seal().open(&bytes, 1), Ok(record(7)));
    }

    /// FORMAT.md, "Test vectors"; computed by an independent implementation.
    #[test]
    fn a_record_with_a_counter_is_as_specified() {
        let nonce = std::array::from_fn(|i| 0x40 + u8::try_from(i).unwrap());
        let counted = Record {
            counter: Some(count(57)),
            ..record(7)
        };
        let bytes = seal().seal(&counted, 1, nonce).unwrap();
        assert_eq!(
            HEXLOWER.encode(&bytes[..132]),
            "8943534d410d0a1a0200010100000000a0a1a2a3a4a5a6a7a8a9aaabacadaeaf404142434445\
             464748494a4b4c4d4e4f5051525354555657b8e69a746a4b97e80ee30218fdd7fbbb3dec8363\
             2e932055892db56af2af52723579de5c0cdc5fc5d53a042c76f336d59b725fe28b25893703c6\
             e6b564d44f2f9368f5383b2788c107430598"
        );
        assert_eq!(bytes[132..480], [0; 348]);
        assert_eq!(
            HEXLOWER.encode(&bytes[480..]),
            "0b9c800430c7ab261bdbe95aee761d032b03933a8a0c6791c61c8dc508ba30be"
        );
        assert_eq!(seal().open(&bytes, 1), Ok(counted));
    }

    proptest! {
        #[test]
        fn any_record_survives(sequence in any::<u64>(), slot in 0_u8..2, nonce in any::<[u8; 24]>(), file in any::<[u8; 16]>(), generation in any::<u64>(), at in any::<u64>(), value in any::<Option<u64>>()) {
            let record = Record { sequence, mark: Mark { file, lineage: [3; 16], generation, at }, counter: value.map(count) };
            let bytes = seal().seal(&record, slot, nonce).unwrap();
            prop_assert_eq!(seal().open(&bytes, slot), Ok(record));
        }

        #[test]
        fn what_is_changed_by_who_mends_the_checksum_does_not_open(at in 0..132_usize, bits in 1_u8..) {
            let counted = Record { counter: Some(count(57)), ..record(8) };
            let mut changed = seal().seal(&counted, 1, [7; 24]).unwrap();
            changed[at] ^= bits;
            let check = Sha256::digest(&changed[..CHECK_AT]);
            changed[CHECK_AT..].copy_from_slice(&check);
            prop_assert!(seal().open(&changed, 1).is_err());
        }

        #[test]
        fn hostile_bytes_never_open(noise in proptest::collection::vec(any::<u8>(), RECORD_BYTES)) {
            let noise: [u8; RECORD_BYTES] = noise.try_into().unwrap();
            prop_assert!(seal().open(&noise, 0).is_err());
        }
    }
}
