//! Pure: the bans in force, in few bytes each, and how many a prefix had before.

mod run;
mod table;

use std::net::IpAddr;

use self::table::Table;
use crate::prefix::Prefix;

/// Most bans at once. A new one takes the place of that which ends first, but never of an operator's.
pub const BANS_MAX: usize = 200_000;

/// Prefixes without a ban whose earlier bans are remembered. When one more comes, that whose last ban ended first
/// is forgotten.
pub const PAST_MAX: usize = 65_536;

/// A ban, as it is held in memory; the store has the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Active {
    /// Until when, in seconds since 1970; held until 2106.
    pub until: u64,
    /// The how manieth ban of the prefix it is.
    pub nth: u32,
    /// Whether it is only reported.
    pub dry_run: bool,
    /// Whether an operator made it.
    pub by_operator: bool,
}

/// The bans in force.
#[derive(Debug, Default)]
pub struct Bans {
    held: Table,
    /// Those that ended, with the number of the last one.
    past: Table,
}

impl Bans {
    /// Puts a ban in force. Gives the one that had to go for it, if there was no room; that is the new one itself
    /// where all others are operators'.
    pub fn put(&mut self, prefix: Prefix, active: Active) -> Option<Prefix> {
        let mut gone = None;
        if self.held.len() >= BANS_MAX && self.held.get(&prefix).is_none() {
            gone = Some(self.held.remove_soonest().unwrap_or(prefix));
        }
        if gone != Some(prefix) {
            self.held.put(&prefix, active);
        }
        gone
    }

    /// Takes a ban out of force.
    pub fn remove(&mut self, prefix: &Prefix) -> Option<Active> {
        self.held.remove(prefix)
    }

    /// The ban of exactly this prefix that holds at `now_s`, in seconds since 1970.
    #[must_use]
    pub fn get(&self, prefix: &Prefix, now_s: u64) -> Option<Active> {
        let active = self.held.get(prefix);
        active.filter(|active| active.until > now_s)
    }

    /// The bans that hold for an address, the widest first.
    pub fn holding(&self, address: IpAddr, now_s: u64) -> impl Iterator<Item = (Prefix, Active)> {
        let found = self.held.holding(address);
        found.filter(move |(_, active)| active.until > now_s)
    }

    /// The bans that hold for a part of a prefix, or for all of it.
    #[must_use]
    pub fn overlapping(&self, prefix: &Prefix) -> Vec<Prefix> {
        let wider = self.held.holding(prefix.first());
        wider
            .map(|(wider, _)| wider)
            .filter(|wider| wider.bits() < prefix.bits())
            .chain(self.held.within(prefix).map(|(within, _)| within))
            .collect()
    }

    /// How many parts of `bits` bits of a prefix are banned.
    #[must_use]
    pub fn parts(&self, of: Prefix, bits: u8, now_s: u64) -> usize {
        let within = self.held.within(&of);
        within
            .filter(|(part, active)| part.bits() == bits && active.until > now_s)
            .count()
    }

    /// The bans that have ended by `now_s`.
    #[must_use]
    pub fn ended(&self, now_s: u64) -> Vec<Prefix> {
        let all = self.held.iter();
        all.filter(|(_, active)| active.until <= now_s)
            .map(|(prefix, _)| prefix)
            .collect()
    }

    /// All bans, those too that have just ended.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix, Active)> {
        self.held.iter()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.held.len() == 0
    }

    /// Remembers that the `nth` ban of a prefix ended.
    pub fn remember(&mut self, prefix: Prefix, nth: u32, ended: u64) {
        let past = Active {
            until: ended,
            nth,
            dry_run: false,
            by_operator: false,
        };
        self.past.put(&prefix, past);
        if self.past.len() > PAST_MAX {
            self.past.remove_soonest();
        }
    }

    /// How many bans the prefix had that are not forgotten: those whose last one ended less than `forget_s` ago.
    #[must_use]
    pub fn earlier(&self, prefix: &Prefix, forget_s: u64, now_s: u64) -> u32 {
        let last = self.held.get(prefix);
        let last = last.or_else(|| self.past.get(prefix));
        last.filter(|last| now_s.saturating_sub(last.until) < forget_s)
            .map_or(0, |last| last.nth)
    }

    /// Forgets the earlier bans of a prefix.
    pub fn pardon(&mut self, prefix: &Prefix) {
        self.past.remove(prefix);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn until(until: u64) -> Active {
        Active {
            until,
            nth: 1,
            dry_run: false,
            by_operator: false,
        }
    }

    #[test]
    fn a_ban_holds_until_its_end() {
        let mut bans = Bans::default();
        let address: IpAddr = "2001:db8::1".parse().unwrap();
        bans.put(Prefix::of(address, 64), until(10));
        bans.put(Prefix::of(address, 48), until(20));
        let held = |now| {
            bans.holding(address, now)
                .map(|(prefix, _)| prefix.bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (held(9), held(10), held(20)),
            (vec![48, 64], vec![48], vec![])
        );
        assert_eq!(bans.ended(10).len(), 1);
        assert_eq!(bans.overlapping(&Prefix::host(address)).len(), 2);
        assert!(
            bans.holding("203.0.113.7".parse().unwrap(), 0)
                .next()
                .is_none()
        );
    }

    #[test]
    fn earlier_bans_count_until_they_are_forgotten() {
        let mut bans = Bans::default();
        let prefix = Prefix::host([203, 0, 113, 7].into());
        bans.remember(prefix, 3, 100);
        assert_eq!(bans.earlier(&prefix, 50, 149), 3);
        assert_eq!(bans.earlier(&prefix, 50, 150), 0);
        bans.pardon(&prefix);
        assert_eq!(bans.earlier(&prefix, 50, 100), 0);
        for number in 0..=u32::try_from(PAST_MAX).unwrap() {
            bans.remember(Prefix::host(IpAddr::V4(number.into())), 1, number.into());
        }
        assert_eq!(bans.past.len(), PAST_MAX);
        assert_eq!(
            bans.earlier(&Prefix::host([0, 0, 0, 0].into()), u64::MAX, 0),
            0
        );
    }

    proptest! {
        #[test]
        fn holding_is_what_a_search_of_all_finds(nets in proptest::collection::vec((any::<u16>(), 8_u8..=32, 0_u64..20), 0..60), address in any::<u16>(), now in 0_u64..20) {
            let mut bans = Bans::default();
            let four = |low: u16| IpAddr::V4((0xcb00_0000 | u32::from(low) << 4).into());
            for (low, length, end) in nets {
                bans.put(Prefix::of(four(low), length), until(end));
            }
            let address = four(address);
            let mut expected: Vec<_> = bans.iter().filter(|(prefix, ban)| prefix.has(address) && ban.until > now).map(|(prefix, _)| prefix).collect();
            expected.sort_by_key(Prefix::bits);
            let found: Vec<_> = bans.holding(address, now).map(|(prefix, _)| prefix).collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(bans.iter().count(), bans.len());
        }

        #[test]
        fn what_overlaps_is_what_a_search_of_all_finds(
            nets in proptest::collection::vec(any_prefix(), 0..60),
            gone in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
            prefix in any_prefix(),
        ) {
            let mut bans = Bans::default();
            let mut known = std::collections::BTreeMap::new();
            for (at, net) in nets.iter().enumerate() {
                let active = Active { until: at as u64 + 1, nth: 1 << (at % 32), dry_run: at % 2 == 0, by_operator: at % 3 == 0 };
                bans.put(*net, active);
                known.insert(*net, active);
            }
            for gone in gone.iter().filter(|_| !nets.is_empty()) {
                let gone = gone.get(&nets);
                prop_assert_eq!(bans.remove(gone), known.remove(gone));
            }
            let mut all: Vec<_> = bans.iter().collect();
            all.sort_by_key(|(prefix, _)| *prefix);
            prop_assert_eq!(&all, &known.into_iter().collect::<Vec<_>>());
            let mut found = bans.overlapping(&prefix);
            found.sort_unstable();
            let expected: Vec<_> = all.iter().map(|(net, _)| *net).filter(|net| net.overlaps(&prefix)).collect();
            prop_assert_eq!(found, expected);
            for bits in [24, 56, 64, 128] {
                let parts = all.iter().filter(|(net, ban)| net.bits() == bits && prefix.bits() <= bits && prefix.overlaps(net) && ban.until > 5);
                prop_assert_eq!(bans.parts(prefix, bits, 5), parts.count());
            }
        }
    }

    fn any_prefix() -> impl Strategy<Value = Prefix> {
        let four = (any::<u8>(), 8_u8..=32)
            .prop_map(|(low, length)| Prefix::of([203, 0, 113, low].into(), length));
        let six = (any::<u8>(), 16_u8..=128).prop_map(|(low, length)| {
            let (low, high) = (u128::from(low & 15), u128::from(low >> 4));
            Prefix::of(
                IpAddr::V6((0x2001_0db8 << 96 | high << 64 | low).into()),
                length,
            )
        });
        prop_oneof![four, six]
    }

    fn host(number: usize) -> Prefix {
        Prefix::host(IpAddr::V4(u32::try_from(number).unwrap().into()))
    }

    #[test]
    fn the_one_that_ends_first_goes_but_no_operators() {
        let mut bans = Bans::default();
        for number in 0..BANS_MAX {
            // Operators' end before all others.
            let by_operator = number % 100 == 0;
            let end = if by_operator {
                1
            } else {
                1_000_000 - number as u64
            };
            assert_eq!(
                bans.put(
                    host(number),
                    Active {
                        by_operator,
                        ..until(end)
                    }
                ),
                None
            );
        }
        let last = BANS_MAX - 1;
        // One that is there needs no room.
        assert_eq!(bans.put(host(last), until(1_000_000 - last as u64)), None);
        for more in 0..3000 {
            let gone = bans.put(host(BANS_MAX + more), until(2_000_000)).unwrap();
            assert!(bans.get(&gone, 0).is_none());
            let expected = last - more - more / 99;
            assert_eq!(gone, host(expected), "{more}");
        }
        // What comes later may end sooner.
        bans.put(host(900_000), until(3));
        assert_eq!(bans.put(host(900_001), until(4)), Some(host(900_000)));
        assert_eq!(bans.len(), BANS_MAX);
    }

    #[test]
    fn where_all_are_operators_the_new_one_goes() {
        let mut bans = Bans::default();
        for number in 0..BANS_MAX {
            bans.put(
                host(number),
                Active {
                    by_operator: true,
                    ..until(10)
                },
            );
        }
        let new = host(BANS_MAX);
        assert_eq!(bans.put(new, until(100)), Some(new));
        assert!(bans.get(&new, 0).is_none() && bans.len() == BANS_MAX);
    }
}
