//! Whom the gate takes for the client.
#![expect(clippy::unwrap_used, reason = "tests")]

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

fn proxies(header: &str) -> Proxies {
    let text = format!("networks = ['10.0.0.0/8', '2001:db8:1::/48']\nheader = '{header}'");
    Proxies::new(&daemon::parse(&text).unwrap(), "").unwrap()
}

fn client(header: &str, peer: &str, lines: &[&[u8]]) -> String {
    let mut headers = HeaderMap::new();
    for line in lines {
        let name = HeaderName::from_bytes(header.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(line).unwrap());
    }
    proxies(header)
        .client(peer.parse().unwrap(), &headers)
        .to_string()
}

const PROXY: &str = "10.1.1.1";

#[test]
fn a_stranger_names_nobody() {
    for header in ["x-forwarded-for", "forwarded", "cf-connecting-ip"] {
        for line in [&b"198.51.100.9"[..], b"for=198.51.100.9"] {
            assert_eq!(client(header, "192.0.2.1", &[line]), "192.0.2.1");
        }
    }
    let headers = HeaderMap::from_iter([(
        HeaderName::from_static("x-forwarded-for"),
        HeaderValue::from_static("198.51.100.9"),
    )]);
    let proxies = proxies("x-forwarded-for");
    assert!(proxies.is_forged("192.0.2.1".parse().unwrap(), &headers));
    assert!(!proxies.is_forged(PROXY.parse().unwrap(), &headers));
    let none = Proxies::default();
    let peer = "192.0.2.1".parse().unwrap();
    assert!(!none.is_forged(peer, &headers) && none.client(peer, &headers) == peer);
}

#[test]
fn the_last_hop_that_is_no_proxy_is_the_client() {
    for (lines, expected) in [
        (&[&b"198.51.100.9"[..]][..], "198.51.100.9"),
        (&[b"1.1.1.1, 198.51.100.9"], "198.51.100.9"),
        (
            &[b"1.1.1.1, 198.51.100.9, 10.2.2.2 ,10.3.3.3"],
            "198.51.100.9",
        ),
        (&[b"1.1.1.1", b"198.51.100.9", b"10.2.2.2"], "198.51.100.9"),
        (&[b"198.51.100.9:4711"], "198.51.100.9"),
        (&[b"[2001:db8:2::1]:4711"], "2001:db8:2::1"),
        (&[b"[2001:db8:2::1]"], "2001:db8:2::1"),
        (&[b"::ffff:198.51.100.9"], "198.51.100.9"),
        (&[b"2001:db8:2::1, 2001:db8:1::7"], "2001:db8:2::1"),
        // All are proxies: the farthest.
        (&[b"10.4.4.4, 10.2.2.2"], "10.4.4.4"),
        (&[b", ,"], PROXY),
        (&[], PROXY),
        // Not an address: what is left of it is unknown.
        (&[b"198.51.100.9, unknown, 10.2.2.2"], "10.2.2.2"),
        (&[b"198.51.100.9, nonsense"], PROXY),
        (&[b"\xff\xfe, 198.51.100.9"], "198.51.100.9"),
    ] {
        assert_eq!(
            client("x-forwarded-for", PROXY, lines),
            expected,
            "{lines:?}"
        );
    }
}

#[test]
fn forwarded_is_read_from_the_right_too() {
    for (lines, expected) in [
        (&[&b"for=198.51.100.9;proto=https"[..]][..], "198.51.100.9"),
        (
            &[b"for=1.1.1.1, For=\"198.51.100.9:47\";by=10.1.1.1, for=10.2.2.2"],
            "198.51.100.9",
        ),
        (&[b"for=\"[2001:db8:2::1]\""], "2001:db8:2::1"),
        (&[b"for=1.1.1.1, for=_hidden"], PROXY),
        (&[b"for=1.1.1.1, for=unknown, for=10.2.2.2"], "10.2.2.2"),
        (&[b"for=\"1.1.1.1, for=198.51.100.9"], "198.51.100.9"),
        (&[b"\xff\", for=198.51.100.9"], "198.51.100.9"),
        (&[b"for=198.51.100.9", b"for=10.2.2.2"], "198.51.100.9"),
        (&[b"proto=https"], PROXY),
    ] {
        assert_eq!(client("forwarded", PROXY, lines), expected, "{lines:?}");
    }
}

#[test]
fn cloudflare_names_one_address() {
    let read = |lines: &[&[u8]]| client("cf-connecting-ip", PROXY, lines);
    assert_eq!(read(&[b"198.51.100.9"]), "198.51.100.9");
    assert_eq!(read(&[b"2001:db8:2::1"]), "2001:db8:2::1");
    assert_eq!(read(&[b"198.51.100.9", b"1.1.1.1"]), PROXY);
    assert_eq!(read(&[b"198.51.100.9, 1.1.1.1"]), PROXY);
    assert_eq!(read(&[]), PROXY);
}

#[test]
fn mapped_addresses_are_ipv4() {
    assert!(proxies("forwarded").trusts("::ffff:10.1.2.3".parse().unwrap()));
    let settings = daemon::parse("networks = ['::ffff:192.0.2.0/120']").unwrap();
    let mapped = Proxies::new(&settings, "").unwrap();
    assert!(mapped.trusts("192.0.2.77".parse().unwrap()));
    assert!(!mapped.trusts("192.0.3.77".parse().unwrap()));
}

#[test]
fn the_file_lists_networks_and_comments() {
    let file = "# a CDN\n203.0.113.0/24\n\n 2001:db8:9::/48 # and more\r\n198.51.100.1\n";
    let listed = Proxies::new(&Settings::default(), file).unwrap();
    for trusted in ["203.0.113.200", "2001:db8:9::1", "198.51.100.1"] {
        assert!(listed.trusts(trusted.parse().unwrap()), "{trusted}");
    }
    assert!(!listed.trusts("198.51.100.2".parse().unwrap()));
    let error = Proxies::new(&Settings::default(), "10.0.0.0/8\nten\n").unwrap_err();
    assert_eq!(error, "line 2: \"ten\" is no network");
    let error = Proxies::new(&Settings::default(), "0.0.0.0/0").unwrap_err();
    assert!(error.contains("is everybody"), "{error}");
    let many = "192.0.2.1\n".repeat(NETWORKS_MAX + 1);
    assert!(Proxies::new(&Settings::default(), &many).is_err());
}

proptest! {
    #[test]
    fn what_a_client_sends_cannot_change_what_the_proxy_saw(
        sent in proptest::collection::vec(any::<u8>().prop_filter("a header's byte", |byte| *byte >= 32 && *byte != 127), 0..60),
        address in any::<u32>(),
        v6 in any::<u128>(),
    ) {
        let v4 = std::net::Ipv4Addr::from(address);
        let v6 = std::net::Ipv6Addr::from(v6);
        prop_assume!(v6.to_ipv4_mapped().is_none());
        for (header, seen, added) in [
            ("x-forwarded-for", IpAddr::from(v4), format!(", {v4}")),
            ("forwarded", IpAddr::from(v4), format!(", for={v4}")),
            ("forwarded", IpAddr::from(v6), format!(", for=\"[{v6}]\";proto=https")),
        ] {
            prop_assume!(!proxies(header).trusts(seen));
            let line = [&sent[..], added.as_bytes()].concat();
            prop_assert_eq!(client(header, PROXY, &[&line]), seen.to_string());
        }
    }
}
