//! Pure: the buckets of many clients in a memory that never grows.
//!
//! A key has eight places, chosen by a keyed hash. Where all are taken, it gets the
//! place of the bucket that is nearest to full, *with what that one lacks* (as in
//! the Space-Saving algorithm of Metwally, Agrawal and El Abbadi). So:
//!
//! - No key ever gets more than its own bucket would give: what was forgotten of it
//!   is at most what its next place already lacks. Pushing others out gains nothing.
//! - A newcomer is refused in error only where all eight buckets of his places are
//!   empty at once. The hash is keyed, so nobody can aim at the places of another;
//!   to empty every bucket of a table one must send as many requests as all of them
//!   hold, which the limits for a bot and for all refuse long before.
//! - A bucket that is full again is worth as much as a free place.

use std::hash::{BuildHasher, Hash};

use super::bucket::Moment;

/// Places that one key can have.
const PLACES: usize = 8;

/// The buckets of keys of one kind.
#[derive(Debug)]
pub(crate) struct Table<K, S> {
    hasher: S,
    rows: Box<[[Place<K>; PLACES]]>,
}

#[derive(Debug, Clone, Copy)]
struct Place<K> {
    key: Option<K>,
    /// When its bucket is full.
    full: Moment,
}

impl<K: Hash + Eq + Copy, S: BuildHasher> Table<K, S> {
    /// Places for so many keys, at least eight. All the memory is taken now.
    pub(crate) fn new(keys: usize, hasher: S) -> Self {
        let free = Place { key: None, full: 0 };
        let rows = (keys / PLACES).max(1);
        Self {
            hasher,
            rows: vec![[free; PLACES]; rows].into(),
        }
    }

    /// When the bucket of a key is full.
    pub(crate) fn full(&self, key: &K) -> Moment {
        let row = &self.rows[self.row(key)];
        row[at(row, key)].full
    }

    /// Remembers when the bucket of a key is full.
    pub(crate) fn set(&mut self, key: &K, full: Moment) {
        let row = &mut self.rows[self.row(key)];
        row[at(row, key)] = Place {
            key: Some(*key),
            full,
        };
    }

    fn row(&self, key: &K) -> usize {
        let rows = self.rows.len() as u64;
        usize::try_from(self.hasher.hash_one(key) % rows).unwrap_or(0)
    }
}

/// The key's place in its row, or the one that it would take.
fn at<K: Eq>(row: &[Place<K>; PLACES], key: &K) -> usize {
    let own = row.iter().position(|place| place.key.as_ref() == Some(key));
    own.unwrap_or_else(|| {
        let nearest = row.iter().enumerate().min_by_key(|(_, place)| place.full);
        nearest.map_or(0, |(at, _)| at)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::hash::RandomState;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::bucket::Quota;
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn take<K: Hash + Eq + Copy>(
        table: &mut Table<K, RandomState>,
        quota: Quota,
        key: K,
        now: Moment,
    ) -> bool {
        let taken = quota.take(table.full(&key), now);
        if let Ok(full) = taken {
            table.set(&key, full);
        }
        taken.is_ok()
    }

    #[test]
    fn a_million_clients_take_no_more_memory_and_free_nobody() {
        let quota = Quota::new(100, Duration::from_secs(60));
        let mut table = Table::new(65_536, RandomState::new());
        let places = table.rows.len() * PLACES;
        // One uses up what he has, then a million others come, all in one second.
        let mut now = 0;
        for _ in 0..100 {
            assert!(take(&mut table, quota, u64::MAX, now));
        }
        let mut refused = 0_u32;
        for other in 0..1_000_000_u64 {
            now += 1000;
            refused += u32::from(!take(&mut table, quota, other, now));
        }
        assert_eq!(now, SECOND);
        assert_eq!(table.rows.len() * PLACES, places);
        // None of them was refused for want of memory.
        assert_eq!(refused, 0);
        // And he got back what one second gives, and nothing more.
        let passed = (0..10)
            .filter(|_| take(&mut table, quota, u64::MAX, now))
            .count();
        assert_eq!(passed, 1);
        // A minute later all is forgotten.
        now += 61 * SECOND;
        for visitor in 2_000_000..2_010_000 {
            assert!(take(&mut table, quota, visitor, now));
        }
    }

    #[test]
    fn a_flood_of_strangers_cannot_lock_a_newcomer_out() {
        // 200 requests a second, as the limit for all lets through, each of another address.
        let quota = Quota::new(100, Duration::from_secs(60));
        let mut table = Table::new(65_536, RandomState::new());
        let mut now = 0;
        for stranger in 0..100_000_u64 {
            now += SECOND / 200;
            assert!(take(&mut table, quota, stranger, now));
        }
        let newcomer = u64::MAX;
        assert_eq!(quota.left(table.full(&newcomer), now), 100);
    }

    proptest! {
        /// Against a table that forgets nothing: whoever is let in here is let in there too.
        #[test]
        fn nobody_gets_more_than_his_bucket_gives(
            requests in 1_u32..6,
            steps in proptest::collection::vec((0_u64..20, 0_u64..SECOND), 1..400),
        ) {
            let quota = Quota::new(requests, Duration::from_secs(4));
            let mut table = Table::new(PLACES, RandomState::new());
            let mut exact: HashMap<u64, Moment> = HashMap::new();
            let mut now = 0;
            for (key, step) in steps {
                now += step / 8;
                let own = exact.entry(key).or_default();
                prop_assert!(table.full(&key).max(now) >= (*own).max(now));
                if take(&mut table, quota, key, now) {
                    let full = quota.take(*own, now);
                    prop_assert!(full.is_ok());
                    *own = full.unwrap_or(*own);
                }
            }
        }
    }
}
