//! Which hosts the gate answers for. To a request for another it says so (421, RFC 9110, section
//! 15.5.20), so that nobody makes it speak in a name that is not its own.

use std::net::IpAddr;

use crate::tls::{Host, Pattern};

/// The hosts that the settings declare.
#[derive(Debug, Default)]
pub(crate) struct Hosts(Vec<Declared>);

#[derive(Debug)]
enum Declared {
    Names(Pattern),
    Address(IpAddr),
}

impl Hosts {
    pub(crate) fn new(declared: &[String]) -> Self {
        let declared = declared.iter().filter_map(|text| Declared::new(text));
        Self(declared.collect())
    }

    /// Whether a request for `authority` (a host with an optional port) is answered. Where none is
    /// declared, it is for the hosts that have a certificate, which `certified` tells, and for all
    /// addresses: who asks for one has found this machine by it, and no name is spoken in.
    pub(crate) fn serves(&self, authority: &str, certified: impl FnOnce(&Host) -> bool) -> bool {
        let Some(host) = Host::of_authority(authority) else {
            return false;
        };
        if self.0.is_empty() {
            return matches!(host, Host::Address(_)) || certified(&host);
        }
        self.0.iter().any(|declared| declared.holds(&host))
    }
}

/// Whether `text` can be declared.
pub(crate) fn is_pattern(text: &str) -> bool {
    Declared::new(text).is_some()
}

impl Declared {
    fn new(text: &str) -> Option<Self> {
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        match bare.unwrap_or(text).parse::<IpAddr>() {
            Ok(address) => Some(Self::Address(address.to_canonical())),
            Err(_) => Pattern::new(text).map(Self::Names),
        }
    }

    fn holds(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Address(known), Host::Address(address)) => *known == address.to_canonical(),
            (Self::Names(pattern), Host::Name(name)) => pattern.holds(name),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(names: &[&str]) -> Hosts {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Hosts::new(&names)
    }

    #[test]
    fn declared_hosts_alone_are_served() {
        let hosts = declared(&["Shop.example", "*.b.example", "::1", "127.0.0.1"]);
        for host in [
            "shop.example",
            "SHOP.example.:8443",
            "a.b.example",
            "[::1]:443",
            "[0:0::1]",
            "127.0.0.1:1",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(hosts.serves(host, |_| false), "{host}");
        }
        for host in [
            "other.example",
            "b.example",
            "a.a.b.example",
            ".b.example",
            "xshop.example",
            "shop.example.evil",
            "127.0.0.2",
            "[::2]",
            "",
        ] {
            assert!(!hosts.serves(host, |_| true), "{host}");
        }
    }

    #[test]
    fn with_none_declared_certified_names_and_all_addresses_are_served() {
        let hosts = declared(&[]);
        assert!(hosts.serves("a.example:8443", |host| host.to_string() == "a.example"));
        assert!(!hosts.serves("b.example", |_| false));
        assert!(hosts.serves("192.0.2.1", |_| false));
        assert!(hosts.serves("[2001:db8::1]:8443", |_| false));
        assert!(!hosts.serves("not a host", |_| true));
    }
}
