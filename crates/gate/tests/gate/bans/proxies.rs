//! Clients whom a proxy names.

use http::StatusCode;
use http_body_util::BodyExt as _;

use super::{guarded, soon};
use crate::clients::{PROXY, ask, ask1};

#[test]
fn one_whom_a_proxy_names_is_refused_and_others_are_not() {
    let settings = "[proxies]\nnetworks = ['127.0.0.0/8']\nheader = 'x-forwarded-for'";
    guarded(settings, "198.51.100.1/32", async |stand, decider, seen| {
        let mut send = stand.settled_http2().await;
        let mut get = async |path: &str, client: &str| {
            let request = ask("GET", path, &[("x-forwarded-for", client)]);
            send.send_request(request).await.unwrap()
        };
        let (bad, good) = ("198.51.100.1", "198.51.100.2");
        let mut of_bad = get("/b/shop/stream", bad).await;
        let mut of_good = get("/b/shop/stream", good).await;
        assert!(of_bad.body_mut().frame().await.unwrap().is_ok());
        let refused = soon(get("/.env", bad)).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        assert!(refused.headers().contains_key("content-security-policy"));
        let refused = get("/b/shop/later", bad).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        let cut = async {
            while let Some(frame) = of_bad.body_mut().frame().await {
                if frame.is_err() {
                    return;
                }
            }
            unreachable!("it looks whole");
        };
        soon(cut).await;
        assert_eq!(get("/b/shop/x", good).await.status(), StatusCode::OK);
        assert!(of_good.body_mut().frame().await.unwrap().is_ok());

        // A ban that covers the proxy leaves him be, and what he himself does is not told.
        decider.ban("127.0.0.0/8".parse().unwrap(), None);
        decider.ban("198.51.100.3/32".parse().unwrap(), None);
        while get("/b/shop/x", "198.51.100.3").await.status() == StatusCode::OK {}
        assert_eq!(get("/b/shop/x", good).await.status(), StatusCode::OK);
        assert!(stand.http1(b"").await.is_ok());
        drop(decider.told());
        assert_eq!(get("/.env", "").await.status(), StatusCode::NOT_FOUND);
        assert!(decider.told().is_empty());
        assert!(!seen.lock().unwrap().contains(&"/later".to_owned()));
    });
}

#[test]
fn one_whom_a_proxy_names_for_a_connection_is_refused() {
    let settings = "[proxies]\nnetworks = ['127.0.0.0/8']\nproxy_protocol = true";
    guarded(
        settings,
        "198.51.100.7/32",
        async |stand, decider, _seen| {
            let mut send = stand.http1(PROXY).await.unwrap();
            let answer = soon(send.send_request(ask1("GET", "/.env", &[]))).await;
            assert!(answer.is_err(), "{answer:?}");
            let told = decider.told();
            assert_eq!(told[0].client, Some([198, 51, 100, 7].into()));
            assert!(stand.http1(PROXY).await.is_err());
            let mut other = PROXY.to_vec();
            other[19] = 8;
            let mut send = stand.http1(&other).await.unwrap();
            let response = send.send_request(ask1("GET", "/b/shop/x", &[])).await;
            assert_eq!(response.unwrap().status(), StatusCode::OK);
        },
    );
}
