//! Subjects: what their keys seal can be destroyed at once, wherever a copy of it lies.

mod erasures;
mod key_table;
mod keyfile;
mod puncture;
mod record;
mod shelf;
mod slot;
mod writes;

use std::sync::Arc;

pub(crate) use erasures::Erasures;
pub(crate) use key_table::KeyTable;
pub(crate) use record::{Form, Place, SubjectKeys, parse, plain};
#[cfg(any(test, fuzzing))]
pub(crate) use shelf::Nowhere;
pub(crate) use shelf::{Beside, Shelf};
#[cfg(test)]
pub(crate) use {
    puncture::Cover,
    record::HIDDEN_BYTES,
    slot::{SlotKey, open as open_slot, seal as seal_slot},
};

use crate::engine::Engine;
use crate::error::Error;

/// Opens the key table of a store, and finishes the erasures that an earlier process began.
pub(crate) fn open(
    engine: &Engine,
    shelf: Box<dyn Shelf>,
    give_up: bool,
) -> Result<(Arc<KeyTable>, Erasures), Error> {
    let opening = engine.present()?;
    let highest = writes::highest(&*opening.view()?)?;
    let file = opening.backend().look(|vault| Ok(vault.mark()))?.file;
    let key_table = KeyTable::open(shelf, &engine.key(), file, highest, give_up)?;
    let key_table = Arc::new(key_table);
    let erasures = Erasures::resume(engine, &key_table)?;
    Ok((key_table, erasures))
}

/// The key table of a store that has no subjects.
#[cfg(any(test, fuzzing))]
#[expect(clippy::expect_used, reason = "tests")]
pub(crate) fn nowhere() -> &'static Arc<KeyTable> {
    static NOWHERE: std::sync::LazyLock<Arc<KeyTable>> = std::sync::LazyLock::new(|| {
        let key = secret::Key::new([0; secret::KEY_BYTES]);
        let table = KeyTable::open(Box::new(Nowhere), &key, [0; 16], None, false);
        Arc::new(table.expect("nothing is read"))
    });
    &NOWHERE
}

/// Someone or something whose records are erased together, such as a conversation.
///
/// Made by [`WriteTx::new_subject`](crate::WriteTx::new_subject); a record that was stored for a
/// subject names it ([`ReadTx::subject_of`](crate::ReadTx::subject_of)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(pub(crate) u64);

impl Subject {
    /// Its number in this store, which no other subject gets, ever.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Its key in the store's own tables.
    pub(crate) const fn key(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// Reads [`Self::key`] back.
    pub(crate) fn from_key(key: &[u8]) -> Result<Self, Error> {
        <[u8; 8]>::try_from(key)
            .map(|key| Self(u64::from_be_bytes(key)))
            .map_err(|_| Error::Inconsistent("a subject's number is malformed".into()))
    }
}

/// Reads `data` in all the ways in which bytes of a key table and of a table are read.
#[cfg(fuzzing)]
pub(crate) fn fuzz(data: &[u8]) {
    if let Ok(cover) = puncture::Cover::decode(data) {
        let mut again = Vec::new();
        cover.encode(&mut again);
        assert!(again == data, "two encodings of one cover");
    }
    let credential = secret::Key::new([42; secret::KEY_BYTES]);
    if let Ok(key) = slot::SlotKey::new(&credential, [7; 16]) {
        assert!(slot::open(&key, data).is_err(), "forged");
    }
    if let Ok(Form::Sealed(sealed)) = parse(data) {
        let keys = SubjectKeys::new(sealed.number, &credential);
        let place = Place {
            file: &[7; 16],
            table: "t",
            key: b"k",
        };
        assert!(keys.open(place, &sealed).is_err(), "forged");
    }
}
