//! Pure: which addresses are banned until when.

use std::collections::HashMap;
use std::net::IpAddr;

use event::wire::Ban;
use ipnet::IpNet;

/// The most bans that are kept, about 100 bytes each. Further ones are the firewall's alone.
pub(crate) const BANS_MAX: usize = 262_144;

/// How often bans that have ended are cleared away, in seconds.
const CLEAR_EVERY_S: u64 = 60;

/// Lengths of prefixes, in bits: none to all of an IPv6 address.
const LENGTHS: usize = 129;

/// One ban.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The second in which it ends; none where it does not.
    until: Option<u64>,
    /// The listing that it was last told in.
    listing: u64,
}

/// What became of a ban that was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It was not in force before.
    New,
    /// It was in force already.
    Known,
    /// There is no room for it.
    NoRoom,
}

/// All bans. Looking one address up takes as many steps as there are lengths of prefixes.
#[derive(Debug)]
pub(crate) struct Table {
    entries: HashMap<IpNet, Entry>,
    /// How many prefixes there are of each length.
    v4: [u32; LENGTHS],
    v6: [u32; LENGTHS],
    listing: u64,
    cleared: u64,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            entries: HashMap::new(),
            v4: [0; LENGTHS],
            v6: [0; LENGTHS],
            listing: 0,
            cleared: 0,
        }
    }

    /// How many there are, those that have ended and were not yet cleared away among them.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes a ban in, or its new end.
    pub(crate) fn put(&mut self, ban: &Ban, now: u64) -> Put {
        if now.saturating_sub(self.cleared) >= CLEAR_EVERY_S {
            self.clear(now);
        }
        let is_new = !self.entries.contains_key(&ban.prefix);
        if is_new && self.entries.len() >= BANS_MAX {
            return Put::NoRoom;
        }
        let entry = Entry {
            until: ban.left_s.map(|left| now + u64::from(left)),
            listing: self.listing,
        };
        let before = self.entries.insert(ban.prefix, entry);
        if is_new {
            *self.count(&ban.prefix) += 1;
        }
        match before {
            Some(entry) if is_in_force(&entry, now) => Put::Known,
            _ => Put::New,
        }
    }

    /// Ends a ban.
    pub(crate) fn lift(&mut self, prefix: &IpNet) {
        if self.entries.remove(prefix).is_some() {
            *self.count(prefix) -= 1;
        }
    }

    /// From here on all that are in force are told.
    pub(crate) fn list_again(&mut self) {
        self.listing += 1;
    }

    /// All that are in force were told: others are not.
    pub(crate) fn listed(&mut self) {
        let listing = self.listing;
        self.keep(|entry| entry.listing == listing);
    }

    /// Whether an address is banned.
    pub(crate) fn covers(&self, address: IpAddr, now: u64) -> bool {
        let counts = match address {
            IpAddr::V4(_) => &self.v4[..=32],
            IpAddr::V6(_) => &self.v6[..],
        };
        let lengths = (0_u8..).zip(counts).filter(|(_, count)| **count > 0);
        lengths.into_iter().any(|(length, _)| {
            let prefix = IpNet::new_assert(address, length).trunc();
            let entry = self.entries.get(&prefix);
            entry.is_some_and(|entry| is_in_force(entry, now))
        })
    }

    fn clear(&mut self, now: u64) {
        self.cleared = now;
        self.keep(|entry| is_in_force(entry, now));
    }

    fn keep(&mut self, mut keeps: impl FnMut(&Entry) -> bool) {
        let Self {
            entries, v4, v6, ..
        } = self;
        entries.retain(|prefix, entry| {
            let kept = keeps(entry);
            if !kept {
                let counts = if prefix.addr().is_ipv4() {
                    &mut *v4
                } else {
                    &mut *v6
                };
                counts[usize::from(prefix.prefix_len())] -= 1;
            }
            kept
        });
    }

    fn count(&mut self, prefix: &IpNet) -> &mut u32 {
        let counts = match prefix {
            IpNet::V4(_) => &mut self.v4,
            IpNet::V6(_) => &mut self.v6,
        };
        &mut counts[usize::from(prefix.prefix_len())]
    }
}

fn is_in_force(entry: &Entry, now: u64) -> bool {
    entry.until.is_none_or(|until| now < until)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn ban(prefix: &str, left_s: Option<u32>) -> Ban {
        let prefix = prefix.parse().unwrap();
        Ban { prefix, left_s }
    }

    fn covers(table: &Table, address: &str, now: u64) -> bool {
        table.covers(address.parse().unwrap(), now)
    }

    #[test]
    fn a_prefix_covers_its_addresses_until_it_ends() {
        let mut table = Table::new();
        assert!(!covers(&table, "192.0.2.1", 0));
        for prefix in ["192.0.2.1/32", "198.51.100.0/24", "2001:db8:1:2::/64"] {
            assert_eq!(table.put(&ban(prefix, Some(10)), 5), Put::New);
        }
        assert_eq!(table.put(&ban("2001:db8:9::/48", None), 5), Put::New);
        for (address, banned) in [
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("198.51.100.77", true),
            ("2001:db8:1:2:ffff::1", true),
            ("2001:db8:1:3::1", false),
            ("2001:db8:9:ffff::1", true),
        ] {
            assert_eq!(covers(&table, address, 14), banned, "{address}");
            let for_ever = address.starts_with("2001:db8:9");
            assert_eq!(covers(&table, address, 15), for_ever, "{address}");
        }
        // It was lengthened.
        let longer = ban("192.0.2.1/32", Some(100));
        assert_eq!(table.put(&longer, 14), Put::Known);
        // It had ended.
        assert_eq!(table.put(&ban("198.51.100.0/24", None), 15), Put::New);
        table.lift(&"198.51.100.0/24".parse().unwrap());
        assert!(covers(&table, "192.0.2.1", 113));
        table.lift(&"192.0.2.1/32".parse().unwrap());
        assert!(!covers(&table, "192.0.2.1", 20));
        // What has ended takes no room for long.
        table.put(&ban("192.0.2.9/32", None), 100);
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn what_is_not_told_again_is_lifted_once_all_is_told() {
        let mut table = Table::new();
        table.put(&ban("192.0.2.1/32", None), 0);
        table.put(&ban("192.0.2.2/32", None), 0);
        table.list_again();
        table.put(&ban("192.0.2.2/32", None), 0);
        assert!(covers(&table, "192.0.2.1", 0));
        table.listed();
        assert!(!covers(&table, "192.0.2.1", 0));
        assert!(covers(&table, "192.0.2.2", 0));
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let mut table = Table::new();
        for number in 0..u32::try_from(BANS_MAX).unwrap() {
            let prefix = IpNet::from(IpAddr::from(Ipv4Addr::from(number)));
            let left_s = Some(1);
            assert_eq!(table.put(&Ban { prefix, left_s }, 0), Put::New);
        }
        let more = ban("198.51.100.0/24", None);
        assert_eq!(table.put(&more, 0), Put::NoRoom);
        assert_eq!(table.put(&ban("0.0.0.1/32", None), 0), Put::Known);
        assert_eq!(table.put(&more, 60), Put::New);
        assert_eq!(table.len(), 2);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Put(IpNet, Option<u32>),
        Lift(IpNet),
        Wait(u64),
    }

    fn prefix() -> impl Strategy<Value = IpNet> {
        // Few, so that they meet.
        prop_oneof![
            (0_u32..4, 24_u8..=32).prop_map(|(bits, length)| {
                IpNet::new_assert(Ipv4Addr::from(bits << 7).into(), length).trunc()
            }),
            (0_u128..4, 48_u8..=64).prop_map(|(bits, length)| {
                IpNet::new_assert(Ipv6Addr::from(bits << 70).into(), length).trunc()
            }),
        ]
    }

    proptest! {
        #[test]
        fn it_is_as_a_list_that_is_searched(steps in proptest::collection::vec(prop_oneof![
            (prefix(), any::<Option<u8>>()).prop_map(|(prefix, left)| Step::Put(prefix, left.map(u32::from))),
            prefix().prop_map(Step::Lift),
            (0_u64..100).prop_map(Step::Wait),
        ], 0..60), asked in prefix()) {
            let (mut table, mut list, mut now) = (Table::new(), Vec::new(), 0);
            for step in steps {
                match step {
                    Step::Put(prefix, left_s) => {
                        let in_force = |(listed, until): &(IpNet, Option<u64>)| {
                            *listed == prefix && until.is_none_or(|until| now < until)
                        };
                        let known = if list.iter().any(in_force) { Put::Known } else { Put::New };
                        prop_assert_eq!(table.put(&Ban { prefix, left_s }, now), known);
                        list.retain(|(listed, _)| *listed != prefix);
                        list.push((prefix, left_s.map(|left| now + u64::from(left))));
                    }
                    Step::Lift(prefix) => {
                        table.lift(&prefix);
                        list.retain(|(listed, _)| *listed != prefix);
                    }
                    Step::Wait(time) => now += time,
                }
                let address = asked.addr();
                let listed = list.iter().any(|(prefix, until)| {
                    prefix.contains(&address) && until.is_none_or(|until| now < until)
                });
                prop_assert_eq!(table.covers(address, now), listed);
            }
        }
    }
}
