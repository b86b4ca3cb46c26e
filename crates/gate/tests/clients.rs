//! Who a client is, what he may ask for, and what is written down of it.
#![expect(clippy::unwrap_used, reason = "tests")]

mod stand;

use http::StatusCode;
use stand::{ask, ask1, text, with_gate};

const CHAT: &str = "/b/shop/v1/conversations";

#[test]
fn whoever_asks_too_much_is_told_when_to_come_back() {
    with_gate("[limits]\nchat_per_minute = 2", async |stand| {
        let mut send = stand.http1(b"").await.unwrap();
        for left in ["1", "0"] {
            let response = send.send_request(ask1("POST", CHAT, &[])).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()["ratelimit-policy"], "\"chat\";q=2;w=60");
            let state = response.headers()["ratelimit"].to_str().unwrap().to_owned();
            assert!(
                state.starts_with(&format!("\"chat\";r={left};t=")),
                "{state}"
            );
            text(response).await;
        }
        let response = send.send_request(ask1("POST", CHAT, &[])).await.unwrap();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        let headers = response.headers().clone();
        assert_eq!(headers["content-type"], "application/problem+json");
        let wait: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((25..=30).contains(&wait), "{wait}");
        assert!(headers["ratelimit"].to_str().unwrap().contains(";r=0;"));
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["x-request-id"].len(), 16);
        assert!(text(response).await.contains("Please wait"));
        let [event] = stand.events("rate-limited").try_into().unwrap();
        assert_eq!(
            (event["client"].as_str(), event["limit"].as_str()),
            ("127.0.0.1", "chat")
        );
        assert_eq!(
            (event["bot"].as_str(), &event["retry_s"]),
            ("shop", &wait.to_string())
        );
        // Pages are another matter.
        let response = send
            .send_request(ask1("GET", "/b/shop/frame", &[]))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(!response.headers().contains_key("ratelimit"));
    });
}

#[test]
fn pages_and_the_admins_paths_have_limits_of_their_own() {
    with_gate(
        "[limits]\nadmin_per_minute = 1\ngeneral_per_minute = 2",
        async |stand| {
            let mut send = stand.http1(b"").await.unwrap();
            for (path, status) in [
                ("/admin/login", StatusCode::NOT_FOUND),
                ("/admin/login", StatusCode::TOO_MANY_REQUESTS),
                ("/healthz", StatusCode::OK),
                ("/b/shop/frame", StatusCode::OK),
                ("/b/shop/frame", StatusCode::TOO_MANY_REQUESTS),
            ] {
                let response = send.send_request(ask1("GET", path, &[])).await.unwrap();
                assert_eq!(response.status(), status, "{path}");
                text(response).await;
            }
            let response = send.send_request(ask1("POST", CHAT, &[])).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
        },
    );
}

#[test]
fn exempt_clients_have_no_limit_of_their_own() {
    let settings = "[limits]\nchat_per_minute = 1\nconnections = 1\nexempt = ['127.0.0.0/8']";
    with_gate(settings, async |stand| {
        let mut one = stand.http1(b"").await.unwrap();
        let mut other = stand.http1(b"").await.unwrap();
        for send in [&mut one, &mut other] {
            for _ in 0..3 {
                let response = send.send_request(ask1("POST", CHAT, &[])).await.unwrap();
                assert_eq!(response.status(), StatusCode::OK);
                text(response).await;
            }
        }
    });
}

#[test]
fn one_connection_too_many_is_closed() {
    with_gate("[limits]\nconnections = 2", async |stand| {
        let one = stand.http1(b"").await.unwrap();
        let two = stand.http1(b"").await.unwrap();
        assert!(stand.http1(b"").await.is_err());
        let [event] = stand.events("connection-limit").try_into().unwrap();
        assert_eq!(
            (event["limit"].as_str(), event["most"].as_str()),
            ("connections", "2")
        );
        drop((one, two));
        for attempt in 0.. {
            if stand.http1(b"").await.is_ok() {
                break;
            }
            assert!(attempt < 50, "the places were not given back");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn one_stream_too_many_is_refused_until_another_has_ended() {
    with_gate("[limits]\nstreams = 1", async |stand| {
        let mut send = stand.http2().await;
        let slow = send
            .send_request(ask("GET", "/b/shop/slow", &[]))
            .await
            .unwrap();
        assert_eq!(slow.status(), StatusCode::OK);
        let refused = send
            .send_request(ask("GET", "/b/shop/x", &[]))
            .await
            .unwrap();
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()["retry-after"], "5");
        let [event] = stand.events("connection-limit").try_into().unwrap();
        assert_eq!(event["limit"], "streams");
        assert_eq!(text(refused).await.matches("status").count(), 1);
        assert_eq!(text(slow).await, "first second");
        let response = send
            .send_request(ask("GET", "/b/shop/x", &[]))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    });
}

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
const PROXY: &[u8] =
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

#[test]
fn each_request_is_written_down_without_what_names_anybody() {
    with_gate("", async |stand| {
        let mut send = stand.http2().await;
        let path = "/b/shop/v1/conversations/0190a1b2c3d4e5f60190a1b2c3d4e5f6?token=secret";
        let response = send
            .send_request(ask("GET", path, &[("x-request-id", "forged")]))
            .await
            .unwrap();
        let id = response.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let said = text(response).await;
        // The bot was told the same id.
        assert!(said.ends_with(&format!("request={id}")), "{said}");
        let record = stand.access().await;
        for (field, value) in [
            ("method", "GET"),
            ("path", "/b/shop/v1/conversations/{id}"),
            ("status", "200"),
            ("bytes", &said.len().to_string()),
            ("whole", "true"),
            ("protocol", "HTTP/2"),
            ("request", &id),
            ("bot", "shop"),
            ("client", "127.0.0.0/24"),
        ] {
            assert_eq!(record[field], value, "{field}");
        }
        assert!(record["ms"].parse::<u64>().unwrap() < 10_000);
        let all = format!("{record:?}");
        assert!(
            !all.contains("secret") && !all.contains("0190a1b2"),
            "{all}"
        );
    });
}

#[test]
fn an_answer_that_is_given_up_is_written_down_as_such() {
    with_gate("[log]\nclient = 'none'", async |stand| {
        let mut send = stand.http1(b"").await.unwrap();
        let response = send
            .send_request(ask1("GET", "/b/shop/slow", &[]))
            .await
            .unwrap();
        drop((response, send));
        let record = stand.access().await;
        assert_eq!(
            (record["whole"].as_str(), record.get("client")),
            ("false", None)
        );
    });
    with_gate("[log]\naccess = false", async |stand| {
        let mut send = stand.http1(b"").await.unwrap();
        let response = send
            .send_request(ask1("GET", "/b/shop/x", &[]))
            .await
            .unwrap();
        text(response).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert!(stand.records("access").is_empty());
    });
}

#[test]
fn a_page_may_be_framed_where_its_bot_says_and_nothing_else_may() {
    with_gate("", async |stand| {
        let mut send = stand.http1(b"").await.unwrap();
        let response = send
            .send_request(ask1("GET", "/b/shop/frame", &[]))
            .await
            .unwrap();
        let headers = response.headers().clone();
        assert_eq!(
            headers["content-security-policy"],
            "default-src 'none'; frame-ancestors https://shop.example"
        );
        assert_eq!(headers["cross-origin-resource-policy"], "cross-origin");
        text(response).await;
        let response = send.send_request(ask1("GET", "/none", &[])).await.unwrap();
        let headers = response.headers().clone();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert!(
            headers["permissions-policy"]
                .to_str()
                .unwrap()
                .contains("camera=()")
        );
        assert!(!headers.contains_key("x-xss-protection") && !headers.contains_key("server"));
    });
}
