//! Pure: the sets of the table. A set holds the prefixes of one length, so that it is a hash table: adding one of a
//! hundred thousand takes as long as the first, and no two of its elements can overlap. A packet's address is masked and
//! looked up in each.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use firewall_api::{BlockName, Prefix};

use crate::netlink::Writer;

/// What the name of a set of bans begins with.
const BANS: &str = "ban";

/// What the name of the set of what is spared is, but for its family.
const SPARED: &str = "spared";

/// What the name of a set of a block list begins with.
const BLOCK: &str = "block";

/// The prefixes that a set holds: those of one family and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Whether they are IPv6.
    pub v6: bool,
    /// Their length, in bits.
    pub bits: u8,
}

impl Key {
    /// The set for `prefix`.
    #[must_use]
    pub fn of(prefix: &Prefix) -> Self {
        Self {
            v6: prefix.address().is_ipv6(),
            bits: prefix.bits(),
        }
    }

    /// Bits of an address of the family.
    #[must_use]
    pub const fn address_bits(self) -> u8 {
        if self.v6 { 128 } else { 32 }
    }

    /// The mask that leaves as many bits, in the network's order.
    #[must_use]
    pub fn mask(self) -> Vec<u8> {
        let ones = u128::MAX
            .checked_shl(u32::from(128 - self.bits))
            .unwrap_or(0);
        if self.v6 {
            ones.to_be_bytes().to_vec()
        } else {
            let ones = u32::MAX
                .checked_shl(u32::from(32 - self.bits.min(32)))
                .unwrap_or(0);
            ones.to_be_bytes().to_vec()
        }
    }

    /// The prefix that an element's key says; `None` for one of another length.
    #[must_use]
    pub fn prefix(self, key: &[u8]) -> Option<Prefix> {
        let address: IpAddr = if self.v6 {
            Ipv6Addr::from(<[u8; 16]>::try_from(key).ok()?).into()
        } else {
            Ipv4Addr::from(<[u8; 4]>::try_from(key).ok()?).into()
        };
        Prefix::new(address, self.bits)
    }

    fn family(self) -> char {
        if self.v6 { '6' } else { '4' }
    }
}

/// The name of a set in the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetName {
    /// Bans, such as `ban4_32`.
    Bans(Key),
    /// The addresses of one family that are let past bans and block lists, such as `spared6`: ranges, not prefixes.
    Spared {
        /// Whether they are IPv6.
        v6: bool,
    },
    /// A part of a block list, such as `block6_48_1_spamhaus`.
    Block {
        /// The list.
        name: BlockName,
        /// What it holds.
        key: Key,
        /// Which of the list's versions: a new one is filled beside the one in force.
        version: u32,
    },
}

impl SetName {
    /// The key of its elements.
    #[must_use]
    pub const fn key(&self) -> Key {
        match self {
            Self::Bans(key) | Self::Block { key, .. } => *key,
            Self::Spared { v6: false } => Key {
                v6: false,
                bits: 32,
            },
            Self::Spared { v6: true } => Key {
                v6: true,
                bits: 128,
            },
        }
    }

    /// Reads a name; `None` where it is none of the firewall's.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if let Some(family) = text.strip_prefix(SPARED) {
            return match family {
                "4" => Some(Self::Spared { v6: false }),
                "6" => Some(Self::Spared { v6: true }),
                _ => None,
            };
        }
        let (head, rest) = text.split_once('_')?;
        let (kind, v6) = match head.split_at_checked(head.len().checked_sub(1)?)? {
            (kind, "4") => (kind, false),
            (kind, "6") => (kind, true),
            _ => return None,
        };
        let mut parts = rest.splitn(3, '_');
        let bits = parts.next()?.parse().ok()?;
        let key = Key { v6, bits };
        if bits > key.address_bits() {
            return None;
        }
        let name = match (kind, parts.next(), parts.next()) {
            (BANS, None, None) => Self::Bans(key),
            (BLOCK, Some(version), Some(name)) => Self::Block {
                name: name.parse().ok()?,
                key,
                version: version.parse().ok()?,
            },
            _ => return None,
        };
        (name.to_string() == text).then_some(name)
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bans(key) => write!(f, "{BANS}{}_{}", key.family(), key.bits),
            Self::Spared { .. } => write!(f, "{SPARED}{}", self.key().family()),
            Self::Block { name, key, version } => {
                write!(f, "{BLOCK}{}_{}_{version}_{name}", key.family(), key.bits)
            }
        }
    }
}

/// Writes an element's key: its first address.
pub(super) fn put_key(writer: &mut Writer, address: IpAddr) {
    writer.nest(1, |writer| match address {
        IpAddr::V4(address) => writer.put(1, &address.octets()),
        IpAddr::V6(address) => writer.put(1, &address.octets()),
    });
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_plain() {
        let bans = SetName::Bans(Key { v6: true, bits: 64 });
        assert_eq!(bans.to_string(), "ban6_64");
        let block = SetName::Block {
            name: "spamhaus-drop".parse().unwrap(),
            key: Key {
                v6: false,
                bits: 24,
            },
            version: 3,
        };
        assert_eq!(block.to_string(), "block4_24_3_spamhaus-drop");
        assert_eq!(SetName::read("block4_24_3_spamhaus-drop"), Some(block));
        assert_eq!(SetName::Spared { v6: true }.to_string(), "spared6");
        for other in [
            "",
            "spared",
            "spared5",
            "spared4_32",
            "_",
            "ban",
            "ban4",
            "ban5_1",
            "ban4_33",
            "ban4_032",
            "ban4_32_1",
            "block4_24",
            "block4_24_3",
            "block4_24_3_A",
        ] {
            assert_eq!(SetName::read(other), None, "{other}");
        }
    }

    fn bytes(address: IpAddr) -> Vec<u8> {
        match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        }
    }

    proptest! {
        #[test]
        fn a_packet_is_in_the_set_exactly_if_it_is_in_the_prefix(
            net in any::<IpAddr>(), other in any::<IpAddr>(), bits in 0_u8..=128, same in 0_u32..129,
        ) {
            let Some(prefix) = Prefix::new(net, bits) else { return Ok(()) };
            prop_assume!(net.to_canonical() == net && other.to_canonical() == other);
            let key = Key::of(&prefix);
            prop_assert_eq!(key.prefix(&bytes(prefix.address())), Some(prefix));
            // An address near it: its first bits are the prefix's.
            let near = match (net, other) {
                (IpAddr::V4(net), IpAddr::V4(other)) => {
                    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(same)).unwrap_or(0);
                    IpAddr::from(Ipv4Addr::from_bits(net.to_bits() & mask | other.to_bits() & !mask))
                }
                (IpAddr::V6(net), IpAddr::V6(other)) => {
                    let mask = u128::MAX.checked_shl(128 - same.min(128)).unwrap_or(0);
                    IpAddr::from(Ipv6Addr::from_bits(net.to_bits() & mask | other.to_bits() & !mask))
                }
                _ => return Ok(()),
            };
            prop_assume!(near.to_canonical() == near);
            let masked: Vec<u8> = bytes(near).iter().zip(key.mask()).map(|(a, b)| a & b).collect();
            prop_assert_eq!(masked == bytes(prefix.address()), prefix.has(near));
        }

        #[test]
        fn any_text_is_no_name_or_reads_back(text in "(ban|block|spared)?[46]?[_0-9a-z-]{0,20}") {
            if let Some(name) = SetName::read(&text) {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
