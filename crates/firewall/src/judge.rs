//! Pure: which prefixes are never banned or blocked, whoever asks.

use std::net::IpAddr;
use std::sync::LazyLock;

use firewall_api::limits::{IPV4_BITS_MIN, IPV6_BITS_MIN};
use firewall_api::{Prefix, Why};

use crate::spared::Spared;

/// What the configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Never banned.
    pub never: Vec<Prefix>,
    /// Private, and may be banned all the same.
    pub bannable: Vec<Prefix>,
}

/// This machine's place in its networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Where it sends what is for elsewhere.
    pub gateways: Vec<IpAddr>,
}

/// What is judged by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judge {
    /// The configuration's part.
    pub policy: Policy,
    /// The machine's part.
    pub own: Own,
}

impl Judge {
    /// Whether `prefix` may be banned or blocked.
    ///
    /// # Errors
    /// The first reason why not.
    pub fn permits(&self, prefix: &Prefix) -> Result<(), Why> {
        judge(prefix, &self.policy, &self.own)
    }

    /// The addresses that are let in even where a ban or a block list in force has them: one that began before they
    /// became this machine's, its gateways' or those of `never`.
    #[must_use]
    pub fn spared(&self) -> Spared {
        let own = self.own.addresses.iter().chain(&self.own.gateways);
        let own: Vec<Prefix> = own.copied().map(Prefix::from).collect();
        Spared::new(
            self.policy
                .never
                .iter()
                .chain(&own)
                .chain(LINK_LOCAL.iter()),
            PRIVATE.iter(),
            self.policy.bannable.iter(),
        )
    }
}

fn read(texts: &[&str]) -> Vec<Prefix> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// RFC 6890's, as far as nothing comes from there.
static NO_SOURCE: LazyLock<Vec<Prefix>> = LazyLock::new(|| {
    read(&[
        "0.0.0.0/8",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "ff00::/8",
    ])
});
static LOOPBACK: LazyLock<Vec<Prefix>> = LazyLock::new(|| read(&["127.0.0.0/8", "::1/128"]));
static LINK_LOCAL: LazyLock<Vec<Prefix>> = LazyLock::new(|| read(&["169.254.0.0/16", "fe80::/10"]));
/// Private networks (RFC 1918, RFC 4193) and those that providers share (RFC 6598).
static PRIVATE: LazyLock<Vec<Prefix>> = LazyLock::new(|| {
    read(&[
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
    ])
});

/// Whether `prefix` lies within a private network.
#[must_use]
pub fn is_private(prefix: &Prefix) -> bool {
    PRIVATE.iter().any(|private| within(prefix, private))
}

fn within(inner: &Prefix, outer: &Prefix) -> bool {
    inner.bits() >= outer.bits() && outer.has(inner.address())
}

/// Whether `prefix` may be banned or blocked.
///
/// # Errors
/// The first reason why not.
pub fn judge(prefix: &Prefix, policy: &Policy, own: &Own) -> Result<(), Why> {
    let bits_min = if prefix.address().is_ipv6() {
        IPV6_BITS_MIN
    } else {
        IPV4_BITS_MIN
    };
    let meets = |list: &[Prefix]| list.iter().any(|one| one.meets(prefix));
    let has = |list: &[IpAddr]| list.iter().any(|one| prefix.has(*one));
    let why = if prefix.bits() < bits_min {
        Why::TooWide
    } else if meets(&LOOPBACK) {
        Why::Loopback
    } else if meets(&LINK_LOCAL) {
        Why::LinkLocal
    } else if meets(&NO_SOURCE) {
        Why::NoSource
    } else if has(&own.addresses) {
        Why::Own
    } else if has(&own.gateways) {
        Why::Gateway
    } else if meets(&policy.never) {
        Why::Never
    } else if meets(&PRIVATE) && !policy.bannable.iter().any(|one| within(prefix, one)) {
        Why::Private
    } else {
        return Ok(());
    };
    Err(why)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn own() -> Own {
        Own {
            addresses: vec![
                "198.51.100.7".parse().unwrap(),
                "2001:db8:1::7".parse().unwrap(),
            ],
            gateways: vec!["198.51.100.1".parse().unwrap()],
        }
    }

    fn policy() -> Policy {
        Policy {
            never: vec!["203.0.113.64/26".parse().unwrap()],
            bannable: vec!["10.1.0.0/16".parse().unwrap()],
        }
    }

    #[test]
    fn each_reason_is_given() {
        let said = |text: &str| judge(&text.parse().unwrap(), &policy(), &own());
        for (text, why) in [
            ("0.0.0.0/0", Why::TooWide),
            ("::/0", Why::TooWide),
            ("::ffff:0:0/96", Why::TooWide),
            ("8.0.0.0/7", Why::TooWide),
            ("2000::/18", Why::TooWide),
            ("127.0.0.1", Why::Loopback),
            ("::1", Why::Loopback),
            ("::ffff:127.0.0.1", Why::Loopback),
            ("169.254.169.254", Why::LinkLocal),
            ("fe80::1", Why::LinkLocal),
            ("224.0.0.1", Why::NoSource),
            ("255.255.255.255", Why::NoSource),
            ("::", Why::NoSource),
            ("198.51.100.7", Why::Own),
            ("198.51.0.0/16", Why::Own),
            ("2001:db8:1::/64", Why::Own),
            ("198.51.100.1", Why::Gateway),
            ("203.0.113.70", Why::Never),
            ("203.0.113.0/24", Why::Never),
            ("10.2.0.1", Why::Private),
            ("10.0.0.0/8", Why::Private),
            ("192.168.0.0/16", Why::Private),
            ("100.64.0.1", Why::Private),
            ("fd00::/64", Why::Private),
        ] {
            assert_eq!(said(text), Err(why), "{text}");
        }
        for text in [
            "10.1.2.3",
            "10.1.0.0/16",
            "203.0.113.1",
            "198.51.100.8",
            "2001:db8:1:1::/64",
            "9.0.0.0/8",
        ] {
            assert_eq!(said(text), Ok(()), "{text}");
        }
    }

    proptest! {
        /// The kernel's exception is the judge's: nobody is spared who may be banned, and nobody else but those from whom
        /// nothing comes is dropped.
        #[test]
        fn an_address_is_spared_if_it_may_not_be_banned(number in any::<u32>(), low in any::<u64>(), place in 0_usize..12) {
            let judge = Judge { policy: policy(), own: own() };
            let near: IpAddr = ["10.1.0.0", "10.0.0.0", "203.0.113.64", "198.51.100.0", "192.168.0.0", "100.64.0.0",
                "2001:db8:1::", "fe80::", "fd00::", "169.254.0.0", "0.0.0.0", "172.16.0.0"][place].parse().unwrap();
            let address: IpAddr = match near {
                IpAddr::V4(v4) => std::net::Ipv4Addr::from_bits(v4.to_bits() ^ number >> 12).into(),
                IpAddr::V6(v6) => std::net::Ipv6Addr::from_bits(v6.to_bits() ^ u128::from(low >> 32)).into(),
            };
            let refused = judge.permits(&address.into()).err();
            let nothing_comes = matches!(refused, Some(Why::Loopback | Why::NoSource));
            prop_assert_eq!(judge.spared().has(address), refused.is_some() && !nothing_comes, "{}", address);
        }

        #[test]
        fn what_may_be_banned_has_nothing_that_may_not(address in any::<IpAddr>(), bits in 0_u8..=128) {
            let Some(prefix) = Prefix::new(address, bits) else { return Ok(()) };
            if judge(&prefix, &policy(), &own()).is_ok() {
                for never in own().addresses.iter().chain(&own().gateways) {
                    prop_assert!(!prefix.has(*never));
                }
                for never in ["127.0.0.1", "::1", "192.168.1.1", "fe80::5", "203.0.113.66", "224.0.0.1"] {
                    prop_assert!(!prefix.has(never.parse().unwrap()));
                }
            }
        }
    }
}
