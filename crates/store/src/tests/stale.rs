//! A store without freshness, to prove that the tests notice: where a block does not open, what was
//! once at its place is taken instead, as long as it was sealed for that place.

use std::cell::RefCell;

use crate::disk::Disk;
use crate::entry::Entry;
use crate::seal::Place;

thread_local! {
    static SEALED: RefCell<Option<Vec<(Place, Entry)>>> = const { RefCell::new(None) };
}

/// Until dropped, this thread's stores take stale blocks for fresh ones.
pub(crate) struct Careless(());

impl Careless {
    pub(crate) fn begin() -> Self {
        SEALED.with_borrow_mut(|sealed| *sealed = Some(Vec::new()));
        Self(())
    }
}

impl Drop for Careless {
    fn drop(&mut self) {
        SEALED.with_borrow_mut(|sealed| *sealed = None);
    }
}

/// Takes note of a block that was sealed.
pub(crate) fn sealed(place: Place, entry: &Entry) {
    SEALED.with_borrow_mut(|sealed| {
        if let Some(sealed) = sealed {
            sealed.push((place, *entry));
        }
    });
}

/// Opens a stale block. False where it is none, or this thread's stores are careful.
pub(crate) fn open(disk: &Disk, place: Place, entry: &Entry, bytes: &mut [u8]) -> bool {
    SEALED.with_borrow(|sealed| {
        let older = sealed.iter().flatten();
        older
            .filter(|(of, older)| *of == place && older.address == entry.address)
            .any(|(_, older)| {
                let keyring = disk.keyring();
                keyring
                    .open(place, older.epoch, &older.nonce, &older.tag, bytes)
                    .is_ok()
            })
    })
}
