//! Pure: the bans in force, as the kernel holds them. With a hundred thousand of them each byte counts: an IPv4 address
//! or the upper half of an IPv6 address, and the second in which it ends.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use firewall_api::Prefix;

use crate::nft::Key;

/// Bits of the upper half of an IPv6 address.
const HALF_BITS: u8 = 64;

/// A second of the service's own clock, which begins with the service.
pub type Second = u32;

/// The bans, by prefix.
#[derive(Debug, Default)]
pub struct Bans {
    by_key: BTreeMap<Key, Ends>,
}

/// The ends of those of one family and length.
#[derive(Debug)]
enum Ends {
    V4(HashMap<u32, Second>),
    /// Prefixes of 64 bits and less.
    Half(HashMap<u64, Second>),
    V6(HashMap<u128, Second>),
}

impl Ends {
    fn of(key: Key) -> Self {
        match key {
            Key { v6: false, .. } => Self::V4(HashMap::new()),
            Key { bits, .. } if bits <= HALF_BITS => Self::Half(HashMap::new()),
            Key { .. } => Self::V6(HashMap::new()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::V4(ends) => ends.len(),
            Self::Half(ends) => ends.len(),
            Self::V6(ends) => ends.len(),
        }
    }
}

/// Address of a prefix as the number that [`Ends`] has.
enum Number {
    V4(u32),
    Half(u64),
    V6(u128),
}

fn number(prefix: &Prefix) -> Number {
    match prefix.address() {
        IpAddr::V4(address) => Number::V4(address.to_bits()),
        IpAddr::V6(address) if prefix.bits() <= HALF_BITS => Number::Half(upper(address)),
        IpAddr::V6(address) => Number::V6(address.to_bits()),
    }
}

fn upper(address: Ipv6Addr) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = address.octets();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

impl Bans {
    /// When the ban of exactly `prefix` ends; `None` where there is none.
    #[must_use]
    pub fn end(&self, prefix: &Prefix) -> Option<Second> {
        match (self.by_key.get(&Key::of(prefix))?, number(prefix)) {
            (Ends::V4(ends), Number::V4(number)) => ends.get(&number).copied(),
            (Ends::Half(ends), Number::Half(number)) => ends.get(&number).copied(),
            (Ends::V6(ends), Number::V6(number)) => ends.get(&number).copied(),
            _ => None,
        }
    }

    /// Notes that the ban of `prefix` ends then.
    pub fn put(&mut self, prefix: &Prefix, end: Second) {
        let key = Key::of(prefix);
        match (
            self.by_key.entry(key).or_insert_with(|| Ends::of(key)),
            number(prefix),
        ) {
            (Ends::V4(ends), Number::V4(number)) => drop(ends.insert(number, end)),
            (Ends::Half(ends), Number::Half(number)) => drop(ends.insert(number, end)),
            (Ends::V6(ends), Number::V6(number)) => drop(ends.insert(number, end)),
            _ => {}
        }
    }

    /// Forgets the ban of exactly `prefix`, and says whether there was one.
    pub fn remove(&mut self, prefix: &Prefix) -> bool {
        match (self.by_key.get_mut(&Key::of(prefix)), number(prefix)) {
            (Some(Ends::V4(ends)), Number::V4(number)) => ends.remove(&number).is_some(),
            (Some(Ends::Half(ends)), Number::Half(number)) => ends.remove(&number).is_some(),
            (Some(Ends::V6(ends)), Number::V6(number)) => ends.remove(&number).is_some(),
            _ => false,
        }
    }

    /// Forgets what has ended by `now`, and gives back memory that most of it took.
    pub fn expire(&mut self, now: Second) {
        fn expire<N: Eq + Hash>(ends: &mut HashMap<N, Second>, now: Second) {
            ends.retain(|_, end| *end > now);
            if ends.capacity() / 4 > ends.len() {
                ends.shrink_to(ends.len() * 2);
            }
        }
        for ends in self.by_key.values_mut() {
            match ends {
                Ends::V4(ends) => expire(ends, now),
                Ends::Half(ends) => expire(ends, now),
                Ends::V6(ends) => expire(ends, now),
            }
        }
        self.by_key.retain(|_, ends| ends.len() > 0);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.values().map(Ends::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The families and lengths of which there are some, or were before the last [`Self::expire`].
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.by_key.keys().copied()
    }

    /// Those of one family and length, and when each ends.
    pub fn of(&self, key: Key) -> Box<dyn Iterator<Item = (Prefix, Second)> + '_> {
        let prefix =
            move |address: IpAddr, end: Second| Some((Prefix::new(address, key.bits)?, end));
        match self.by_key.get(&key) {
            None => Box::new(std::iter::empty()),
            Some(Ends::V4(ends)) => Box::new(ends.iter().filter_map(move |(number, end)| {
                prefix(Ipv4Addr::from_bits(*number).into(), *end)
            })),
            Some(Ends::Half(ends)) => Box::new(ends.iter().filter_map(move |(number, end)| {
                let address = Ipv6Addr::from_bits(u128::from(*number) << HALF_BITS);
                prefix(address.into(), *end)
            })),
            Some(Ends::V6(ends)) => Box::new(ends.iter().filter_map(move |(number, end)| {
                prefix(Ipv6Addr::from_bits(*number).into(), *end)
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Put(Prefix, Second),
        Remove(Prefix),
        Expire(Second),
    }

    fn prefixes() -> impl Strategy<Value = Prefix> {
        // Few addresses, so that prefixes meet and nest.
        (any::<bool>(), 0_u128..8, 0_u8..=128).prop_filter_map("length", |(v6, number, bits)| {
            let address: IpAddr = if v6 {
                Ipv6Addr::from_bits(0x2001_0db8 << 96 | number << 62).into()
            } else {
                Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(0) << 24 | 1).into()
            };
            Prefix::new(address, bits)
        })
    }

    fn steps() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (prefixes(), 0_u32..20).prop_map(|(prefix, end)| Step::Put(prefix, end)),
            2 => prefixes().prop_map(Step::Remove),
            1 => (0_u32..20).prop_map(Step::Expire),
        ]
    }

    proptest! {
        /// It is what a plain map is: no prefix has anything to do with one that it holds or that holds it.
        #[test]
        fn it_is_a_map(steps in proptest::collection::vec(steps(), 0..80)) {
            let (mut bans, mut plain) = (Bans::default(), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Put(prefix, end) => {
                        bans.put(&prefix, end);
                        plain.insert(prefix, end);
                    }
                    Step::Remove(prefix) => prop_assert_eq!(bans.remove(&prefix), plain.remove(&prefix).is_some()),
                    Step::Expire(now) => {
                        bans.expire(now);
                        plain.retain(|_, end| *end > now);
                    }
                }
                prop_assert_eq!(bans.len(), plain.len());
                prop_assert_eq!(bans.is_empty(), plain.is_empty());
                for (prefix, end) in &plain {
                    prop_assert_eq!(bans.end(prefix), Some(*end));
                }
                let all: BTreeMap<_, _> = bans.keys().flat_map(|key| bans.of(key)).collect();
                prop_assert_eq!(&all, &plain);
            }
        }
    }
}
