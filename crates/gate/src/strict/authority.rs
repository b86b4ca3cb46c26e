//! Pure: a host with an optional port (RFC 9110, section 7.2). Stricter than RFC 3986: the name is
//! one that DNS knows, and there is no user.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::HOST_BYTES;

/// Most digits of a port.
const PORT_DIGITS: usize = 5;

/// Whether `bytes` are a host with an optional port.
pub(super) fn is_valid(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok_and(|text| {
        let (host, port) = split(text);
        is_host(host) && port.is_none_or(is_port)
    })
}

fn split(text: &str) -> (&str, Option<&str>) {
    // A colon inside brackets belongs to the address.
    let from = text.rfind(']').map_or(0, |at| at + 1);
    match text[from..].find(':') {
        Some(at) => (&text[..from + at], Some(&text[from + at + 1..])),
        None => (text, None),
    }
}

fn is_port(text: &str) -> bool {
    (1..=PORT_DIGITS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u16>().is_ok()
}

/// Whether `host` is a name or an address; IPv6 addresses in brackets.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        return address
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or_default();
    // Some read `1.2`, `017.1` and `0x7f.1` as addresses, others as names.
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit())
        || last
            .strip_prefix("0x")
            .or_else(|| last.strip_prefix("0X"))
            .is_some();
    name.len() <= HOST_BYTES
        && name.split('.').all(is_label)
        && (!numeric || host.parse::<Ipv4Addr>().is_ok())
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_with_ports_are_taken() {
        for text in [
            "localhost",
            "Shop.example:8443",
            "shop.example.",
            "a_b.example",
            "127.0.0.1",
            "127.0.0.1:443",
            "[::1]",
            "[2001:db8::1]:65535",
        ] {
            assert!(is_valid(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for text in [
            "",
            ".",
            ":443",
            "a:",
            "a:65536",
            "a:+1",
            "a:1:2",
            "a..b",
            "user@a",
            "a/b",
            "a b",
            "a,b",
            "a%41",
            "[::1",
            "::1",
            "[::1]a",
            "[fe80::1%25eth0]",
            "[1.2.3.4]",
            "1.2.3",
            "256.1.1.1",
            "0x7f.1",
            "127.0.0.0x1",
            "]:1",
            "b\u{fc}cher.example",
        ] {
            assert!(!is_valid(text.as_bytes()), "{text}");
        }
        assert!(!is_valid(b"a\xff"));
        assert!(!is_valid(format!("{}a", "a.".repeat(200)).as_bytes()));
    }

    #[test]
    fn the_port_is_no_part_of_the_host() {
        assert_eq!(split("a.example:1"), ("a.example", Some("1")));
        assert_eq!(split("[::1]:1"), ("[::1]", Some("1")));
        assert_eq!(split("[::1]"), ("[::1]", None));
    }
}
