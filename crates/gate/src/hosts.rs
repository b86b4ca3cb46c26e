//! Which hosts the gate answers for. To a request for another it says so (421, RFC 9110, section
//! 15.5.20), so that nobody makes it speak in a name that is not its own.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, PoisonError, RwLock};

use crate::strict;

/// The hosts that the gate answers for.
#[derive(Debug, Default)]
pub struct Hosts {
    declared: Vec<Pattern>,
    /// Those of the certificate in use; none when they are not known.
    names: RwLock<Option<Arc<[Pattern]>>>,
}

impl Hosts {
    /// With the hosts that the settings declare; where they declare none, with those that
    /// [`Self::set_names`] is given. Until it was, every host is answered for.
    #[must_use]
    pub fn new(declared: &[String]) -> Self {
        let declared = declared
            .iter()
            .filter_map(|text| Pattern::new(text))
            .collect();
        Self {
            declared,
            names: RwLock::default(),
        }
    }

    /// Takes the names and addresses that the gate may answer for where none are declared, such as
    /// those of the certificate, in place of the last ones. What is no name is left out.
    pub fn set_names<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let patterns = names.into_iter().filter_map(Pattern::new).collect();
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = Some(patterns);
    }

    /// Whether a request for `authority` (a host with an optional port) is answered.
    #[must_use]
    pub fn serves(&self, authority: &str) -> bool {
        let host = Host::new(strict::host_of(authority));
        if !self.declared.is_empty() {
            return self.declared.iter().any(|pattern| pattern.holds(&host));
        }
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        names
            .as_ref()
            .is_none_or(|names| names.iter().any(|pattern| pattern.holds(&host)))
    }
}

/// Whether `text` can be declared.
pub(crate) fn is_pattern(text: &str) -> bool {
    Pattern::new(text).is_some()
}

/// A host as it is compared: in lower case, without the root's dot, addresses by value.
#[derive(Debug, PartialEq, Eq)]
enum Host {
    Name(String),
    Address(IpAddr),
}

impl Host {
    fn new(text: &str) -> Self {
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
            .and_then(|text| text.parse::<Ipv6Addr>().ok())
            .map(IpAddr::from);
        match bare.or_else(|| text.parse().ok()) {
            Some(address) => Self::Address(address.to_canonical()),
            None => Self::Name(text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase()),
        }
    }
}

#[derive(Debug)]
enum Pattern {
    One(Host),
    /// One label, and then this, which begins with a dot.
    Below(String),
}

impl Pattern {
    fn new(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('*') {
            let name = rest
                .strip_prefix('.')
                .filter(|name| strict::is_host(name))?;
            return match Host::new(name) {
                Host::Name(name) => Some(Self::Below(format!(".{name}"))),
                Host::Address(_) => None,
            };
        }
        let host = Host::new(text);
        let known = matches!(host, Host::Address(_)) || strict::is_host(text);
        known.then_some(Self::One(host))
    }

    fn holds(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::One(known), host) => known == host,
            (Self::Below(suffix), Host::Name(name)) => name
                .strip_suffix(suffix.as_str())
                .is_some_and(|label| !label.is_empty() && !label.contains('.')),
            (Self::Below(_), Host::Address(_)) => false,
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
        hosts.set_names(["other.example"]);
        for host in [
            "shop.example",
            "SHOP.example.:8443",
            "a.b.example",
            "[::1]:443",
            "[0:0::1]",
            "127.0.0.1:1",
        ] {
            assert!(hosts.serves(host), "{host}");
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
        ] {
            assert!(!hosts.serves(host), "{host}");
        }
    }

    #[test]
    fn with_none_declared_the_names_given_last_are_served() {
        let hosts = declared(&[]);
        assert!(hosts.serves("any.example"));
        hosts.set_names(["a.example", "not a name"]);
        assert!(hosts.serves("a.example") && !hosts.serves("any.example"));
        hosts.set_names(["b.example"]);
        assert!(hosts.serves("b.example") && !hosts.serves("a.example"));
        hosts.set_names([]);
        assert!(!hosts.serves("b.example"));
    }

    #[test]
    fn an_ipv4_address_in_an_ipv6_one_is_the_same() {
        assert!(declared(&["127.0.0.1"]).serves("[::ffff:127.0.0.1]"));
    }
}
