//! Pure: host names and IP addresses as callers and configuration write them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use dialer_api::HOST_BYTES;

/// Longest label of a DNS name, in bytes (RFC 1035, 2.3.4).
const LABEL_BYTES: usize = 63;

/// A host in its one canonical form, so that two that mean the same are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A DNS name: lower case, no trailing dot.
    Name(String),
    /// An IP address.
    Address(IpAddr),
}

/// Why a text is not a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Nothing is there.
    #[error("the host is empty")]
    Empty,
    /// Longer than [`HOST_BYTES`].
    #[error("the host has {0} bytes and a DNS name at most {HOST_BYTES}")]
    TooLong(usize),
    /// A character outside ASCII.
    #[error(
        "the host has the character {0:?}; an international name is written in its ASCII form, which starts with `xn--`"
    )]
    NotAscii(char),
    /// An ASCII character that no host name has.
    #[error(
        "the host has the character {0:?}, which no host name has; write a bare name without scheme, port or path"
    )]
    Character(char),
    /// Two dots in a row, or a dot in front.
    #[error("the host has an empty label: a dot too many")]
    EmptyLabel,
    /// A label that is too long.
    #[error("a label of the host has {0} bytes and may have at most {LABEL_BYTES}")]
    LabelTooLong(usize),
    /// A label with a hyphen at either end.
    #[error("a label of the host starts or ends with a hyphen")]
    Hyphen,
    /// `127.1`, `0x7f000001` and the like, which some programs take for addresses.
    #[error(
        "the host looks like an IP address and is not one in the usual form (127.0.0.1 or ::1)"
    )]
    AlmostAddress,
}

impl FromStr for Host {
    type Err = HostError;

    /// Reads a name, an IPv4 address, or an IPv6 address with or without
    /// brackets. One trailing dot of a name and the case of letters do not
    /// matter. Underscores are accepted, since DNS has them.
    fn from_str(text: &str) -> Result<Self, HostError> {
        if text.is_empty() {
            return Err(HostError::Empty);
        }
        if let Some(other) = text.chars().find(|c| !c.is_ascii()) {
            return Err(HostError::NotAscii(other));
        }
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if let Some(address) = bare {
            let address: Ipv6Addr = address.parse().map_err(|_| HostError::AlmostAddress)?;
            return Ok(Self::Address(IpAddr::V6(address)));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        name(text).map(Self::Name)
    }
}

fn name(text: &str) -> Result<String, HostError> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > HOST_BYTES {
        return Err(HostError::TooLong(text.len()));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(other) = text.chars().find(|c| !allowed(*c)) {
        // Only an address has colons, and only one that could not be read comes here.
        let address = other == ':' && text.chars().filter(|c| *c == ':').count() > 1;
        return Err(if address {
            HostError::AlmostAddress
        } else {
            HostError::Character(other)
        });
    }
    let mut last = "";
    for label in text.split('.') {
        match label.len() {
            0 => return Err(HostError::EmptyLabel),
            length if length > LABEL_BYTES => return Err(HostError::LabelTooLong(length)),
            _ => {}
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(HostError::Hyphen);
        }
        last = label;
    }
    if is_number(last) {
        return Err(HostError::AlmostAddress);
    }
    Ok(text.to_ascii_lowercase())
}

/// Whether inet_aton(3) would take a label for a part of an address; names that
/// end in such a label are not names (URL Standard, "ends in a number").
fn is_number(label: &str) -> bool {
    let hexadecimal = label
        .strip_prefix("0x")
        .or_else(|| label.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => label.bytes().all(|b| b.is_ascii_digit()),
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(text: &str) -> Result<Host, HostError> {
        text.parse()
    }

    #[test]
    fn one_host_has_one_form() {
        let api = Ok(Host::Name("api.example.com".to_owned()));
        for same in ["api.example.com", "API.Example.COM", "api.example.com."] {
            assert_eq!(host(same), api, "{same}");
        }
        assert_eq!(host("[::1]"), host("::1"));
        assert_eq!(host("0:0:0:0:0:0:0:1"), host("::1"));
        assert!(
            host("localhost").is_ok() && host("_dns.example").is_ok() && host("3com.com").is_ok()
        );
    }

    #[test]
    fn what_is_no_host_is_said_so() {
        assert_eq!(host(""), Err(HostError::Empty));
        assert_eq!(host("."), Err(HostError::EmptyLabel));
        assert_eq!(host("a..b"), Err(HostError::EmptyLabel));
        assert_eq!(host("a.."), Err(HostError::EmptyLabel));
        assert_eq!(host("bücher.example"), Err(HostError::NotAscii('ü')));
        // A full-width letter that IDNA would map to an ASCII one.
        assert_eq!(host("ａpi.example.com"), Err(HostError::NotAscii('ａ')));
        assert_eq!(
            host("https://api.example.com"),
            Err(HostError::Character(':'))
        );
        assert_eq!(host("api.example.com:443"), Err(HostError::Character(':')));
        assert_eq!(host("api.example.com/v1"), Err(HostError::Character('/')));
        assert_eq!(host("user@host"), Err(HostError::Character('@')));
        assert_eq!(host("a\0b"), Err(HostError::Character('\0')));
        assert_eq!(host("-a.example"), Err(HostError::Hyphen));
        assert_eq!(host(&"a".repeat(64)), Err(HostError::LabelTooLong(64)));
        assert_eq!(
            host(&"a.".repeat(127)),
            Ok(Host::Name("a.".repeat(126) + "a"))
        );
        assert_eq!(host(&"a.".repeat(128)), Err(HostError::TooLong(255)));
    }

    #[test]
    fn other_spellings_of_addresses_are_refused() {
        for text in [
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "127.0.0.1.",
            "1.2.3.4.5",
            "256.1.1.1",
            "example.0x",
            "fe80::1%eth0",
            "[127.0.0.1]",
            "[::1",
            "[]",
            "::ffff:0:0:0:0:0:0:0:1",
        ] {
            assert!(
                matches!(
                    host(text),
                    Err(HostError::AlmostAddress | HostError::Character('[' | '%'))
                ),
                "{text}: {:?}",
                host(text)
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_canonical(text in "\\PC{0,40}|[a-zA-Z0-9.:_\\[\\]-]{0,300}") {
            if let Ok(host) = host(&text) {
                let canonical = host.to_string();
                prop_assert_eq!(canonical.parse::<Host>(), Ok(host.clone()));
                prop_assert_eq!(text.to_ascii_uppercase().parse::<Host>(), Ok(host.clone()));
                if let Host::Name(name) = host {
                    prop_assert!(name.len() <= HOST_BYTES && !name.ends_with('.'));
                    prop_assert!(name.parse::<IpAddr>().is_err());
                    prop_assert!(!name.contains(|c: char| c.is_ascii_uppercase() || !c.is_ascii()));
                }
            }
        }

        #[test]
        fn every_address_reads_back(address in any::<IpAddr>()) {
            prop_assert_eq!(address.to_string().parse::<Host>().unwrap(), Host::Address(address));
        }
    }
}
