//! Who names the client.

use http::StatusCode;

use super::bot::{ask1, text, with_gate};

const CHAT: &str = "/b/shop/v1/conversations";

#[test]
fn a_trusted_proxy_names_the_client_in_a_header() {
    let settings = "[limits]\nchat_per_minute = 1\n[proxies]\nnetworks = ['127.0.0.0/8']\nheader = 'x-forwarded-for'";
    with_gate(settings, async |stand| {
        let mut send = stand.http1(b"").await.unwrap();
        for (named, status) in [
            ("198.51.100.1", StatusCode::OK),
            ("198.51.100.2", StatusCode::OK),
            ("198.51.100.9, 198.51.100.1", StatusCode::TOO_MANY_REQUESTS),
            ("2001:db8:1:1::1", StatusCode::OK),
            ("2001:db8:1:1::2", StatusCode::TOO_MANY_REQUESTS),
        ] {
            let request = ask1("POST", CHAT, &[("x-forwarded-for", named)]);
            let response = send.send_request(request).await.unwrap();
            assert_eq!(response.status(), status, "{named}");
            let said = text(response).await;
            if status == StatusCode::OK && !named.contains(':') {
                assert!(
                    said.contains(&format!("forwarded=for={named};proto=https")),
                    "{said}"
                );
            }
        }
        assert!(stand.events("proxy-untrusted").is_empty());
    });
}

#[test]
fn nobody_else_does() {
    let settings = "[proxies]\nnetworks = ['10.0.0.0/8']\nheader = 'forwarded'";
    with_gate(settings, async |stand| {
        let mut send = stand.http1(b"").await.unwrap();
        let request = ask1("GET", "/b/shop/x", &[("forwarded", "for=198.51.100.1")]);
        let said = text(send.send_request(request).await.unwrap()).await;
        assert!(
            said.contains("forwarded=for=127.0.0.1;proto=https"),
            "{said}"
        );
        let [event] = stand.events("proxy-untrusted").try_into().unwrap();
        assert_eq!(event["client"], "127.0.0.1");
    });
}

/// A header of the PROXY protocol that names 198.51.100.7.
pub(crate) const PROXY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x07\x7f\0\0\x01\x30\x39\x01\xbb";

#[test]
fn a_trusted_proxy_names_the_client_of_a_connection() {
    let settings =
        "[limits]\nconnections = 1\n[proxies]\nnetworks = ['127.0.0.0/8']\nproxy_protocol = true";
    with_gate(settings, async |stand| {
        let mut send = stand.http1(PROXY).await.unwrap();
        let response = send
            .send_request(ask1("GET", "/b/shop/x", &[]))
            .await
            .unwrap();
        let said = text(response).await;
        assert!(
            said.contains("forwarded=for=198.51.100.7;proto=https"),
            "{said}"
        );
        // His own limit holds, not the proxy's.
        assert!(stand.http1(PROXY).await.is_err());
        let [event] = stand.events("connection-limit").try_into().unwrap();
        assert_eq!(event["client"], "198.51.100.7");
        let mut other = PROXY.to_vec();
        other[19] = 8;
        assert!(stand.http1(&other).await.is_ok());
        // The proxy itself looks whether the gate is up.
        let mut local = PROXY.to_vec();
        local[12] = 0x20;
        for _ in 0..3 {
            let mut send = stand.http1(&local).await.unwrap();
            let response = send
                .send_request(ask1("GET", "/healthz", &[]))
                .await
                .unwrap();
            assert_eq!(response.status(), StatusCode::OK);
        }
        assert!(stand.events("proxy-untrusted").is_empty());
        // Without a header it is not served.
        assert!(stand.http1(b"").await.is_err());
        let [event] = stand.events("proxy-untrusted").try_into().unwrap();
        assert_eq!(event["reason"], "there is no PROXY header of version 2");
    });
}

#[test]
fn a_stranger_who_speaks_as_a_proxy_is_refused() {
    let settings = "[proxies]\nnetworks = ['10.0.0.0/8']\nproxy_protocol = true";
    with_gate(settings, async |stand| {
        assert!(stand.http1(PROXY).await.is_err());
        let [event] = stand.events("proxy-untrusted").try_into().unwrap();
        assert_eq!(event["client"], "127.0.0.1");
        let mut send = stand.http1(b"").await.unwrap();
        let response = send
            .send_request(ask1("GET", "/b/shop/x", &[]))
            .await
            .unwrap();
        let said = text(response).await;
        assert!(
            said.contains("forwarded=for=127.0.0.1;proto=https"),
            "{said}"
        );
    });
}
