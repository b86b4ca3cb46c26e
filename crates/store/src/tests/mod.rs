//! Tests that need the inside.
#![expect(clippy::unwrap_used, reason = "tests")]

mod disk;

use secret::Key;

use crate::{Error, Store, Table, WriteError};

pub(crate) const T: Table = Table::new("t");

pub(crate) fn key() -> Key {
    Key::new([42; 32])
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
