//! Tests that need the inside.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

mod anchored;
mod behaviour;
mod canary;
mod canary_copies;
mod compacting;
mod content;
mod copies;
mod counter;
mod damage;
pub(crate) mod dice;
mod disk;
mod event;
mod faults;
mod history;
mod hot;
mod image;
mod keys;
mod kill;
mod life;
mod loss;
mod moment;
mod mutation;
mod needles;
mod offline;
mod offline_keys;
mod older;
mod pair;
mod power;
mod proof;
mod rollback;
pub(crate) mod simulated;
pub(crate) mod stale;
mod subjects;
mod subjects_crash;
mod subjects_vectors;
mod vectors;
mod victim;

use std::sync::Arc;

use secret::Key;

use crate::engine::Engine;
use crate::{Error, Options, Record, Store, Table, WriteError};
use simulated::Simulated;

pub(crate) const T: Table = Table::new("t");

pub(crate) fn key() -> Key {
    Key::new([42; 32])
}

/// Makes a store on an empty disk.
pub(crate) fn create(disk: &Arc<Simulated>) -> Store {
    let engine = Store::make(disk.clone(), &key(), Options::default()).unwrap();
    Store::start(engine).unwrap()
}

/// Opens the store on a disk.
pub(crate) fn open(disk: &Arc<Simulated>) -> Result<Store, Error> {
    let engine = Engine::open(disk.clone(), &key(), Options::default())?;
    Store::start(engine)
}

/// Everything in the table.
pub(crate) fn content(store: &Store) -> Result<Vec<Record>, Error> {
    store.read(|tx| tx.range(T, ..)?.collect())
}

/// Runs a future to its end.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// Writes one entry, durably.
pub(crate) fn put(store: &Store, key: &[u8], value: &[u8]) -> Result<(), WriteError<Error>> {
    let (key, value) = (key.to_vec(), value.to_vec());
    block_on(store.write(move |tx| tx.put(T, &key, &value)))
}
