//! Pure: what of a request may be written down.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use ipnet::IpNet;
use secret::Key;
use sha2::Sha256;

use super::ClientShown;

/// Bits of an IPv4 address that are kept: about one street or one provider's city.
const V4_BITS: u8 = 24;

/// Bits of an IPv6 address that are kept: what a site or a few subscribers have.
const V6_BITS: u8 = 48;

/// Bytes of a hash that are kept.
const HASH_BYTES: usize = 8;

/// From how many hexadecimal digits on a segment is taken for an id.
const ID_DIGITS: usize = 16;

/// What stands in place of an id.
const ID: &str = "{id}";

/// A client, as configured.
pub(super) fn client(client: IpAddr, how: ClientShown, key: &Key) -> Option<String> {
    match how {
        ClientShown::Full => Some(client.to_string()),
        ClientShown::Truncated => {
            let bits = if client.is_ipv4() { V4_BITS } else { V6_BITS };
            let network = IpNet::new(client, bits).ok()?;
            Some(network.trunc().to_string())
        }
        ClientShown::Hashed => {
            let mut hash = Hmac::<Sha256>::new_from_slice(key.expose()).ok()?;
            match client {
                IpAddr::V4(v4) => hash.update(&v4.octets()),
                IpAddr::V6(v6) => hash.update(&v6.octets()),
            }
            let hash = hash.finalize().into_bytes();
            let kept = hash.iter().take(HASH_BYTES);
            Some(kept.map(|byte| format!("{byte:02x}")).collect())
        }
        ClientShown::None => None,
    }
}

/// A path without what names a conversation.
pub(super) fn path(path: &str) -> String {
    let mut after_conversations = false;
    let segments = path.split('/').map(|segment| {
        let is_id = after_conversations && !segment.is_empty() || looks_like_id(segment);
        after_conversations = segment.eq_ignore_ascii_case("conversations")
            || after_conversations && segment.is_empty();
        if is_id { ID } else { segment }
    });
    segments.collect::<Vec<_>>().join("/")
}

fn looks_like_id(segment: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    segment.len() >= ID_DIGITS && segment.bytes().all(digit)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(address: &str, how: ClientShown, key: u8) -> Option<String> {
        let key = Key::new([key; secret::KEY_BYTES]);
        client(address.parse().unwrap(), how, &key)
    }

    #[test]
    fn a_client_is_written_as_configured() {
        use ClientShown::{Full, Hashed, None, Truncated};
        let (v4, v6) = ("192.0.2.77", "2001:db8:1:2:3::4");
        assert_eq!(shown(v4, Full, 1).unwrap(), v4);
        assert_eq!(shown(v4, Truncated, 1).unwrap(), "192.0.2.0/24");
        assert_eq!(shown(v6, Truncated, 1).unwrap(), "2001:db8:1::/48");
        assert_eq!(shown(v4, None, 1), Option::None);
        let hash = shown(v4, Hashed, 1).unwrap();
        assert_eq!(hash.len(), 2 * HASH_BYTES);
        assert_eq!(shown(v4, Hashed, 1).unwrap(), hash);
        assert_ne!(shown(v4, Hashed, 2).unwrap(), hash);
        assert_ne!(shown("192.0.2.78", Hashed, 1).unwrap(), hash);
    }

    #[test]
    fn conversations_are_not_named() {
        for (asked, written) in [
            ("/b/shop/frame.js", "/b/shop/frame.js"),
            ("/b/shop/v1/conversations", "/b/shop/v1/conversations"),
            (
                "/b/shop/v1/conversations/a1/messages",
                "/b/shop/v1/conversations/{id}/messages",
            ),
            (
                "/b/shop/v1/Conversations//a1",
                "/b/shop/v1/Conversations//{id}",
            ),
            ("/0123456789abcdef0123456789ABCDEF", "/{id}"),
            ("/b/shop/0190c8f2-7b1e-7c3d", "/b/shop/{id}"),
            ("", ""),
        ] {
            assert_eq!(path(asked), written);
        }
    }

    proptest! {
        #[test]
        fn no_id_is_written(id in "[0-9a-f]{32}", before in "[a-z/]{0,20}", after in "(/[a-z/]{0,20})?") {
            let bare = path(&format!("{before}/{id}{after}"));
            prop_assert!(!bare.contains(&id));
            let named = path(&format!("/b/shop/v1/conversations/x{id}{after}"));
            prop_assert!(!named.contains(&id));
        }
    }
}
