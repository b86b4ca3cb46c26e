//! What a store holds, beside what it should hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use secret::Key;
use tokio::sync::mpsc;

use super::simulated::Simulated;
use crate::engine::Engine;
use crate::read::ReadTx;
use crate::subject::{Erasures, nowhere};
use crate::{Anchor, Error, Options, Record, Table, WriteError, job, writer};

/// The tables that proofs use.
pub(crate) const TABLES: [Table; 2] = [Table::new("t"), Table::new("u")];
/// Times that a read is tried, as the store itself does.
const ATTEMPTS: usize = 3;

/// What the tables hold.
pub(crate) type Model = [BTreeMap<Vec<u8>, Arc<[u8]>>; TABLES.len()];

/// One change: table, key, and the new value or none.
pub(crate) type Change = (usize, Vec<u8>, Option<Arc<[u8]>>);

/// Changes a model as the store does.
pub(crate) fn change(model: &mut Model, changes: &[Change]) {
    for (table, key, value) in changes {
        match value {
            Some(value) => drop(model[*table].insert(key.clone(), Arc::clone(value))),
            None => drop(model[*table].remove(key)),
        }
    }
}

/// What was read, table by table.
pub(crate) type Found = Vec<Vec<Record>>;

/// Whether that is what `model` has, to the byte.
pub(crate) fn same(found: &Found, model: &Model) -> bool {
    found.iter().zip(model).all(|(found, model)| {
        found.len() == model.len()
            && found
                .iter()
                .zip(model)
                .all(|((key, value), (model_key, model_value))| {
                    key == model_key && value[..] == model_value[..]
                })
    })
}

/// The options of most proofs.
pub(crate) fn options() -> Options {
    Options {
        cache_bytes: 1 << 20,
        ..Options::default()
    }
}

pub(crate) fn key() -> Key {
    Key::new([42; 32])
}

/// Opens the store on `disk`, without a thread to write.
pub(crate) fn open(disk: &Arc<Simulated>) -> Result<Engine, Error> {
    open_with(disk, None)
}

/// The same, held against an anchor.
pub(crate) fn open_with(
    disk: &Arc<Simulated>,
    anchor: Option<&Arc<dyn Anchor>>,
) -> Result<Engine, Error> {
    let options = Options {
        anchor: anchor.cloned(),
        ..options()
    };
    Engine::open(disk.clone(), &key(), options)
}

/// Reads as [`crate::Store::read`] does.
pub(crate) fn read<R>(
    engine: &Engine,
    read: impl Fn(&ReadTx) -> Result<R, Error>,
) -> Result<R, Error> {
    let mut attempt = 1;
    loop {
        let opening = engine.present()?;
        let result = opening
            .view()
            .and_then(|view| read(&ReadTx::new(view, nowhere())));
        if opening.failure().is_none() {
            return result;
        }
        engine.retire(&opening);
        match result {
            Err(Error::Interrupted | Error::Io { .. }) if attempt < ATTEMPTS => attempt += 1,
            result => return result.map_err(|error| opening.explain(error)),
        }
    }
}

/// Everything that the store holds.
pub(crate) fn content(engine: &Engine) -> Result<Found, Error> {
    read(engine, |tx| {
        TABLES
            .iter()
            .map(|table| tx.range(*table, ..)?.collect())
            .collect()
    })
}

/// Writes as the store's writer does, on this thread. Each of `writes` comes from a caller of its
/// own, which refuses in the end where told to; all of them share one commit.
pub(crate) fn write(
    engine: &Engine,
    writes: Vec<(Vec<Change>, bool)>,
) -> Vec<Result<(), WriteError<Error>>> {
    let (sender, queue) = mpsc::channel(writes.len().max(1));
    let answers: Vec<_> = writes
        .into_iter()
        .map(|(changes, refuse)| {
            let (job, answer) = job::job(move |tx| {
                for (table, key, value) in &changes {
                    match value {
                        Some(value) => tx.put(TABLES[*table], key, value)?,
                        None => drop(tx.remove(TABLES[*table], key)?),
                    }
                }
                if refuse { Err(Error::Closed) } else { Ok(()) }
            });
            assert!(sender.try_send(job).is_ok());
            answer
        })
        .collect();
    drop(sender);
    writer::run(engine, nowhere(), Erasures::default(), queue);
    answers
        .into_iter()
        .map(|mut answer| answer.try_recv().unwrap())
        .collect()
}

/// Ends `engine` as a crash does: nothing more reaches the disk.
pub(crate) fn abandon(engine: Engine) {
    if let Ok(opening) = engine.present() {
        engine.retire(&opening);
    }
}
