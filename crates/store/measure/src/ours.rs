//! The store.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use secret::{KEY_BYTES, Key};
use store::{Options, Store, Table};
use tokio::runtime::{Builder, Runtime};

use crate::contender::{CACHE_BYTES, Contender, Outcome};
use crate::records::{self, SMALL_BYTES, VALUE_BYTES, value};

const T: Table = Table::new("t");
static KEY: Key = Key::new([7; KEY_BYTES]);

/// The store, open.
pub(crate) struct Ours {
    store: Store,
    /// Where the writers' tasks run: on the measuring thread alone.
    runtime: Runtime,
}

impl Ours {
    /// Opens or makes it.
    pub(crate) fn open(file: &Path) -> Outcome<Self> {
        Ok(Self {
            store: Store::open(file, &KEY, options())?,
            runtime: Builder::new_current_thread().build()?,
        })
    }

    /// Makes its file, which is closed, as small as it can be.
    pub(crate) fn compact(file: &Path) -> Outcome<()> {
        store::compact(file, &KEY, options(), &mut |_| ControlFlow::Continue(()))?;
        Ok(())
    }
}

fn options() -> Options {
    Options {
        cache_bytes: CACHE_BYTES,
        ..Options::default()
    }
}

fn check(key: &records::Key, found: Option<Vec<u8>>) -> Result<(), store::Error> {
    if found.is_some_and(|value| value.len() == VALUE_BYTES && value.starts_with(key)) {
        return Ok(());
    }
    Err(store::Error::Inconsistent(
        "a record has another value than it was given".into(),
    ))
}

impl Contender for Ours {
    fn load(&self, keys: &[records::Key]) -> Outcome<()> {
        let keys = keys.to_vec();
        let write = self.store.write(move |tx| {
            keys.iter()
                .try_for_each(|key| tx.put(T, key, &value::<VALUE_BYTES>(key)))
        });
        Ok(self.runtime.block_on(write)?)
    }

    fn read(&self, keys: &[records::Key]) -> Outcome<()> {
        for key in keys {
            check(key, self.store.read(|tx| tx.get(T, key))?)?;
        }
        Ok(())
    }

    fn read_together(&self, keys: &[records::Key]) -> Outcome<()> {
        let each = |tx: &store::ReadTx| keys.iter().try_for_each(|key| check(key, tx.get(T, key)?));
        Ok(self.store.read(each)?)
    }

    fn commit(&self, writers: u32, first: u64, until: Instant) -> Outcome<u64> {
        let writer = |number: u64| {
            let store = self.store.clone();
            async move {
                let mut count = 0;
                while Instant::now() < until {
                    let key = records::key(first + number + count * u64::from(writers));
                    store
                        .write(move |tx| tx.put(T, &key, &value::<SMALL_BYTES>(&key)))
                        .await?;
                    count += 1;
                }
                Ok::<_, store::WriteError<store::Error>>(count)
            }
        };
        let tasks: Vec<_> = (0..u64::from(writers))
            .map(|number| self.runtime.spawn(writer(number)))
            .collect();
        let mut sum = 0;
        for task in tasks {
            sum += self.runtime.block_on(task)??;
        }
        Ok(sum)
    }
}
