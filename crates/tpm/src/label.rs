//! Pure: how a counter is found again by its name.

use sha2::{Digest as _, Sha256};

/// The first NV index that the machine's owner may give away, and the last (TCG Registry of
/// Reserved TPM 2.0 Handles and Localities).
pub const FIRST_INDEX: u32 = 0x0180_0000;
/// See [`FIRST_INDEX`].
pub const LAST_INDEX: u32 = 0x01bf_ffff;
/// How many indexes a counter may have: others' may lie where it belongs.
pub const PLACES: u32 = 8;

/// Bytes of a label: a SHA-256 digest's, as it lies where the TPM keeps a policy's digest.
pub(crate) const LABEL_BYTES: usize = 32;
/// Bytes of it that come of the name.
const NAME_BYTES: usize = LABEL_BYTES - 8;
/// What tells this use of SHA-256 from others.
const DOMAIN: &[u8] = b"casemate counter 1\0";

/// Marks an index as the counter of one name. The TPM keeps it as the index's policy, which no
/// attribute lets anyone use, and never changes it: so it also keeps the counter's first value,
/// which tells whether the counter has ever moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Comes of the name.
    name: [u8; NAME_BYTES],
    /// The counter's first value, 0 while that is being found out.
    pub first: u64,
}

impl Label {
    /// That of the counter called `name`.
    #[must_use]
    pub fn new(name: &str, first: u64) -> Self {
        let digest = digest(name);
        Self {
            name: array(&digest),
            first,
        }
    }

    /// Whether it is of that name.
    #[must_use]
    pub fn is_of(&self, name: &str) -> bool {
        Self::new(name, self.first) == *self
    }

    /// As the TPM keeps it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; LABEL_BYTES] {
        let mut bytes = [0; LABEL_BYTES];
        let (name, first) = bytes.split_at_mut(NAME_BYTES);
        name.copy_from_slice(&self.name);
        first.copy_from_slice(&self.first.to_be_bytes());
        bytes
    }

    /// Reads what the TPM keeps; of another's index that is whatever they put there.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; LABEL_BYTES]) -> Self {
        let (name, first) = bytes.split_at(NAME_BYTES);
        Self {
            name: array(name),
            first: u64::from_be_bytes(array(first)),
        }
    }
}

/// The indexes that the counter called `name` may have, the one that it should have first.
pub fn candidates(name: &str) -> impl Iterator<Item = u32> {
    let digest = digest(name);
    let start = u32::from_be_bytes(array(&digest[NAME_BYTES..]));
    let range = LAST_INDEX - FIRST_INDEX + 1;
    (0..PLACES).map(move |place| FIRST_INDEX + start.wrapping_add(place) % range)
}

fn digest(name: &str) -> [u8; LABEL_BYTES] {
    Sha256::new_with_prefix(DOMAIN)
        .chain_update(name)
        .finalize()
        .into()
}

/// The first `N` bytes; zeros where there are fewer, which no caller has.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_label_survives_and_is_of_its_name_alone(name in "[a-z-]{1,40}", other in "[a-z-]{1,40}", first: u64) {
            let label = Label::new(&name, first);
            prop_assert_eq!(Label::from_bytes(&label.to_bytes()), label);
            prop_assert!(label.is_of(&name));
            prop_assert_eq!(label.is_of(&other), name == other);
        }

        #[test]
        fn candidates_are_the_owners_and_all_different(name in "\\PC{0,40}") {
            let all: BTreeSet<u32> = candidates(&name).collect();
            prop_assert_eq!(all.len(), 8);
            prop_assert!(all.iter().all(|index| (FIRST_INDEX..=LAST_INDEX).contains(index)));
        }
    }

    #[test]
    fn a_counter_is_found_where_former_releases_put_it() {
        let places: Vec<u32> = candidates("chat-shop").take(2).collect();
        assert_eq!(places, [0x01ae_2849, 0x01ae_284a]);
        // SHA-256 by another implementation.
        let mut label = vec![
            0x08, 0x92, 0xb0, 0x0b, 0x9c, 0x27, 0x90, 0x38, 0x26, 0x6c, 0x69, 0x8c,
        ];
        label.extend([
            0x83, 0xf6, 0x36, 0xc8, 0x56, 0x55, 0xaf, 0x8a, 0xf2, 0x0b, 0xf2, 0x9a,
        ]);
        label.extend([0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(Label::new("chat-shop", 0x0102).to_bytes()[..], label);
    }
}
