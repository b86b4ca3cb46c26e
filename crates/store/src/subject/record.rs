//! A value as it is stored: plain, or sealed for a subject (FORMAT.md, "Records of subjects").
//! Pure.

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use secret::Key;

use super::puncture::{NUMBERS, prf};
use crate::layout::{NONCE_BYTES, TAG_BYTES};
use crate::seal::FILE_ID_BYTES;

const PLAIN: u8 = 0;
const SEALED: u8 = 1;
const HEAD_BYTES: usize = 1 + 8;
/// Bytes that sealing for a subject adds to a value.
pub(crate) const SEALING_BYTES: usize = HEAD_BYTES + NONCE_BYTES + TAG_BYTES;
/// Bytes of a keyed hash that stands for a key.
const NAME_BYTES: usize = 16;
/// Bytes of a hidden key: the subject's number, so that its entries stand together, and the hash.
pub(crate) const HIDDEN_BYTES: usize = 8 + NAME_BYTES;

/// A value that this release did not write, or that does not open at this place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// A stored value, not opened yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Form<'a> {
    Plain(&'a [u8]),
    Sealed(Sealed<'a>),
}

/// A value that only its subject's key opens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sealed<'a> {
    /// The subject's number.
    pub(crate) number: u64,
    nonce: &'a [u8; NONCE_BYTES],
    body: &'a [u8],
    tag: &'a [u8; TAG_BYTES],
}

/// Where a record is, so that it cannot stand in for another.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) file: &'a [u8; FILE_ID_BYTES],
    pub(crate) table: &'a str,
    pub(crate) key: &'a [u8],
}

/// The keys that are made of a subject's key.
pub(crate) struct SubjectKeys {
    number: u64,
    cipher: XChaCha20Poly1305,
    name: Key,
}

/// Marks a value as plain.
pub(crate) fn plain(value: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(1 + value.len());
    stored.push(PLAIN);
    stored.extend_from_slice(value);
    stored
}

/// Tells what a stored value is.
pub(crate) fn parse(stored: &[u8]) -> Result<Form<'_>, Broken> {
    match stored.split_first() {
        Some((&PLAIN, value)) => Ok(Form::Plain(value)),
        Some((&SEALED, rest)) => parse_sealed(rest).map(Form::Sealed).ok_or(Broken),
        _ => Err(Broken),
    }
}

fn parse_sealed(rest: &[u8]) -> Option<Sealed<'_>> {
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let (nonce, rest) = rest.split_first_chunk()?;
    let (body, tag) = rest.split_last_chunk()?;
    let number = u64::from_le_bytes(*number);
    (number < NUMBERS).then_some(Sealed {
        number,
        nonce,
        body,
        tag,
    })
}

impl SubjectKeys {
    /// Of the subject with this number and key.
    pub(crate) fn new(number: u64, key: &Key) -> Self {
        let seal = prf(key, b"casemate record value");
        Self {
            number,
            cipher: XChaCha20Poly1305::new(seal.expose().into()),
            name: prf(key, b"casemate record key"),
        }
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Seals a value for its place. `nonce` must be fresh from the system's generator.
    pub(crate) fn seal(
        &self,
        place: Place<'_>,
        nonce: [u8; NONCE_BYTES],
        value: &[u8],
    ) -> Result<Vec<u8>, Broken> {
        let mut stored = Vec::with_capacity(SEALING_BYTES + value.len());
        stored.push(SEALED);
        stored.extend_from_slice(&self.number.to_le_bytes());
        stored.extend_from_slice(&nonce);
        let start = stored.len();
        stored.resize(start + value.len(), 0);
        let buffer = InOutBuf::new(value, &mut stored[start..]).map_err(|_| Broken)?;
        let tag = self
            .cipher
            .encrypt_inout_detached(&XNonce::from(nonce), &self.associated(place), buffer)
            .map_err(|_| Broken)?;
        stored.extend_from_slice(&tag);
        Ok(stored)
    }

    /// Opens a value that was sealed for this subject and place.
    pub(crate) fn open(&self, place: Place<'_>, sealed: &Sealed<'_>) -> Result<Vec<u8>, Broken> {
        if sealed.number != self.number {
            return Err(Broken);
        }
        let mut value = vec![0; sealed.body.len()];
        let buffer = InOutBuf::new(sealed.body, &mut value).map_err(|_| Broken)?;
        self.cipher
            .decrypt_inout_detached(
                &XNonce::from(*sealed.nonce),
                &self.associated(place),
                buffer,
                &Tag::from(*sealed.tag),
            )
            .map_err(|_| Broken)?;
        Ok(value)
    }

    /// What stands in a table for a key that would tell something.
    pub(crate) fn hide(&self, table: &str, key: &[u8]) -> [u8; HIDDEN_BYTES] {
        let mut message = named(table);
        message.extend_from_slice(key);
        let hash = prf(&self.name, &message);
        let mut hidden = [0; HIDDEN_BYTES];
        hidden[..8].copy_from_slice(&self.number.to_be_bytes());
        hidden[8..].copy_from_slice(&hash.expose()[..NAME_BYTES]);
        hidden
    }

    fn associated(&self, place: Place<'_>) -> Vec<u8> {
        let mut data = vec![SEALED];
        data.extend_from_slice(&self.number.to_le_bytes());
        data.extend_from_slice(place.file);
        data.extend_from_slice(&named(place.table));
        data.extend_from_slice(place.key);
        data
    }
}

/// A table's name behind its length, so that it cannot run into what follows.
fn named(table: &str) -> Vec<u8> {
    let mut name = u32::try_from(table.len())
        .unwrap_or(u32::MAX)
        .to_le_bytes()
        .to_vec();
    name.extend_from_slice(table.as_bytes());
    name
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: Place<'_> = Place {
        file: &[1; FILE_ID_BYTES],
        table: "t",
        key: b"k",
    };

    fn keys(number: u64) -> SubjectKeys {
        SubjectKeys::new(number, &Key::new([number.to_le_bytes()[0]; 32]))
    }

    fn open(keys: &SubjectKeys, place: Place<'_>, stored: &[u8]) -> Result<Vec<u8>, Broken> {
        match parse(stored)? {
            Form::Sealed(sealed) => keys.open(place, &sealed),
            Form::Plain(_) => Err(Broken),
        }
    }

    #[test]
    fn opens_only_in_its_own_place() {
        let stored = keys(5).seal(PLACE, [3; NONCE_BYTES], b"value").unwrap();
        assert_eq!(stored.len(), SEALING_BYTES + 5);
        assert_eq!(open(&keys(5), PLACE, &stored), Ok(b"value".to_vec()));
        let file = &[2; FILE_ID_BYTES];
        for other in [
            Place { file, ..PLACE },
            Place {
                table: "u",
                ..PLACE
            },
            Place { key: b"l", ..PLACE },
            Place {
                table: "tk",
                key: b"",
                ..PLACE
            },
        ] {
            assert_eq!(open(&keys(5), other, &stored), Err(Broken));
        }
        assert_eq!(open(&keys(6), PLACE, &stored), Err(Broken));
    }

    #[test]
    fn hidden_keys_differ_by_subject_table_and_key() {
        let hidden = [
            keys(5).hide("t", b"k"),
            keys(5).hide("t", b"l"),
            keys(5).hide("u", b"k"),
            keys(5).hide("tk", b""),
            keys(6).hide("t", b"k"),
        ];
        for (at, one) in hidden.iter().enumerate() {
            assert!(!hidden[..at].contains(one));
        }
        assert!(hidden[0].starts_with(&[0, 0, 0, 0, 0, 0, 0, 5]));
    }

    proptest! {
        #[test]
        fn no_change_of_one_byte_opens(at in any::<prop::sample::Index>(), change in 1_u8.., value: Vec<u8>) {
            let mut stored = keys(5).seal(PLACE, [3; NONCE_BYTES], &value).unwrap();
            let at = at.index(stored.len());
            stored[at] ^= change;
            prop_assert!(open(&keys(5), PLACE, &stored).is_err());
        }

        #[test]
        fn hostile_bytes_are_plain_or_do_not_open(stored: Vec<u8>, kind in 0_u8..3) {
            let mut stored = stored;
            stored.insert(0, kind);
            prop_assert!(open(&keys(5), PLACE, &stored).is_err());
            prop_assert_eq!(parse(&stored).is_ok_and(|form| matches!(form, Form::Plain(_))), kind == PLAIN);
        }

        #[test]
        fn plain_values_stay(value: Vec<u8>) {
            let stored = plain(&value);
            prop_assert_eq!(parse(&stored), Ok(Form::Plain(&value)));
        }
    }
}
