//! What betrays a scanner, and what only looks like it.

use http::StatusCode;

use super::{guarded, soon};
use crate::clients::{ask, ask1};
use crate::stand::with_gate;

#[test]
fn whoever_looks_at_a_page_that_leads_to_a_honeypot_is_served() {
    guarded("", "127.0.0.1/32", async |stand, decider, _seen| {
        let mut send = stand.settled_http2().await;
        for headers in [
            [
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-dest", "image"),
            ],
            [("sec-fetch-site", "same-site"), ("sec-fetch-dest", "image")],
            [("referer", "https://evil.example/"), ("accept", "image/*")],
            [("origin", "https://evil.example"), ("accept", "*/*")],
        ] {
            let asked = send.send_request(ask("GET", "/.env", &headers));
            assert_eq!(soon(asked).await.unwrap().status(), StatusCode::NOT_FOUND);
            let [told] = decider.told().try_into().unwrap();
            assert_eq!(told.name, "honeypot-linked", "{headers:?}");
        }
        let mut other = stand.http1(b"").await.unwrap();
        let own = [
            ("sec-fetch-site", "none"),
            ("referer", "https://localhost/"),
        ];
        let asked = other.send_request(ask1("GET", "/.env", &own));
        assert!(soon(asked).await.is_err());
        assert_eq!(decider.told()[0].name, "honeypot-probed");
    });
}

#[test]
fn a_token_that_opens_nothing_is_told_to_nobody_but_the_journal() {
    let bot = async |_peer, _request| {
        let mut response = ipc::problem(StatusCode::NOT_FOUND, "There is no such conversation.");
        let value = "token".parse().unwrap();
        response.headers_mut().insert("casemate-forged", value);
        response
    };
    with_gate("", bot, async |stand| {
        let mut send = stand.http1(b"").await.unwrap();
        let path = "/b/shop/v1/conversations/0123456789abcdef0123456789abcdef";
        let response = send.send_request(ask1("GET", path, &[])).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(!response.headers().contains_key("casemate-forged"));
        let [event] = stand.events("token-forged").try_into().unwrap();
        assert_eq!(event["bot"], "shop");
        assert_eq!(event["client"], "127.0.0.1");
    });
}
