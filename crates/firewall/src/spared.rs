//! Pure: the addresses that no ban and no block list ever drops, whatever prefix it has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use firewall_api::Prefix;

use crate::block::{Range, join, range};

/// Ranges of addresses that are let past bans and block lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spared {
    v4: Vec<Range>,
    v6: Vec<Range>,
}

impl Spared {
    /// What `always` has, and what `unless` has without what `excepted` has.
    #[must_use]
    pub fn new<'a>(
        always: impl Iterator<Item = &'a Prefix> + Clone,
        unless: impl Iterator<Item = &'a Prefix> + Clone,
        excepted: impl Iterator<Item = &'a Prefix> + Clone,
    ) -> Self {
        let of = |v6| {
            let rest = without(&ranges(unless.clone(), v6), &ranges(excepted.clone(), v6));
            let always = ranges(always.clone(), v6);
            join(rest.into_iter().chain(always).collect())
        };
        Self {
            v4: of(false),
            v6: of(true),
        }
    }

    /// Whether `address` is among them.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        let (first, _) = range(&address.into());
        let ranges = if address.to_canonical().is_ipv4() {
            &self.v4
        } else {
            &self.v6
        };
        ranges
            .iter()
            .any(|(start, last)| (*start..=*last).contains(&first))
    }

    /// The ranges of a family, rising: each its first address, and the one behind it unless there is none.
    #[must_use]
    pub fn ranges(&self, v6: bool) -> Vec<(IpAddr, Option<IpAddr>)> {
        let address = |number: u128| -> Option<IpAddr> {
            if v6 {
                Some(Ipv6Addr::from_bits(number).into())
            } else {
                let number = u32::try_from(number).ok()?;
                Some(Ipv4Addr::from_bits(number).into())
            }
        };
        let ranges = if v6 { &self.v6 } else { &self.v4 };
        ranges
            .iter()
            .filter_map(|(first, last)| {
                Some((address(*first)?, last.checked_add(1).and_then(address)))
            })
            .collect()
    }
}

fn ranges<'a>(prefixes: impl Iterator<Item = &'a Prefix>, v6: bool) -> Vec<Range> {
    let of_family = prefixes.filter(|prefix| prefix.address().is_ipv6() == v6);
    join(of_family.map(range).collect())
}

/// `whole` without `holes`; of both the ranges rise and are apart.
fn without(whole: &[Range], holes: &[Range]) -> Vec<Range> {
    let mut rest = Vec::new();
    for &(first, last) in whole {
        let mut from = Some(first);
        for &(hole, hole_last) in holes {
            let Some(start) = from else { break };
            if hole > last || hole_last < start {
                continue;
            }
            if start < hole {
                rest.push((start, hole - 1));
            }
            from = hole_last.checked_add(1);
        }
        rest.extend(
            from.filter(|start| *start <= last)
                .map(|start| (start, last)),
        );
    }
    rest
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_exception_leaves_a_hole() {
        let read = |text: &str| -> Vec<Prefix> {
            text.split_whitespace()
                .map(|one| one.parse().unwrap())
                .collect()
        };
        let spared = Spared::new(
            read("10.1.2.3 255.255.255.255 2001:db8::/32").iter(),
            read("10.0.0.0/8").iter(),
            read("10.1.0.0/16").iter(),
        );
        let shown: Vec<_> = spared
            .ranges(false)
            .into_iter()
            .map(|(first, behind)| {
                format!(
                    "{first} {}",
                    behind.map_or(String::new(), |it| it.to_string())
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "10.0.0.0 10.1.0.0",
                "10.1.2.3 10.1.2.4",
                "10.2.0.0 11.0.0.0",
                "255.255.255.255 "
            ]
        );
        assert_eq!(spared.ranges(true).len(), 1);
    }

    fn prefixes() -> impl Strategy<Value = Vec<Prefix>> {
        let one = (0_u32..256, 24_u8..=32).prop_map(|(last, bits)| {
            Prefix::new(Ipv4Addr::from_bits(0xc000_0200 | last).into(), bits).unwrap()
        });
        proptest::collection::vec(one, 0..6)
    }

    proptest! {
        #[test]
        fn it_is_what_each_address_says(always in prefixes(), unless in prefixes(), excepted in prefixes()) {
            let spared = Spared::new(always.iter(), unless.iter(), excepted.iter());
            for last in 0..256_u32 {
                let address = IpAddr::from(Ipv4Addr::from_bits(0xc000_0200 | last));
                let among = |list: &[Prefix]| list.iter().any(|one| one.has(address));
                prop_assert_eq!(spared.has(address), among(&always) || among(&unless) && !among(&excepted));
            }
            // The kernel wants them apart.
            let ranges = spared.ranges(false);
            prop_assert!(ranges.is_sorted());
            for pair in ranges.windows(2) {
                prop_assert!(pair[0].1.is_some_and(|behind| behind < pair[1].0));
            }
        }
    }
}
