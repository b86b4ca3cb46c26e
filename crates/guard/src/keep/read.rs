//! What the store knows.

use std::ops::Bound;
use std::sync::Mutex;

use guard_api::{Ban, Past};
use ipnet::IpNet;
use store::{Store, Table};

use crate::prefix::Prefix;
use crate::schema::{self, PAST, SINGLE};

/// Hands every ban of the store to `each`.
///
/// # Errors
/// As all reads.
pub fn bans(store: &Store, table: Table, each: impl FnMut(Ban)) -> Result<(), store::Error> {
    // A read may begin again after a fault of the disk; a ban that is put twice is the same ban.
    let each = Mutex::new(each);
    store.read(|tx| {
        for entry in tx.range(table, ..)? {
            let (_, record) = entry?;
            match (schema::ban(&record), each.lock()) {
                (Ok(ban), Ok(mut each)) => each(ban),
                (Err(error), _) => tracing::error!("a ban of the store is not in force: {error}"),
                (_, Err(_)) => {}
            }
        }
        Ok(())
    })
}

/// Hands the prefix, number and end of every past ban to `each`, the earliest first.
///
/// # Errors
/// As all reads.
pub fn all_past(store: &Store, each: impl FnMut(Past)) -> Result<(), store::Error> {
    let each = Mutex::new(each);
    store.read(|tx| {
        for entry in tx.range(PAST, ..)? {
            let (_, record) = entry?;
            if let (Ok(past), Ok(mut each)) = (schema::past(&record), each.lock()) {
                each(past);
            }
        }
        Ok(())
    })
}

/// One ban with all that is known of it.
///
/// # Errors
/// As all reads.
pub fn ban(store: &Store, table: Table, prefix: Prefix) -> Result<Option<Ban>, store::Error> {
    let record = store.read(|tx| tx.get(table, &prefix.to_bytes()))?;
    Ok(record.and_then(|record| schema::ban(&record).ok()))
}

/// A page of bans, and the prefix after which the next one begins, if there is one.
pub type Page = (Vec<Ban>, Option<IpNet>);

/// A page of bans after a prefix, in the order of prefixes.
///
/// # Errors
/// As all reads.
pub fn page(
    store: &Store,
    table: Table,
    after: Option<IpNet>,
    most: usize,
) -> Result<Page, store::Error> {
    let after = after.map(|after| Prefix::from(after).to_bytes());
    store.read(|tx| {
        let from = after
            .as_ref()
            .map_or(Bound::Unbounded, |after| Bound::Excluded(&after[..]));
        let (mut bans, mut last, mut count) = (Vec::new(), None, 0);
        for entry in tx.range(table, (from, Bound::Unbounded))?.take(most) {
            let (key, record) = entry?;
            count += 1;
            last = Prefix::from_bytes(key.as_ref()).map(IpNet::from);
            match schema::ban(&record) {
                Ok(ban) => bans.push(ban),
                Err(error) => tracing::error!("a ban of the store is not shown: {error}"),
            }
        }
        Ok((bans, last.filter(|_| count == most)))
    })
}

/// The past bans that an address was under, the latest first.
///
/// # Errors
/// As all reads.
pub fn past_of(
    store: &Store,
    address: std::net::IpAddr,
    most: usize,
) -> Result<Vec<Past>, store::Error> {
    store.read(|tx| {
        let mut found = Vec::new();
        for entry in tx.range(PAST, ..)?.rev() {
            let (key, record) = entry?;
            let prefix = key.get(8..).and_then(Prefix::from_bytes);
            if prefix.is_some_and(|prefix| prefix.has(address)) {
                found.extend(schema::past(&record).ok());
            }
            if found.len() >= most {
                break;
            }
        }
        Ok(found)
    })
}

/// What there is one of.
///
/// # Errors
/// As all reads.
pub fn single<T: serde::de::DeserializeOwned + Default>(
    store: &Store,
    key: &[u8],
) -> Result<T, store::Error> {
    let record = store.read(|tx| tx.get(SINGLE, key))?;
    let read = record.map(|record| schema::read(&record));
    Ok(read.and_then(Result::ok).unwrap_or_default())
}
