//! The prefixes of one family and length, in as few bytes as they need.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use firewall_api::Prefix;

use crate::nft::Key;

/// Bits of the upper half of an IPv6 address.
const HALF_BITS: u8 = 64;

/// The first address of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entries {
    /// IPv4.
    V4(Vec<u32>),
    /// The upper halves of IPv6 addresses, for prefixes of 64 bits and less.
    Half(Vec<u64>),
    /// IPv6.
    V6(Vec<u128>),
}

impl Entries {
    /// None of that family and length yet.
    #[must_use]
    pub fn of(key: Key) -> Self {
        match key {
            Key { v6: false, .. } => Self::V4(Vec::new()),
            Key { bits, .. } if bits <= HALF_BITS => Self::Half(Vec::new()),
            Key { .. } => Self::V6(Vec::new()),
        }
    }

    /// Adds the one that begins at that address, as a number.
    pub fn push(&mut self, address: u128) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an IPv4 address has 32 bits"
        )]
        match self {
            Self::V4(entries) => entries.push(address as u32),
            Self::Half(entries) => entries.push((address >> HALF_BITS) as u64),
            Self::V6(entries) => entries.push(address),
        }
    }

    /// Gives back memory that is not used.
    pub fn shrink(&mut self) {
        match self {
            Self::V4(entries) => entries.shrink_to_fit(),
            Self::Half(entries) => entries.shrink_to_fit(),
            Self::V6(entries) => entries.shrink_to_fit(),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::V4(entries) => entries.len(),
            Self::Half(entries) => entries.len(),
            Self::V6(entries) => entries.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the one that begins at that address is among them. They were pushed in rising order.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4(entries), IpAddr::V4(address)) => {
                entries.binary_search(&address.to_bits()).is_ok()
            }
            (Self::Half(entries), IpAddr::V6(address)) => {
                let half = address.to_bits() >> HALF_BITS;
                entries
                    .binary_search_by(|one| u128::from(*one).cmp(&half))
                    .is_ok()
            }
            (Self::V6(entries), IpAddr::V6(address)) => {
                entries.binary_search(&address.to_bits()).is_ok()
            }
            _ => false,
        }
    }

    /// Those of `range`, as prefixes of `key`.
    pub fn prefixes(&self, key: Key, range: Range<usize>) -> impl Iterator<Item = Prefix> {
        range.filter_map(move |place| {
            let address = match self {
                Self::V4(entries) => Ipv4Addr::from_bits(*entries.get(place)?).into(),
                Self::Half(entries) => {
                    Ipv6Addr::from_bits(u128::from(*entries.get(place)?) << HALF_BITS).into()
                }
                Self::V6(entries) => Ipv6Addr::from_bits(*entries.get(place)?).into(),
            };
            Prefix::new(address, key.bits)
        })
    }
}
