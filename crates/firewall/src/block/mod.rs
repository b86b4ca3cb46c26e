//! Pure: block lists. What overlaps or adjoins is merged, and divided again into prefixes of a few lengths, since each
//! length is a set that every packet is looked up in.

mod entries;
mod lengths;
mod lines;
mod merge;

pub use entries::Entries;
pub use lengths::{LENGTHS_MAX, choose};
pub use lines::Lines;
pub(crate) use merge::{Range, join, range};

use std::collections::BTreeMap;

use firewall_api::Prefix;

use crate::nft::Key;

/// A block list as the kernel holds it: the prefixes of each family and length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    by_key: BTreeMap<Key, Entries>,
}

impl Content {
    /// Makes one of any prefixes.
    #[must_use]
    pub fn of(prefixes: Vec<Prefix>) -> Self {
        let (v4, v6): (Vec<_>, Vec<_>) = prefixes
            .into_iter()
            .partition(|one| one.address().is_ipv4());
        let mut by_key = BTreeMap::new();
        for (v6, prefixes) in [(false, v4), (true, v6)] {
            let merged = merge::merge(&prefixes, v6);
            drop(prefixes);
            let mut counts = BTreeMap::<u8, u64>::new();
            for (_, bits) in &merged {
                *counts.entry(*bits).or_default() += 1;
            }
            let chosen = choose(&counts);
            for (start, bits) in merged {
                let Some(&target) = chosen.iter().find(|target| **target >= bits) else {
                    continue;
                };
                let key = Key { v6, bits: target };
                let entries = by_key.entry(key).or_insert_with(|| Entries::of(key));
                let step = 1_u128
                    .checked_shl(u32::from(key.address_bits() - target))
                    .unwrap_or(0);
                for part in 0..1_u128 << (target - bits) {
                    entries.push(start + part * step);
                }
            }
        }
        by_key.values_mut().for_each(Entries::shrink);
        Self { by_key }
    }

    /// How many entries the kernel holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.values().map(Entries::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// The entries of each family and length.
    pub fn parts(&self) -> impl Iterator<Item = (Key, &Entries)> {
        self.by_key.iter().map(|(key, entries)| (*key, entries))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn all(content: &Content) -> Vec<Prefix> {
        content
            .parts()
            .flat_map(|(key, entries)| entries.prefixes(key, 0..entries.len()).collect::<Vec<_>>())
            .collect()
    }

    fn prefixes() -> impl Strategy<Value = Prefix> {
        (any::<bool>(), 0_u32..64, 0_u8..10).prop_map(|(v6, number, wider)| {
            let (address, bits): (IpAddr, u8) = if v6 {
                (
                    Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number) << 64).into(),
                    64,
                )
            } else {
                (Ipv4Addr::from_bits(0xc000_0200 | number).into(), 32)
            };
            Prefix::new(address, bits - wider.min(6)).unwrap()
        })
    }

    proptest! {
        #[test]
        fn it_holds_the_same_addresses_once(list in proptest::collection::vec(prefixes(), 0..60)) {
            let content = Content::of(list.clone());
            let held = all(&content);
            prop_assert_eq!(held.len(), content.len());
            prop_assert_eq!(content.is_empty(), list.is_empty());
            for one in &list {
                prop_assert!(held.iter().any(|other| other.meets(one)));
            }
            for number in 0..128_u32 {
                let v4 = IpAddr::from(Ipv4Addr::from_bits(0xc000_0200 | number));
                let v6 = IpAddr::from(Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number) << 64 | 5));
                for address in [v4, v6] {
                    let wanted = list.iter().any(|one| one.has(address));
                    let count = held.iter().filter(|one| one.has(address)).count();
                    prop_assert_eq!(count, usize::from(wanted), "{}", address);
                }
            }
        }
    }
}
