//! The anchor's two slots together (FORMAT.md, "The anchor"). Pure.

use super::record::{Flaw, Record};
use crate::error::Error;

/// What the two slots hold together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// The newest record.
    pub(super) record: Record,
    /// The slot that it lies in.
    pub(super) slot: u8,
}

/// Makes sense of both slots: the newest record, `None` where nothing was ever written. A slot
/// that does not open is passed over where the other one does, as a power cut may have torn it.
pub(super) fn newest(slots: [Result<Record, Flaw>; 2]) -> Result<Option<Held>, Error> {
    let held = slots
        .iter()
        .zip(0..)
        .filter_map(|(slot, number)| {
            slot.ok().map(|record| Held {
                record,
                slot: number,
            })
        })
        .max_by_key(|held| held.record.sequence);
    if held.is_some() {
        return Ok(held);
    }
    let has = |flaw: fn(&Flaw) -> bool| {
        slots
            .iter()
            .filter_map(|slot| slot.as_ref().err())
            .find(|f| flaw(f))
    };
    if let Some(Flaw::Unknown { version, suite }) = has(|flaw| matches!(flaw, Flaw::Unknown { .. }))
    {
        return Err(Error::AnchorUnsupported {
            version: *version,
            suite: *suite,
        });
    }
    if has(|flaw| *flaw == Flaw::Key).is_some() {
        return Err(Error::AnchorKey);
    }
    if has(|flaw| *flaw == Flaw::Damaged).is_some() {
        return Err(Error::AnchorDamaged);
    }
    Ok(None)
}

/// Neither noise nor what is made to look whole is a record of ours.
#[cfg(fuzzing)]
pub(crate) fn fuzz(data: &[u8]) {
    use super::record::{CHECK_AT, RECORD_BYTES, Seal};
    use sha2::Digest as _;

    let Ok(seal) = Seal::new(&secret::Key::new([42; secret::KEY_BYTES])) else {
        return;
    };
    let mut slots = [[0; RECORD_BYTES]; 2];
    let (first, second) = data.split_at(data.len() / 2);
    for (slot, data) in slots.iter_mut().zip([first, second]) {
        let length = data.len().min(RECORD_BYTES);
        slot[..length].copy_from_slice(&data[..length]);
    }
    let read = |slots: &[[u8; RECORD_BYTES]; 2]| {
        newest([seal.open(&slots[0], 0), seal.open(&slots[1], 1)])
    };
    assert!(!matches!(read(&slots), Ok(Some(_))), "forged");
    for slot in &mut slots {
        let check = sha2::Sha256::digest(&slot[..CHECK_AT]);
        slot[CHECK_AT..].copy_from_slice(&check);
    }
    assert!(read(&slots).is_err(), "forged, or taken for blank");
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use secret::{KEY_BYTES, Key};
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::anchor::record::tests::{record, seal, sealed};
    use crate::anchor::record::{CHECK_AT, RECORD_BYTES, Seal};
    use crate::layout::NONCE_BYTES;

    fn read(slots: [[u8; RECORD_BYTES]; 2]) -> Result<Option<Held>, Error> {
        newest([seal().open(&slots[0], 0), seal().open(&slots[1], 1)])
    }

    #[test]
    fn the_newer_of_two_counts_wherever_it_lies() {
        for (first, second, slot) in [(7, 8, 1), (8, 7, 0)] {
            let held = read([sealed(first, 0), sealed(second, 1)])
                .unwrap()
                .unwrap();
            assert_eq!((held.record.sequence, held.slot), (8, slot));
        }
        let blank = [0; RECORD_BYTES];
        assert_eq!(read([sealed(7, 0), blank]).unwrap().unwrap().slot, 0);
        assert_eq!(read([blank, blank]).unwrap(), None);
    }

    #[test]
    fn a_wrong_key_damage_and_a_newer_format_are_told_apart() {
        let other = Seal::new(&Key::new([9; KEY_BYTES])).unwrap();
        let foreign = other.seal(&record(9), 0, [1; NONCE_BYTES]).unwrap();
        let torn = [0xff; RECORD_BYTES];
        assert!(matches!(read([foreign, torn]), Err(Error::AnchorKey)));
        assert!(matches!(read([torn, torn]), Err(Error::AnchorDamaged)));
        // A record that lies in the other one's slot.
        assert!(matches!(
            read([sealed(7, 1), torn]),
            Err(Error::AnchorDamaged)
        ));
        let mut newer = sealed(7, 0);
        newer[8] = 3;
        let check = Sha256::digest(&newer[..CHECK_AT]);
        newer[CHECK_AT..].copy_from_slice(&check);
        assert!(matches!(
            read([newer, torn]),
            Err(Error::AnchorUnsupported {
                version: 3,
                suite: 1
            })
        ));
    }

    proptest! {
        #[test]
        fn whatever_is_changed_the_other_slot_counts(at in 0..RECORD_BYTES, bits in 1_u8..) {
            let mut changed = sealed(8, 1);
            changed[at] ^= bits;
            let held = read([sealed(7, 0), changed]).unwrap().unwrap();
            prop_assert_eq!(held.record, record(7));
        }
    }
}
