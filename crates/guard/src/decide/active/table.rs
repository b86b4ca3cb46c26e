//! Pure: a map from prefixes to an end, a number and two flags.

use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;

use super::Active;
use super::run::{Entry, Key, Run};
use crate::prefix::Prefix;

/// Bits of a mark that are the number.
const NUMBER: u8 = 0b0011_1111;

/// The number of a mark whose number is elsewhere: 0, and what is too high, which few ever are.
const ELSEWHERE: u8 = NUMBER;

/// The flag of a ban that is only reported.
const DRY_RUN: u8 = 0b0100_0000;

/// The flag of an operator's ban.
const BY_OPERATOR: u8 = 0b1000_0000;

/// How many that end soonest are looked for at once, when one has to go: it looks at all.
const SOONEST: usize = 1024;

/// Prefixes whose keys are of one type, by their class.
#[derive(Debug, Default)]
struct Family<K>(Vec<(u8, Run<K>)>);

impl<K: Key> Family<K> {
    fn get(&self, prefix: &Prefix) -> Option<Entry> {
        let class = prefix.class_byte();
        let (_, run) = self.0.iter().find(|(known, _)| *known == class)?;
        run.get(K::within(prefix).0)
    }

    fn put(&mut self, prefix: &Prefix, entry: Entry) -> bool {
        let class = prefix.class_byte();
        let at = self.0.binary_search_by_key(&class, |(class, _)| *class);
        let at = at.unwrap_or_else(|at| {
            self.0.insert(at, (class, Run::default()));
            at
        });
        let run = self.0.get_mut(at);
        run.is_some_and(|(_, run)| run.put(K::within(prefix).0, entry))
    }

    fn remove(&mut self, prefix: &Prefix) -> Option<Entry> {
        let class = prefix.class_byte();
        let at = self.0.iter().position(|(known, _)| *known == class)?;
        let (_, run) = self.0.get_mut(at)?;
        let removed = run.remove(K::within(prefix).0);
        // So that its length is not looked for.
        if run.is_empty() {
            self.0.remove(at);
        }
        removed
    }

    /// Those that have an address, the widest first.
    fn holding(&self, address: IpAddr) -> impl Iterator<Item = (Prefix, Entry)> {
        self.0.iter().filter_map(move |(class, run)| {
            let prefix = Prefix::in_class(address, usize::from(*class))?;
            Some((prefix, run.get(K::within(&prefix).0)?))
        })
    }

    /// Those within a prefix, and it.
    fn within<'a>(&'a self, wide: &'a Prefix) -> impl Iterator<Item = (Prefix, Entry)> + 'a {
        let bits = wide.bits();
        let narrower = self
            .0
            .iter()
            .filter(move |(class, _)| Prefix::class_bits(*class) >= bits);
        narrower.flat_map(move |(class, run)| {
            let found = run.within(wide);
            found.filter_map(|(key, entry)| Some((key.prefix(*class)?, entry)))
        })
    }

    fn raw(&self) -> impl Iterator<Item = (u8, K, Entry)> {
        self.0
            .iter()
            .flat_map(|(class, run)| run.iter().map(|(key, entry)| (*class, key, entry)))
    }

    fn iter(&self) -> impl Iterator<Item = (Prefix, Entry)> {
        self.raw()
            .filter_map(|(class, key, entry)| Some((key.prefix(class)?, entry)))
    }

    fn soonest(&self, found: &mut BinaryHeap<(u32, Prefix)>) {
        for (class, key, (until, mark)) in self.raw() {
            let full = found.len() >= SOONEST;
            let late = full && found.peek().is_some_and(|(last, _)| *last <= until);
            if mark & BY_OPERATOR == 0
                && !late
                && let Some(prefix) = key.prefix(class)
            {
                if full {
                    found.pop();
                }
                found.push((until, prefix));
            }
        }
    }
}

/// The map. An IPv4 prefix takes 9 bytes, an IPv6 prefix of up to 64 bits 13, any other 21, and hardly more.
#[derive(Debug, Default)]
pub(super) struct Table {
    four: Family<u32>,
    six: Family<u64>,
    long: Family<u128>,
    numbers: HashMap<Prefix, u32>,
    /// Those that end soonest, the soonest last; some may be gone.
    soonest: Vec<(u32, Prefix)>,
    len: usize,
}

/// Does something with the family that has a prefix.
macro_rules! with_family {
    ($table:expr, $prefix:expr, $family:ident => $do:expr) => {{
        let (table, prefix) = ($table, $prefix);
        if prefix.is_ipv4() {
            let $family = &table.four;
            $do
        } else if prefix.bits() <= 64 {
            let $family = &table.six;
            $do
        } else {
            let $family = &table.long;
            $do
        }
    }};
    (mut $table:expr, $prefix:expr, $family:ident => $do:expr) => {{
        let (table, prefix) = ($table, $prefix);
        if prefix.is_ipv4() {
            let $family = &mut table.four;
            $do
        } else if prefix.bits() <= 64 {
            let $family = &mut table.six;
            $do
        } else {
            let $family = &mut table.long;
            $do
        }
    }};
}

impl Table {
    fn active(&self, prefix: &Prefix, (until, mark): Entry) -> Active {
        let number = mark & NUMBER;
        let nth = if number == ELSEWHERE {
            self.numbers.get(prefix).copied().unwrap_or_default()
        } else {
            number.into()
        };
        Active {
            until: until.into(),
            nth,
            dry_run: mark & DRY_RUN != 0,
            by_operator: mark & BY_OPERATOR != 0,
        }
    }

    pub(super) fn get(&self, prefix: &Prefix) -> Option<Active> {
        let entry = with_family!(self, prefix, family => family.get(prefix))?;
        Some(self.active(prefix, entry))
    }

    pub(super) fn put(&mut self, prefix: &Prefix, active: Active) {
        let number = u8::try_from(active.nth).ok();
        let number = number.filter(|number| (1..ELSEWHERE).contains(number));
        if number.is_none() {
            self.numbers.insert(*prefix, active.nth);
        } else if !self.numbers.is_empty() {
            self.numbers.remove(prefix);
        }
        let mut mark = number.unwrap_or(ELSEWHERE);
        mark |= if active.dry_run { DRY_RUN } else { 0 };
        mark |= if active.by_operator { BY_OPERATOR } else { 0 };
        let until = u32::try_from(active.until).unwrap_or(u32::MAX);
        let entry = (until, mark);
        let new = with_family!(mut &mut *self, prefix, family => family.put(prefix, entry));
        self.len += usize::from(new);
        // Only while one has to go for each that comes.
        if let Some((last, _)) = self.soonest.first()
            && until < *last
            && !active.by_operator
        {
            let at = self.soonest.partition_point(|one| one.0 > until);
            self.soonest.insert(at, (until, *prefix));
            self.soonest.truncate(2 * SOONEST);
        }
    }

    pub(super) fn remove(&mut self, prefix: &Prefix) -> Option<Active> {
        let entry = with_family!(mut &mut *self, prefix, family => family.remove(prefix))?;
        self.len -= 1;
        let active = self.active(prefix, entry);
        if !self.numbers.is_empty() {
            self.numbers.remove(prefix);
        }
        Some(active)
    }

    /// Takes that out which ends soonest and is no operator's.
    pub(super) fn remove_soonest(&mut self) -> Option<Prefix> {
        for look in [false, true] {
            if look {
                let mut found = BinaryHeap::with_capacity(SOONEST);
                self.four.soonest(&mut found);
                self.six.soonest(&mut found);
                self.long.soonest(&mut found);
                self.soonest = found.into_sorted_vec();
                self.soonest.reverse();
            }
            while let Some((until, prefix)) = self.soonest.pop() {
                let now = self.get(&prefix);
                if now.is_some_and(|now| now.until == u64::from(until) && !now.by_operator) {
                    self.remove(&prefix);
                    return Some(prefix);
                }
            }
        }
        None
    }

    pub(super) fn holding(&self, address: IpAddr) -> impl Iterator<Item = (Prefix, Active)> {
        let found = self.four.holding(address);
        let found = found
            .chain(self.six.holding(address))
            .chain(self.long.holding(address));
        found.map(|(prefix, entry)| (prefix, self.active(&prefix, entry)))
    }

    /// Those within a prefix, and it.
    pub(super) fn within(&self, wide: &Prefix) -> impl Iterator<Item = (Prefix, Active)> {
        let wide = *wide;
        let mut found = Vec::new();
        if wide.is_ipv4() {
            found.extend(self.four.within(&wide));
        } else {
            if wide.bits() <= 64 {
                found.extend(self.six.within(&wide));
            }
            found.extend(self.long.within(&wide));
        }
        found
            .into_iter()
            .map(|(prefix, entry)| (prefix, self.active(&prefix, entry)))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Prefix, Active)> {
        let all = self.four.iter().chain(self.six.iter());
        all.chain(self.long.iter())
            .map(|(prefix, entry)| (prefix, self.active(&prefix, entry)))
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }
}
