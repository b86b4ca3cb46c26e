//! Pure: prefixes of one length with an end and a mark each, in hardly more bytes than these have.

use crate::prefix::Prefix;

/// Entries that are put beside the sorted ones before they are merged with them. A merge moves all, 1 MB where there
/// are 100,000 bans; with so many at once it is little for each.
const NEW_MAX: usize = 512;

/// Of how many sorted entries one may be removed, and still be there, before they are closed up: one in so many.
const DEAD_PART: usize = 8;

/// Of how many sorted entries there is room for one more: one in so many.
const ROOM_PART: usize = 32;

/// The mark of a removed entry.
pub(super) const DEAD: u8 = 0;

/// The bits of a prefix that tell it from others of its length.
pub(super) trait Key: Copy + Ord + Default {
    /// The first and the last key within a prefix.
    fn within(prefix: &Prefix) -> (Self, Self);
    /// The prefix of that key and class.
    fn prefix(self, class: u8) -> Option<Prefix>;
}

impl Key for u32 {
    fn within(prefix: &Prefix) -> (Self, Self) {
        let (first, last) = prefix.range();
        let key = |bits: u128| Self::try_from(bits).unwrap_or(Self::MAX);
        (key(first), key(last))
    }

    fn prefix(self, class: u8) -> Option<Prefix> {
        Prefix::numbered(self.into(), class)
    }
}

impl Key for u64 {
    fn within(prefix: &Prefix) -> (Self, Self) {
        let (first, last) = prefix.range();
        let key = |bits: u128| Self::try_from(bits >> Self::BITS).unwrap_or(Self::MAX);
        (key(first), key(last))
    }

    fn prefix(self, class: u8) -> Option<Prefix> {
        Prefix::numbered(self, class)
    }
}

impl Key for u128 {
    fn within(prefix: &Prefix) -> (Self, Self) {
        prefix.range()
    }

    fn prefix(self, class: u8) -> Option<Prefix> {
        #[expect(clippy::cast_possible_truncation, reason = "the halves are meant")]
        Prefix::whole((self >> 64) as u64, self as u64, class)
    }
}

/// When something ends, in seconds since 1970, and its mark.
pub(super) type Entry = (u32, u8);

/// Entries in the order of their keys, in three arrays without gaps; and a few new ones.
#[derive(Debug, Default)]
pub(super) struct Run<K> {
    keys: Vec<K>,
    ends: Vec<u32>,
    marks: Vec<u8>,
    new: Vec<(K, Entry)>,
    dead: usize,
}

impl<K: Key> Run<K> {
    pub(super) fn get(&self, key: K) -> Option<Entry> {
        if let Ok(at) = self.new.binary_search_by_key(&key, |(key, _)| *key) {
            return self.new.get(at).map(|(_, entry)| *entry);
        }
        self.old(self.keys.binary_search(&key).ok()?)
    }

    fn old(&self, at: usize) -> Option<Entry> {
        let entry = (*self.ends.get(at)?, *self.marks.get(at)?);
        (entry.1 != DEAD).then_some(entry)
    }

    /// Puts an entry, and says whether there was none of that key.
    pub(super) fn put(&mut self, key: K, entry: Entry) -> bool {
        if let Ok(at) = self.keys.binary_search(&key) {
            let was_dead = self.marks[at] == DEAD;
            (self.ends[at], self.marks[at]) = entry;
            self.dead -= usize::from(was_dead);
            return was_dead;
        }
        match self.new.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(at) => {
                self.new[at].1 = entry;
                false
            }
            Err(at) => {
                if self.new.len() >= NEW_MAX {
                    self.merge();
                    self.new.push((key, entry));
                } else {
                    self.new.insert(at, (key, entry));
                }
                true
            }
        }
    }

    pub(super) fn remove(&mut self, key: K) -> Option<Entry> {
        if let Ok(at) = self.new.binary_search_by_key(&key, |(key, _)| *key) {
            return Some(self.new.remove(at).1);
        }
        let at = self.keys.binary_search(&key).ok()?;
        let entry = self.old(at)?;
        self.marks[at] = DEAD;
        self.dead += 1;
        if self.dead > self.keys.len() / DEAD_PART {
            self.close_up();
        }
        Some(entry)
    }

    /// Takes the removed entries away.
    fn close_up(&mut self) {
        let mut to = 0;
        for from in 0..self.keys.len() {
            if self.marks[from] != DEAD {
                self.keys[to] = self.keys[from];
                self.ends[to] = self.ends[from];
                self.marks[to] = self.marks[from];
                to += 1;
            }
        }
        self.keys.truncate(to);
        self.ends.truncate(to);
        self.marks.truncate(to);
        self.dead = 0;
        if self.keys.capacity() / 2 > to {
            self.keys.shrink_to_fit();
            self.ends.shrink_to_fit();
            self.marks.shrink_to_fit();
        }
    }

    /// Merges the new entries with the others, from the last to the first, so that it takes no second place.
    fn merge(&mut self) {
        if self.dead > 0 {
            self.close_up();
        }
        let mut end = self.keys.len();
        let all = end + self.new.len();
        if self.keys.capacity() < all {
            let more = self.new.len() + all / ROOM_PART;
            self.keys.reserve_exact(more);
            self.ends.reserve_exact(more);
            self.marks.reserve_exact(more);
        }
        self.keys.resize(all, K::default());
        self.ends.resize(all, 0);
        self.marks.resize(all, DEAD);
        let mut to = all;
        for (key, (until, mark)) in self.new.drain(..).rev() {
            let from = self.keys[..end].partition_point(|old| *old < key);
            to -= end - from;
            self.keys.copy_within(from..end, to);
            self.ends.copy_within(from..end, to);
            self.marks.copy_within(from..end, to);
            end = from;
            to -= 1;
            (self.keys[to], self.ends[to], self.marks[to]) = (key, until, mark);
        }
    }

    /// All, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, Entry)> {
        part(&self.keys, &self.ends, &self.marks, &self.new)
    }

    /// Those within a prefix that is as wide or wider, in no order.
    pub(super) fn within(&self, prefix: &Prefix) -> impl Iterator<Item = (K, Entry)> {
        let (first, last) = K::within(prefix);
        let from = self.keys.partition_point(|key| *key < first);
        let to = self.keys.partition_point(|key| *key <= last);
        let new = self.new.partition_point(|(key, _)| *key < first)
            ..self.new.partition_point(|(key, _)| *key <= last);
        part(
            &self.keys[from..to],
            &self.ends[from..to],
            &self.marks[from..to],
            &self.new[new],
        )
    }

    pub(super) fn is_empty(&self) -> bool {
        self.new.is_empty() && self.dead == self.keys.len()
    }
}

fn part<'a, K: Key>(
    keys: &'a [K],
    ends: &'a [u32],
    marks: &'a [u8],
    new: &'a [(K, Entry)],
) -> impl Iterator<Item = (K, Entry)> + 'a {
    let old = keys.iter().zip(ends).zip(marks);
    old.map(|((key, until), mark)| (*key, (*until, *mark)))
        .filter(|(_, (_, mark))| *mark != DEAD)
        .chain(new.iter().copied())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in proptest::collection::vec((0_u32..1500, 1_u8..4, any::<bool>()), 0..3000)) {
            let (mut run, mut map) = (Run::<u32>::default(), BTreeMap::new());
            for (at, (key, mark, put)) in steps.into_iter().enumerate() {
                let entry = (u32::try_from(at).unwrap_or_default(), mark);
                if put {
                    prop_assert_eq!(run.put(key, entry), map.insert(key, entry).is_none());
                } else {
                    prop_assert_eq!(run.remove(key), map.remove(&key));
                }
            }
            for key in 0..1500 {
                prop_assert_eq!(run.get(key), map.get(&key).copied());
            }
            let mut all: Vec<_> = run.iter().collect();
            all.sort_unstable();
            prop_assert_eq!(&all, &map.clone().into_iter().collect::<Vec<_>>());
            let wide = Prefix::of([0, 0, 1, 0].into(), 24);
            let mut some: Vec<_> = run.within(&wide).collect();
            some.sort_unstable();
            prop_assert_eq!(some, map.range(256..512).map(|(key, entry)| (*key, *entry)).collect::<Vec<_>>());
            prop_assert_eq!(run.is_empty(), map.is_empty());
        }
    }
}
