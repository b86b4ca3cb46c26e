//! SQLite, and SQLCipher, which is the same library given a key.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rusqlite::{CachedStatement, Connection, TransactionBehavior, params};

use crate::contender::{CACHE_BYTES, Contender, Outcome};
use crate::records::{Key, SMALL_BYTES, VALUE_BYTES, key, value};

/// With an index of its own for the keys. WITHOUT ROWID is slower here: records of 1 KiB do not fit its pages, and each
/// takes an overflow page besides (<https://www.sqlite.org/fileformat2.html#cell_payload_overflow_pages>): SQLCipher then
/// loads at a third to a tenth of the speed, and its file is three times as long.
const MAKE: &str =
    "CREATE TABLE IF NOT EXISTS t (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)";
const ADD: &str = "INSERT INTO t (key, value) VALUES (?1, ?2)";
const GET: &str = "SELECT value FROM t WHERE key = ?1";

/// SQLCipher takes a key of 32 bytes as it is, without deriving it from words, in this form
/// (<https://www.zetetic.net/sqlcipher/sqlcipher-api/#key>).
const KEY: &str = "x'0707070707070707070707070707070707070707070707070707070707070707'";

/// SQLite, open: a connection that reads and one that writes. Writers share theirs behind a lock, which is faster
/// than a connection for each and waiting with `busy_timeout` (twice to four times, with 16 writers).
pub(crate) struct Sqlite {
    reader: Mutex<Connection>,
    writer: Mutex<Connection>,
}

impl Sqlite {
    /// Opens or makes it; SQLCipher where it is to be `encrypted`.
    pub(crate) fn open(file: &Path, encrypted: bool) -> Outcome<Self> {
        let writer = connect(file, encrypted)?;
        writer.execute_batch(MAKE)?;
        Ok(Self {
            reader: Mutex::new(connect(file, encrypted)?),
            writer: Mutex::new(writer),
        })
    }

    /// Makes its file, which is closed, as small as it can be.
    pub(crate) fn compact(file: &Path, encrypted: bool) -> Outcome<()> {
        // Closing the connection brings what is in the log into the file.
        Ok(connect(file, encrypted)?.execute_batch("VACUUM")?)
    }

    /// One writer until `until`.
    fn write(&self, first: u64, step: u32, until: Instant) -> Outcome<u64> {
        let mut count = 0;
        while Instant::now() < until {
            let key = key(first + count * u64::from(step));
            lock(&self.writer)
                .prepare_cached(ADD)?
                .execute(params![key, value::<SMALL_BYTES>(&key)])?;
            count += 1;
        }
        Ok(count)
    }
}

fn connect(file: &Path, encrypted: bool) -> Outcome<Connection> {
    let connection = Connection::open(file)?;
    if encrypted {
        connection.pragma_update(None, "key", KEY)?;
    }
    // Negative: kibibytes instead of pages.
    connection.pragma_update(None, "cache_size", -i64::try_from(CACHE_BYTES >> 10)?)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    Ok(connection)
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check(get: &mut CachedStatement<'_>, key: &Key) -> Outcome<()> {
    let value: Vec<u8> = get.query_row([key], |row| row.get(0))?;
    if value.len() == VALUE_BYTES && value.starts_with(key) {
        return Ok(());
    }
    Err("SQLite: a record has another value than it was given".into())
}

/// The version of the library.
pub(crate) fn versions() -> Outcome<(String, String)> {
    let connection = Connection::open_in_memory()?;
    let cipher = connection.pragma_query_value(None, "cipher_version", |row| row.get(0))?;
    Ok((rusqlite::version().to_owned(), cipher))
}

impl Contender for Sqlite {
    fn load(&self, keys: &[Key]) -> Outcome<()> {
        let mut connection = lock(&self.writer);
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut add = tx.prepare_cached(ADD)?;
        for key in keys {
            add.execute(params![key, value::<VALUE_BYTES>(key)])?;
        }
        drop(add);
        Ok(tx.commit()?)
    }

    fn read(&self, keys: &[Key]) -> Outcome<()> {
        let connection = lock(&self.reader);
        let mut get = connection.prepare_cached(GET)?;
        keys.iter().try_for_each(|key| check(&mut get, key))
    }

    fn read_together(&self, keys: &[Key]) -> Outcome<()> {
        let mut connection = lock(&self.reader);
        let tx = connection.transaction()?;
        let mut get = tx.prepare_cached(GET)?;
        keys.iter().try_for_each(|key| check(&mut get, key))
    }

    fn commit(&self, writers: u32, first: u64, until: Instant) -> Outcome<u64> {
        crate::turns::threads(writers, |number| {
            self.write(first + u64::from(number), writers, until)
        })
    }
}
