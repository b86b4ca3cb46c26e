//! Pure: what kind of place an IP address is, from IANA's registries of
//! special-purpose addresses (RFC 6890 and its updates).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A host on the Internet.
    Public,
    /// This machine or a network near it; the text names which. Reached only
    /// where it is declared.
    Private(&'static str),
    /// A cloud's metadata service, which hands out the machine's credentials.
    /// Reached only where this very address is declared.
    Metadata,
    /// Nothing that a TCP connection can sensibly lead to; the text names why. Never reached.
    Unusable(&'static str),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::Metadata => f.write_str("cloud metadata"),
            Self::Private(name) | Self::Unusable(name) => f.write_str(name),
        }
    }
}

/// Metadata services by IPv4: AWS, Azure, Google Cloud and most others; AWS's
/// for containers; Alibaba; Azure's agent, whose address looks public.
const METADATA_V4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
];

/// Metadata services by IPv6: AWS, Google Cloud.
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

struct Block<T> {
    network: T,
    prefix: u32,
    kind: Kind,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u32, kind: Kind) -> Block<u32> {
    Block {
        network: Ipv4Addr::new(a, b, c, d).to_bits(),
        prefix,
        kind,
    }
}

/// The first match counts; what matches none is public.
const V4: [Block<u32>; 16] = [
    // Linux connects to itself when asked for 0.0.0.0.
    v4(0, 0, 0, 0, 8, Kind::Unusable("unspecified")),
    v4(10, 0, 0, 0, 8, Kind::Private("private")),
    v4(100, 64, 0, 0, 10, Kind::Private("carrier-grade NAT")),
    v4(127, 0, 0, 0, 8, Kind::Private("loopback")),
    v4(169, 254, 0, 0, 16, Kind::Private("link-local")),
    v4(172, 16, 0, 0, 12, Kind::Private("private")),
    v4(192, 0, 0, 0, 24, Kind::Unusable("protocol assignment")),
    v4(192, 0, 2, 0, 24, Kind::Unusable("documentation")),
    v4(192, 88, 99, 0, 24, Kind::Unusable("6to4 relay")),
    v4(192, 168, 0, 0, 16, Kind::Private("private")),
    v4(198, 18, 0, 0, 15, Kind::Private("benchmarking")),
    v4(198, 51, 100, 0, 24, Kind::Unusable("documentation")),
    v4(203, 0, 113, 0, 24, Kind::Unusable("documentation")),
    v4(224, 0, 0, 0, 4, Kind::Unusable("multicast")),
    v4(255, 255, 255, 255, 32, Kind::Unusable("broadcast")),
    v4(240, 0, 0, 0, 4, Kind::Unusable("reserved")),
];

const fn v6(segments: [u16; 4], prefix: u32, kind: Kind) -> Block<u128> {
    let [a, b, c, d] = segments;
    Block {
        network: Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_bits(),
        prefix,
        kind,
    }
}

/// The first match counts; what matches none is unusable, since only 2000::/3
/// is given out (RFC 4291, 2.4).
const V6: [Block<u128>; 9] = [
    v6([0xfc00, 0, 0, 0], 7, Kind::Private("unique local")),
    v6([0xfe80, 0, 0, 0], 10, Kind::Private("link-local")),
    v6([0xfec0, 0, 0, 0], 10, Kind::Private("site-local")),
    v6([0xff00, 0, 0, 0], 8, Kind::Unusable("multicast")),
    // Teredo (2001::/32), benchmarking (2001:2::/48) and ORCHID (2001:10::/28, 2001:20::/28) among others.
    v6(
        [0x2001, 0, 0, 0],
        23,
        Kind::Unusable("protocol assignment or Teredo"),
    ),
    v6([0x2001, 0xdb8, 0, 0], 32, Kind::Unusable("documentation")),
    v6([0x2002, 0, 0, 0], 16, Kind::Unusable("6to4")),
    v6([0x3fff, 0, 0, 0], 20, Kind::Unusable("documentation")),
    v6([0x2000, 0, 0, 0], 3, Kind::Public),
];

/// NAT64's well-known prefix 64:ff9b::/96 (RFC 6052): how a network without
/// IPv4 reaches IPv4 hosts.
const NAT64: u128 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0).to_bits();

/// Says what an address leads to.
#[must_use]
pub fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    if METADATA_V4.contains(&address) {
        return Kind::Metadata;
    }
    let matches =
        |block: &&Block<u32>| (address.to_bits() ^ block.network) >> (32 - block.prefix) == 0;
    V4.iter()
        .find(matches)
        .map_or(Kind::Public, |block| block.kind)
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    if METADATA_V6.contains(&address) {
        return Kind::Metadata;
    }
    let bits = address.to_bits();
    if address == Ipv6Addr::LOCALHOST {
        return Kind::Private("loopback");
    }
    if address == Ipv6Addr::UNSPECIFIED {
        return Kind::Unusable("unspecified");
    }
    // Both would lead to an IPv4 host past its own rules. DNS has no reason
    // to give them, as an A record says the same.
    match bits >> 32 {
        0xffff => return Kind::Unusable("IPv4-mapped"),
        0 => return Kind::Unusable("IPv4-compatible"),
        _ => {}
    }
    if bits >> 32 == NAT64 >> 32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low 32 bits are the IPv4 address"
        )]
        return kind_v4(Ipv4Addr::from_bits(bits as u32));
    }
    let matches = |block: &&Block<u128>| (bits ^ block.network) >> (128 - block.prefix) == 0;
    V6.iter()
        .find(matches)
        .map_or(Kind::Unusable("not given out"), |block| block.kind)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(address: &str) -> Kind {
        kind(address.parse().unwrap())
    }

    #[test]
    fn hosts_on_the_internet_are_public() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2a00:1450::1",
            "2620:4f:8000::1",
            "64:ff9b::1.1.1.1",
        ] {
            assert_eq!(of(address), Kind::Public, "{address}");
        }
    }

    #[test]
    fn near_networks_are_private() {
        for (address, name) in [
            ("10.0.0.0", "private"),
            ("10.255.255.255", "private"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("100.64.0.1", "carrier-grade NAT"),
            ("100.127.255.255", "carrier-grade NAT"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.255", "loopback"),
            ("169.254.0.1", "link-local"),
            ("198.19.255.255", "benchmarking"),
            ("::1", "loopback"),
            ("fc00::1", "unique local"),
            ("fdff:ffff::1", "unique local"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "site-local"),
            ("64:ff9b::10.0.0.1", "private"),
            ("64:ff9b::127.0.0.1", "loopback"),
        ] {
            assert_eq!(of(address), Kind::Private(name), "{address}");
        }
    }

    #[test]
    fn metadata_services_are_known() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd20:ce::254",
            "64:ff9b::169.254.169.254",
        ] {
            assert_eq!(of(address), Kind::Metadata, "{address}");
        }
    }

    #[test]
    fn the_rest_is_unusable() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.8",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "192.88.99.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::2",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "::ffff:0:10.0.0.1",
            "100::1",
            "2001::1",
            "2001:0:a00:1::",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "2002:101:101::1",
            "3fff::1",
            "64:ff9b:1::1",
            "5f00::1",
            "ff02::1",
            "4000::1",
            "64:ff9b::0.0.0.0",
        ] {
            assert!(
                matches!(of(address), Kind::Unusable(_)),
                "{address}: {:?}",
                of(address)
            );
        }
    }

    proptest! {
        #[test]
        fn what_std_knows_as_special_is_never_public(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let special = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_multicast() || address.is_broadcast() || address.is_documentation()
                || address.is_unspecified() || bits >> 28 == 15;
            prop_assert!(!special || kind(address.into()) != Kind::Public);
        }

        #[test]
        fn every_edge_of_a_block_belongs_to_it(index in 0..V4.len(), inside: u32) {
            let Block { network, prefix, kind: expected } = V4[index];
            let host_bits = u32::MAX.checked_shr(prefix).unwrap_or(0);
            let address = Ipv4Addr::from_bits(network | (inside & host_bits));
            let got = kind(address.into());
            prop_assert!(got == expected || got == Kind::Metadata || address == Ipv4Addr::BROADCAST, "{address} {got:?}");
        }

        #[test]
        fn no_ipv4_address_gets_past_its_rules_inside_ipv6(bits: u32, high: u16) {
            let address = Ipv4Addr::from_bits(bits);
            prop_assert_ne!(kind(address.to_ipv6_mapped().into()), Kind::Public);
            let [a, b] = [(bits >> 16) as u16, (bits & 0xffff) as u16];
            prop_assert_ne!(kind(Ipv6Addr::new(0, 0, 0, 0, 0, 0, a, b).into()), Kind::Public);
            prop_assert_ne!(kind(Ipv6Addr::new(0x2002, a, b, high, 0, 0, 0, 1).into()), Kind::Public);
            prop_assert_ne!(kind(Ipv6Addr::new(0x2001, 0, high, high, 0, 0, a, b).into()), Kind::Public);
            let translated = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b);
            prop_assert_eq!(kind(translated.into()), kind(address.into()));
        }

        #[test]
        fn public_ipv6_is_global_unicast(bits: u128) {
            let address = Ipv6Addr::from_bits(bits);
            prop_assert!(kind(address.into()) != Kind::Public || bits >> 125 == 1);
        }
    }
}
