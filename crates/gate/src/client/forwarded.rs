//! Pure: the `Forwarded` header (RFC 7239), read from the right.
//!
//! The last element is the trusted proxy's own. It is found without a look at
//! what stands before it, which a client may have sent: an open quote there must
//! not swallow what the proxy added.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The `for` of each element, the last first; none where it is no address, is
/// missing, or the element cannot be read.
pub(crate) fn hops(line: &[u8]) -> impl Iterator<Item = Option<IpAddr>> {
    Split {
        rest: Some(line),
        at: b',',
    }
    .map(<[u8]>::trim_ascii)
    .filter(|element| !element.is_empty())
    .map(node_of)
}

/// Splits at a byte that stands outside of quotes, from the right.
struct Split<'a> {
    rest: Option<&'a [u8]>,
    at: u8,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.take()?;
        let mut end = text.len();
        while let Some(before) = end.checked_sub(1) {
            match text[before] {
                byte if byte == self.at => {
                    self.rest = Some(&text[..before]);
                    return Some(&text[end..]);
                }
                // The closing quote comes first; without an opening one it is only a byte.
                b'"' => end = opening(&text[..before]).unwrap_or(before),
                _ => end = before,
            }
        }
        Some(text)
    }
}

/// Where a quoted string begins that ends with this text: at the last quote that no
/// backslash escapes.
fn opening(text: &[u8]) -> Option<usize> {
    let mut end = text.len();
    loop {
        let quote = text[..end].iter().rposition(|byte| *byte == b'"')?;
        let escapes = text[..quote]
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\');
        if escapes.count() % 2 == 0 {
            return Some(quote);
        }
        end = quote;
    }
}

/// The address in the `for` of one element.
fn node_of(element: &[u8]) -> Option<IpAddr> {
    let pairs = Split {
        rest: Some(element),
        at: b';',
    };
    let mut node = None;
    for pair in pairs
        .map(<[u8]>::trim_ascii)
        .filter(|pair| !pair.is_empty())
    {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (&pair[..equals], value(&pair[equals + 1..])?);
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return None;
        }
        // A name may stand once in an element (section 4).
        if name.eq_ignore_ascii_case(b"for") && node.replace(value).is_some() {
            return None;
        }
    }
    address(&node?)
}

/// A token, or a quoted string without its quotes (RFC 9110, 5.6.4).
fn value(text: &[u8]) -> Option<String> {
    let mut value = String::new();
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let token = !text.is_empty() && text.iter().all(|byte| is_token(*byte));
        return token.then(|| text.iter().map(|byte| char::from(*byte)).collect());
    };
    let mut bytes = quoted.strip_suffix(b"\"")?.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => value.push(char::from(*bytes.next()?)),
            b'"' => return None,
            byte => value.push(char::from(*byte)),
        }
    }
    Some(value)
}

/// A byte of a token (RFC 9110, 5.6.2).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// The address of a node (section 6): IPv4, or IPv6 in brackets, perhaps with a
/// port. `unknown` and names that hide an address are none.
fn address(node: &str) -> Option<IpAddr> {
    let (name, port) = match node.strip_prefix('[') {
        Some(bracketed) => {
            let (v6, after) = bracketed.split_once(']')?;
            (IpAddr::V6(v6.parse::<Ipv6Addr>().ok()?), after)
        }
        None => {
            let (v4, after) = node.split_at(node.find(':').unwrap_or(node.len()));
            (IpAddr::V4(v4.parse::<Ipv4Addr>().ok()?), after)
        }
    };
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    is_port.then(|| name.to_canonical())
}

/// One to five digits, or a hidden one (section 6.3).
fn is_port(port: &str) -> bool {
    let digits = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    let hidden = port.strip_prefix('_').is_some_and(|name| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        !name.is_empty() && name.bytes().all(known)
    });
    digits || hidden
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(line: &str) -> Vec<Option<String>> {
        let hops = hops(line.as_bytes());
        hops.map(|hop| hop.map(|hop| hop.to_string())).collect()
    }

    fn one(line: &str) -> Option<String> {
        let mut hops = read(line);
        assert_eq!(hops.len(), 1, "{line}");
        hops.remove(0)
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        assert_eq!(one("for=\"_gazonk\""), None);
        let v6 = "For=\"[2001:db8:cafe::17]:4711\"";
        assert_eq!(one(v6).unwrap(), "2001:db8:cafe::17");
        let whole = "for=192.0.2.60;proto=http;by=203.0.113.43";
        assert_eq!(one(whole).unwrap(), "192.0.2.60");
        let two = ["198.51.100.17", "192.0.2.43"].map(|text| Some(text.to_owned()));
        assert_eq!(read("for=192.0.2.43, for=198.51.100.17"), two);
        assert_eq!(read("for=_hidden, for=_SEVKISEK"), [None, None]);
    }

    #[test]
    fn what_is_no_address_is_none() {
        for line in [
            "for=unknown",
            "for=_x",
            "for=",
            "for",
            "=1.2.3.4",
            "by=1.2.3.4",
            "for=1.2.3.4;for=1.2.3.4",
            // A colon and brackets must be quoted.
            "for=1.2.3.4:80",
            "for=[::1]",
            "for=\"::1\"",
            "for=\"1.2.3.4:\"",
            "for=\"1.2.3.4:123456\"",
            "for=\"1.2.3.4:_\"",
            "for=\"[::1]80\"",
            "for=\"[1.2.3.4]\"",
            "for=\"1.2.3.4",
            "for=1.2.3.4\"",
            "for=\"1.2.3.4\"x",
            "f\"or=1.2.3.4",
            "for=1.2.3.4;a",
            "for=01.2.3.4",
        ] {
            assert_eq!(one(line), None, "{line}");
        }
        assert!(read("").is_empty() && read(" , ").is_empty());
        assert_eq!(one("for=\"1.2.3.4:_p.o-r_t\"").unwrap(), "1.2.3.4");
        assert_eq!(one("for=\"\\1.2.3.4\"").unwrap(), "1.2.3.4");
        assert_eq!(one("for=\"[::ffff:1.2.3.4]\"").unwrap(), "1.2.3.4");
        assert_eq!(one("a=\",;\\\",\\\\\";for=1.2.3.4").unwrap(), "1.2.3.4");
    }

    fn quoted(text: &str) -> String {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"")
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            elements in proptest::collection::vec((any::<u128>(), "[ -~]{0,12}", any::<bool>()), 1..5)
        ) {
            let mut line = Vec::new();
            let mut expected = Vec::new();
            for (bits, other, is_v6) in &elements {
                let address = if *is_v6 {
                    IpAddr::from(Ipv6Addr::from(*bits))
                } else {
                    IpAddr::from(Ipv4Addr::from(u32::try_from(bits >> 96).unwrap()))
                };
                let node = match address {
                    IpAddr::V4(v4) => v4.to_string(),
                    IpAddr::V6(v6) => quoted(&format!("[{v6}]:80")),
                };
                line.push(format!("ext={};for={node}", quoted(other)));
                expected.insert(0, Some(address.to_canonical()));
            }
            let line = line.join(", ");
            prop_assert_eq!(hops(line.as_bytes()).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(hops(&line).count() <= line.len());
        }

        #[test]
        fn quotes_and_commas_in_any_order_are_read(line in "[\",;=\\\\ a]{0,40}") {
            prop_assert!(hops(line.as_bytes()).all(|hop| hop.is_none()));
        }
    }
}
