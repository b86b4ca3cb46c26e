//! A store and its key table on two simulated disks, and subjects to follow.

use std::sync::{Arc, Mutex};

use super::simulated::Simulated;
use super::{T, block_on, key};
use crate::engine::Engine;
use crate::medium::Medium;
use crate::subject::Shelf;
use crate::{Error, Options, Store, Subject, Table, WriteError};

pub(crate) const INDEX: Table = Table::new("index");

/// A place for a key table.
#[derive(Default, Clone)]
pub(crate) struct Drawer(pub(crate) Arc<Mutex<Option<Arc<dyn Medium>>>>);

impl Drawer {
    pub(crate) fn with(medium: Arc<dyn Medium>) -> Self {
        Self(Arc::new(Mutex::new(Some(medium))))
    }
}

impl Shelf for Drawer {
    fn find(&self) -> Result<Option<Arc<dyn Medium>>, Error> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn make(
        &self,
        fill: &mut dyn FnMut(Arc<dyn Medium>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let medium = Simulated::recording();
        fill(medium.clone())?;
        *self.0.lock().unwrap() = Some(medium);
        Ok(())
    }
}

/// A store on two disks.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) data: Arc<Simulated>,
    pub(crate) keys: Arc<Simulated>,
}

impl Pair {
    /// Makes a store that has had a subject.
    pub(crate) fn make() -> (Self, Store, Subject) {
        let (data, drawer) = (Simulated::recording(), Drawer::default());
        let engine = Store::make(data.clone(), &key(), Options::default()).unwrap();
        let store = Store::start_with(engine, Box::new(drawer.clone()), false).unwrap();
        let subject = begin(&store, b"first").unwrap();
        let keys = drawer.0.lock().unwrap().clone().unwrap();
        drop(store);
        let keys = Simulated::with(image(&*keys));
        let pair = Self { data, keys };
        let store = pair.open().unwrap();
        (pair, store, subject)
    }

    pub(crate) fn of(data: Vec<u8>, keys: Vec<u8>) -> Self {
        Self {
            data: Simulated::with(data),
            keys: Simulated::with(keys),
        }
    }

    pub(crate) fn open(&self) -> Result<Store, Error> {
        start(&self.data, Drawer::with(self.keys.clone()), false)
    }
}

/// Opens a store with this key table.
pub(crate) fn start(data: &Arc<Simulated>, keys: Drawer, give_up: bool) -> Result<Store, Error> {
    let engine = Engine::open(data.clone(), &key(), Options::default())?;
    Store::start_with(engine, Box::new(keys), give_up)
}

fn image(medium: &dyn Medium) -> Vec<u8> {
    let mut image = vec![0; usize::try_from(medium.len().unwrap()).unwrap()];
    medium.read_at(0, &mut image).unwrap();
    image
}

/// Makes a subject with two records and a hidden one.
pub(crate) fn begin(store: &Store, name: &[u8]) -> Result<Subject, WriteError<Error>> {
    let name = name.to_vec();
    block_on(store.write(move |tx| {
        let subject = tx.new_subject()?;
        tx.put_of(subject, T, &name, b"secret")?;
        tx.put_of(subject, T, &[&name[..], b"/1"].concat(), &[7; 5000])?;
        tx.put_hidden(subject, INDEX, b"word", &name)?;
        Ok(subject)
    }))
}

/// Erases it, and removes its records.
pub(crate) fn erase(store: &Store, subject: Subject, name: &[u8]) -> Result<(), WriteError<Error>> {
    let name = name.to_vec();
    block_on(store.erase(subject, move |tx| {
        tx.remove_prefix(T, &name)?;
        tx.remove_all_hidden(subject, INDEX)?;
        Ok(())
    }))
}

/// The values under `name`.
pub(crate) fn values(store: &Store, name: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    store.read(|tx| tx.prefix(T, name)?.map(|entry| Ok(entry?.1)).collect())
}

/// All that can be read of a subject by any call.
pub(crate) fn traces(store: &Store, subject: Subject, name: &[u8]) -> usize {
    let longer = [name, b"/1"].concat();
    store
        .read(|tx| {
            let mut found = tx.prefix(T, name)?.count() + tx.prefix(T, name)?.rev().count();
            found += usize::from(tx.get(T, name)?.is_some());
            found += usize::from(tx.get(T, &longer)?.is_some());
            found += usize::from(tx.subject_of(T, name)?.is_some());
            found += usize::from(tx.get_hidden(subject, INDEX, b"word")?.is_some());
            found += tx
                .range(INDEX, ..)?
                .filter(|e| e.as_ref().unwrap().1 == name)
                .count();
            Ok(found)
        })
        .unwrap()
}

/// What that is for a whole subject.
pub(crate) const ALL: usize = 2 + 2 + 1 + 1 + 1 + 1 + 1;
