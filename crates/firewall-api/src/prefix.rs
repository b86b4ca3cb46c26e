//! Prefixes in their one canonical form.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

/// Bits of an IPv4-mapped IPv6 address that come before the IPv4 address (RFC 4291, 2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// An IPv4 or IPv6 prefix. It has no bits set behind its length, and is IPv4 where it is IPv4-mapped, so that two
/// that mean the same are equal. An address without a length is a prefix of its whole length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(IpNet);

/// Why a text is no prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no prefix; write an address such as 192.0.2.1, or 192.0.2.0/24, or 2001:db8::/64"
)]
pub struct PrefixError(String);

impl Prefix {
    /// The prefix of `bits` bits that has `address`; `None` where an address has fewer bits.
    #[must_use]
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        IpNet::new(address, bits).ok().map(Self::from)
    }

    /// Its first address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.0.addr()
    }

    /// Its length, in bits.
    #[must_use]
    pub fn bits(&self) -> u8 {
        self.0.prefix_len()
    }

    /// The same for the crate `ipnet`.
    #[must_use]
    pub fn net(&self) -> IpNet {
        self.0
    }

    /// Whether `address` is in it.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Whether they have an address in common: one holds the other.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.0.contains(&other.0) || other.0.contains(&self.0)
    }
}

impl From<IpNet> for Prefix {
    fn from(net: IpNet) -> Self {
        if let IpNet::V6(v6) = net
            && let Some(bits) = v6.prefix_len().checked_sub(MAPPED_BITS)
            && let Some(address) = v6.network().to_ipv4_mapped()
            && let Ok(v4) = Ipv4Net::new(address, bits)
        {
            return Self(IpNet::V4(v4.trunc()));
        }
        Self(net.trunc())
    }
}

impl From<IpAddr> for Prefix {
    fn from(address: IpAddr) -> Self {
        Self(IpNet::from(address.to_canonical()))
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let read = if text.contains('/') {
            text.parse::<IpNet>().ok().map(Self::from)
        } else {
            text.parse::<IpAddr>().ok().map(Self::from)
        };
        read.ok_or_else(|| PrefixError(text.chars().take(64).collect()))
    }
}

impl TryFrom<String> for Prefix {
    type Error = PrefixError;

    fn try_from(text: String) -> Result<Self, PrefixError> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

impl fmt::Display for Prefix {
    /// As CIDR; an address alone where the length is its whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            self.0.addr().fmt(f)
        } else {
            self.0.fmt(f)
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn one_prefix_has_one_form() {
        assert_eq!(prefix("192.0.2.77/24").to_string(), "192.0.2.0/24");
        assert_eq!(prefix("192.0.2.77/32").to_string(), "192.0.2.77");
        assert_eq!(prefix("2001:DB8:0::1/64").to_string(), "2001:db8::/64");
        assert_eq!(prefix("::ffff:192.0.2.77").to_string(), "192.0.2.77");
        assert_eq!(prefix("::ffff:192.0.2.77/120"), prefix("192.0.2.0/24"));
        assert_eq!(prefix("::ffff:0:0/96"), prefix("0.0.0.0/0"));
        assert_eq!(prefix("::ffff:0:0/95").bits(), 95);
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "1.2.3",
            "1.2.3.4/33",
            "::/129",
            "a",
            "1.2.3.4/",
            "1.2.3.4 ",
            "fe80::1%eth0",
            "01.2.3.4",
        ] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_prefix_reads_back(address in any::<IpAddr>(), bits in 0_u8..=128) {
            if let Some(prefix) = Prefix::new(address, bits) {
                prop_assert_eq!(prefix.to_string().parse::<Prefix>().unwrap(), prefix);
                prop_assert!(prefix.has(prefix.address()));
                let json = serde_json::to_string(&prefix).unwrap();
                prop_assert_eq!(serde_json::from_str::<Prefix>(&json).unwrap(), prefix);
            }
        }

        #[test]
        fn any_text_is_refused_or_canonical(text in "\\PC{0,40}|[0-9a-f.:/]{0,50}") {
            if let Ok(prefix) = text.parse::<Prefix>() {
                prop_assert_eq!(prefix.to_string().parse::<Prefix>().unwrap(), prefix);
            }
        }
    }
}
