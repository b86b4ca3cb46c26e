//! redb on a plain file, with what it does by default (commits in one phase).

use std::path::Path;
use std::time::Instant;

use redb::{Database, ReadOnlyTable, ReadableDatabase, TableDefinition};

use crate::contender::{CACHE_BYTES, Contender, Outcome};
use crate::records::{Key, SMALL_BYTES, VALUE_BYTES, key, value};

const T: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("t");

/// redb, open.
pub(crate) struct Plain(Database);

impl Plain {
    /// Opens or makes it.
    pub(crate) fn open(file: &Path) -> Outcome<Self> {
        let mut builder = Database::builder();
        Ok(Self(builder.set_cache_size(CACHE_BYTES).create(file)?))
    }

    /// Makes its file, which is closed, as small as it can be.
    pub(crate) fn compact(file: &Path) -> Outcome<()> {
        let Self(mut database) = Self::open(file)?;
        // Each call moves what it can; the last finds nothing.
        while database.compact()? {}
        Ok(())
    }

    /// One writer until `until`: threads wait for each other in `begin_write`.
    fn writer(&self, first: u64, step: u32, until: Instant) -> Outcome<u64> {
        let mut count = 0;
        while Instant::now() < until {
            let key = key(first + count * u64::from(step));
            let tx = self.0.begin_write()?;
            tx.open_table(T)?
                .insert(key.as_slice(), value::<SMALL_BYTES>(&key).as_slice())?;
            tx.commit()?;
            count += 1;
        }
        Ok(count)
    }
}

fn check(table: &ReadOnlyTable<&'static [u8], &'static [u8]>, key: &Key) -> Outcome<()> {
    let value = table
        .get(key.as_slice())?
        .map(|value| value.value().to_vec());
    if value.is_some_and(|value| value.len() == VALUE_BYTES && value.starts_with(key)) {
        return Ok(());
    }
    Err("redb: a record has another value than it was given".into())
}

impl Contender for Plain {
    fn load(&self, keys: &[Key]) -> Outcome<()> {
        let tx = self.0.begin_write()?;
        let mut table = tx.open_table(T)?;
        for key in keys {
            table.insert(key.as_slice(), value::<VALUE_BYTES>(key).as_slice())?;
        }
        drop(table);
        Ok(tx.commit()?)
    }

    fn read(&self, keys: &[Key]) -> Outcome<()> {
        keys.iter()
            .try_for_each(|key| check(&self.0.begin_read()?.open_table(T)?, key))
    }

    fn read_together(&self, keys: &[Key]) -> Outcome<()> {
        let table = self.0.begin_read()?.open_table(T)?;
        keys.iter().try_for_each(|key| check(&table, key))
    }

    fn commit(&self, writers: u32, first: u64, until: Instant) -> Outcome<u64> {
        crate::turns::threads(writers, |number| {
            self.writer(first + u64::from(number), writers, until)
        })
    }
}
