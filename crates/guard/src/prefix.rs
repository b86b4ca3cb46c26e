//! Pure: a network of addresses, in few bytes, since there may be a hundred thousand of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Where the lengths of IPv4 prefixes begin in [`Prefix::length`].
const FOUR: u8 = 129;

/// An IPv4 or IPv6 prefix, without bits beyond its length. Ordered by family last.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    high: u64,
    low: u64,
    /// 0 to 128 for IPv6, 129 plus 0 to 32 for IPv4.
    length: u8,
}

/// How many values [`Prefix::class`] has.
pub const CLASSES: usize = 162;

impl Prefix {
    /// The prefix of that length which has the address. An IPv4 address in IPv6 clothes (`::ffff:0:0/96`)
    /// is the IPv4 address. Lengths beyond the family's are the whole address.
    #[must_use]
    pub fn of(address: IpAddr, length: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V4(four) => {
                let length = length.min(32);
                let bits =
                    u64::from(four.to_bits()) & mask(u128::from(length) + 96).1 & 0xffff_ffff;
                Self {
                    high: 0,
                    low: bits,
                    length: FOUR + length,
                }
            }
            IpAddr::V6(six) => {
                let length = length.min(128);
                let (high, low) = halves(six.to_bits());
                let (high_mask, low_mask) = mask(u128::from(length));
                Self {
                    high: high & high_mask,
                    low: low & low_mask,
                    length,
                }
            }
        }
    }

    /// The address alone.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        Self::of(address, u8::MAX)
    }

    /// Its first address.
    #[must_use]
    pub fn first(&self) -> IpAddr {
        if self.is_ipv4() {
            let bits = u32::try_from(self.low).unwrap_or(u32::MAX);
            IpAddr::V4(Ipv4Addr::from_bits(bits))
        } else {
            let bits = u128::from(self.high) << 64 | u128::from(self.low);
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
    }

    /// Whether it is of IPv4.
    #[must_use]
    pub const fn is_ipv4(&self) -> bool {
        self.length >= FOUR
    }

    /// Its length in bits, of 32 or 128.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        if self.is_ipv4() {
            self.length - FOUR
        } else {
            self.length
        }
    }

    /// Family and length as one number below [`CLASSES`].
    #[must_use]
    pub const fn class(&self) -> usize {
        self.length as usize
    }

    /// The same in one byte.
    #[must_use]
    pub const fn class_byte(&self) -> u8 {
        self.length
    }

    /// Whether prefixes of that class are of IPv4.
    #[must_use]
    pub const fn is_class_of_ipv4(class: u8) -> bool {
        class >= FOUR
    }

    /// The length in bits of prefixes of that class.
    #[must_use]
    pub const fn class_bits(class: u8) -> u8 {
        if class >= FOUR { class - FOUR } else { class }
    }

    /// Its first and its last address as numbers, of 32 or 128 bits.
    #[must_use]
    pub fn range(&self) -> (u128, u128) {
        let first = u128::from(self.high) << 64 | u128::from(self.low);
        let free = if self.is_ipv4() { 32 } else { 128 } - u32::from(self.bits());
        (
            first,
            first | u128::MAX.checked_shr(128 - free).unwrap_or(0),
        )
    }

    /// The upper half of an IPv6 prefix, or an IPv4 prefix: all of it, where it has at most 64 bits.
    #[must_use]
    pub const fn number(&self) -> u64 {
        if self.is_ipv4() { self.low } else { self.high }
    }

    /// The lower half of an IPv6 prefix, or an IPv4 prefix.
    #[must_use]
    pub const fn low(&self) -> u64 {
        self.low
    }

    /// The prefix of that number ([`Self::number`]) and class; none where there is no such prefix.
    #[must_use]
    pub fn numbered(number: u64, class: u8) -> Option<Self> {
        let (high, low) = if class >= FOUR {
            (0, number)
        } else {
            (number, 0)
        };
        Self::whole(high, low, class)
    }

    /// The address in it that has this lower half, or is this IPv4 address.
    #[must_use]
    pub fn with_low(&self, low: u64) -> IpAddr {
        Self {
            low: if self.is_ipv4() {
                low & 0xffff_ffff
            } else {
                low
            },
            ..*self
        }
        .first()
    }

    /// From its parts; none where it has bits beyond its length.
    #[must_use]
    pub fn whole(high: u64, low: u64, class: u8) -> Option<Self> {
        let found = Self {
            high,
            low,
            length: class,
        };
        let whole = found.class() < CLASSES
            && (!found.is_ipv4() || (found.high == 0 && found.low <= u64::from(u32::MAX)))
            && Self::in_class(found.first(), found.class()) == Some(found);
        whole.then_some(found)
    }

    /// The prefix of that class which has the address; none where it is of the other family.
    #[must_use]
    pub fn in_class(address: IpAddr, class: usize) -> Option<Self> {
        let class = u8::try_from(class).ok()?;
        let four = class >= FOUR;
        (four == address.to_canonical().is_ipv4())
            .then(|| Self::of(address, if four { class - FOUR } else { class }))
    }

    /// The prefix of fewer bits that has this one. Itself where it has no more bits than that.
    #[must_use]
    pub fn widened(&self, bits: u8) -> Self {
        Self::of(self.first(), bits.min(self.bits()))
    }

    /// Whether it has the address.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        Self::in_class(address, self.class()) == Some(*self)
    }

    /// Whether it has an address that the other has too.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (wide, narrow) = if self.bits() <= other.bits() {
            (self, other)
        } else {
            (other, self)
        };
        wide.has(narrow.first())
    }

    /// Its parts of `bits` bits. To be called for few of them.
    pub fn parts(self, bits: u8) -> impl Iterator<Item = Self> {
        let size = if self.is_ipv4() { 32 } else { 128 };
        let more = bits.min(size).saturating_sub(self.bits());
        let shift = u32::from(size - bits.min(size));
        let first = match self.first() {
            IpAddr::V4(four) => u128::from(four.to_bits()),
            IpAddr::V6(six) => six.to_bits(),
        };
        (0..1_u128 << more.min(20)).map(move |at| {
            let part = first | at.checked_shl(shift).unwrap_or(0);
            let address = if self.is_ipv4() {
                IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(part).unwrap_or(u32::MAX)))
            } else {
                IpAddr::V6(Ipv6Addr::from_bits(part))
            };
            Self::of(address, bits)
        })
    }

    /// As a key of the store, in the order of prefixes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 17] {
        let mut bytes = [0; 17];
        bytes[..8].copy_from_slice(&self.high.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.low.to_be_bytes());
        bytes[16] = self.length;
        bytes
    }

    /// From a key of the store.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 17] = bytes.try_into().ok()?;
        let half = |at: usize| bytes[at..at + 8].try_into().map(u64::from_be_bytes).ok();
        Self::whole(half(0)?, half(8)?, bytes[16])
    }
}

const fn halves(bits: u128) -> (u64, u64) {
    #[expect(clippy::cast_possible_truncation, reason = "the halves are meant")]
    ((bits >> 64) as u64, bits as u64)
}

const fn mask(length: u128) -> (u64, u64) {
    if length == 0 {
        return (0, 0);
    }
    halves(u128::MAX << (128 - length))
}

impl From<IpNet> for Prefix {
    fn from(net: IpNet) -> Self {
        // A mapped prefix that is shorter than the map is no IPv4 prefix.
        match net {
            IpNet::V6(six) if six.prefix_len() >= 96 && six.addr().to_ipv4_mapped().is_some() => {
                Self::of(net.addr(), six.prefix_len() - 96)
            }
            _ => Self::of(net.addr(), net.prefix_len()),
        }
    }
}

impl From<Prefix> for IpNet {
    fn from(prefix: Prefix) -> Self {
        Self::new_assert(prefix.first(), prefix.bits())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first(), self.bits())
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Prefix {
        text.parse::<IpNet>().unwrap().into()
    }

    #[test]
    fn prefixes_are_small_and_shown_as_usual() {
        assert_eq!(size_of::<Prefix>(), 24);
        for text in [
            "203.0.113.7/32",
            "203.0.113.0/24",
            "0.0.0.0/0",
            "2001:db8::/64",
            "::/0",
        ] {
            assert_eq!(of(text).to_string(), text);
        }
        let mapped: IpAddr = "::ffff:203.0.113.7".parse().unwrap();
        assert_eq!(Prefix::host(mapped).to_string(), "203.0.113.7/32");
        assert!(!of("::/0").has("203.0.113.7".parse().unwrap()));
        assert_eq!(of("::ffff:203.0.113.0/120").to_string(), "203.0.113.0/24");
    }

    #[test]
    fn parts_are_all_there_are() {
        let parts: Vec<_> = of("2001:db8::/56").parts(64).collect();
        assert_eq!(parts.len(), 256);
        assert_eq!(parts[255].to_string(), "2001:db8:0:ff::/64");
    }

    pub(crate) fn any_address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
            any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
        ]
    }

    proptest! {
        #[test]
        fn keys_come_back(address in any_address(), length in 0_u8..=128) {
            let prefix = Prefix::of(address, length);
            prop_assert_eq!(Prefix::from_bytes(&prefix.to_bytes()), Some(prefix));
            prop_assert_eq!(Prefix::from(IpNet::from(prefix)), prefix);
            prop_assert!(prefix.has(address));
            let short = Prefix::of(address, length.min(64));
            prop_assert_eq!(Prefix::numbered(short.number(), short.class_byte()), Some(short));
            prop_assert_eq!(short.with_low(Prefix::host(address).low()), if length >= 64 || short.is_ipv4() { address.to_canonical() } else { short.with_low(Prefix::host(address).low()) });
            prop_assert!(prefix.widened(8).overlaps(&prefix) && prefix.overlaps(&prefix.widened(8)));
        }

        #[test]
        fn overlap_is_what_ipnet_says(one in any_address(), two in any_address(), a in 0_u8..=32, b in 0_u8..=32) {
            let (one, two) = (Prefix::of(one, a), Prefix::of(two, b));
            let (x, y) = (IpNet::from(one), IpNet::from(two));
            prop_assert_eq!(one.overlaps(&two), x.contains(&y) || y.contains(&x));
        }

        #[test]
        fn other_keys_are_refused(bytes in any::<[u8; 17]>()) {
            if let Some(prefix) = Prefix::from_bytes(&bytes) {
                prop_assert_eq!(prefix.to_bytes(), bytes);
            }
        }
    }
}
