//! Pure: names of hosts, and which of them a certificate is for (RFC 9525).

use std::net::{IpAddr, Ipv6Addr};

/// Longest DNS name in bytes, without the root's dot (RFC 1035).
const NAME_BYTES: usize = 253;
/// Longest label in bytes.
const LABEL_BYTES: usize = 63;

/// A plain DNS name in lower case: letters, digits and hyphens in labels, no dot at
/// its end, and not an address. It can be a file's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct DnsName(String);

impl DnsName {
    /// Reads a name as hosts are written, in any case; one dot at its end is the
    /// root's and dropped.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let label = |label: &str| {
            (1..=LABEL_BYTES).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        // What ends in a number is read as an IPv4 address (URL Standard, "ends in a number").
        let number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
        let good = text.len() <= NAME_BYTES
            && text.split('.').all(label)
            && !text.rsplit('.').next().is_some_and(number);
        good.then(|| Self(text.to_ascii_lowercase()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What is left when the first label is taken off.
    pub(crate) fn parent(&self) -> Option<&str> {
        self.0.split_once('.').map(|(_, parent)| parent)
    }

    /// A name that no public authority vouches for (RFC 6761, section 6.3).
    pub(crate) fn is_local(&self) -> bool {
        self.0 == "localhost" || self.0.ends_with(".localhost")
    }
}

/// A name in a certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pattern {
    /// This name alone.
    Exact(DnsName),
    /// `*.NAME`: any one label before this name (RFC 9525, section 6.3).
    Below(DnsName),
}

impl Pattern {
    /// Reads a DNS name of a certificate; a wildcard is the whole first label or none.
    pub(crate) fn new(text: &str) -> Option<Self> {
        match text.strip_prefix("*.") {
            Some(parent) => DnsName::new(parent).map(Self::Below),
            None => DnsName::new(text).map(Self::Exact),
        }
    }

    /// Whether `name` is one of those that it stands for.
    pub(crate) fn holds(&self, name: &DnsName) -> bool {
        match self {
            Self::Exact(own) => own == name,
            Self::Below(parent) => name.parent() == Some(parent.as_str()),
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name.as_str()),
            Self::Below(parent) => write!(f, "*.{}", parent.as_str()),
        }
    }
}

/// A host as an address names it: `shop.example`, `192.0.2.1`, `[2001:db8::1]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Name(DnsName),
    Address(IpAddr),
}

impl Host {
    /// Reads a `Host` header or an authority (RFC 9110, section 7.2); a port is dropped.
    pub(crate) fn of_authority(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            let port_or_none = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            let address: Ipv6Addr = address.parse().ok().filter(|_| port_or_none)?;
            return Some(Self::Address(address.into()));
        }
        let name = match text.split_once(':') {
            Some((name, port)) => Some(name).filter(|_| is_port(port))?,
            None => text,
        };
        match name.parse::<std::net::Ipv4Addr>() {
            Ok(address) => Some(Self::Address(address.into())),
            Err(_) => DnsName::new(name).map(Self::Name),
        }
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name.as_str()),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// A port as it is written behind a colon; it may be left out (RFC 3986, section 3.2.3).
fn is_port(text: &str) -> bool {
    text.is_empty()
        || (text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_names_are_told_from_all_else() {
        let long = format!("{}.example", "a".repeat(64));
        for good in [
            "localhost",
            "Shop.Example",
            "a-b.c",
            "xn--bcher-kva.example",
            "1a",
            "a.example.",
        ] {
            assert!(DnsName::new(good).is_some(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "-a.b",
            "a-.b",
            "a_b",
            "a/b",
            "../x",
            "a b",
            "*.a",
            "127.0.0.1",
            "1",
            "a.1",
            "bücher.example",
            "a.b..",
            "a\0b",
            &long,
        ] {
            assert!(DnsName::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn hosts_are_read_with_and_without_a_port() {
        for (text, host) in [
            ("Shop.example", "shop.example"),
            ("shop.example:8080", "shop.example"),
            ("shop.example:", "shop.example"),
            ("192.0.2.1:80", "192.0.2.1"),
            ("[2001:db8::1]:80", "[2001:db8::1]"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(Host::of_authority(text).unwrap().to_string(), host);
        }
        for bad in [
            "", ":80", "a:b", "a:99999", "a:80:80", "::1", "[::1", "[::1]80", "[a]", "u@a", "a/b",
            "1.2.3",
        ] {
            assert_eq!(Host::of_authority(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_that_is_plain_is_one_file_in_its_folder(text in "\\PC{0,80}|[a-zA-Z0-9./-]{0,80}") {
            if let Some(name) = DnsName::new(&text) {
                let path = std::path::Path::new("/folder").join(format!("{}.pem", name.as_str()));
                prop_assert_eq!(path.parent(), Some(std::path::Path::new("/folder")));
                prop_assert!(!name.as_str().starts_with('.'));
                // Reading it again changes nothing.
                prop_assert_eq!(DnsName::new(name.as_str()), Some(name));
            }
        }

        #[test]
        fn a_host_that_is_read_is_read_again_as_the_same(text in "\\PC{0,40}|[a-z0-9.:\\[\\]-]{0,40}") {
            if let Some(host) = Host::of_authority(&text) {
                prop_assert_eq!(Host::of_authority(&host.to_string()), Some(host));
            }
        }
    }
}
