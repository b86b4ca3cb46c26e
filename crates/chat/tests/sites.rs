//! Calls from pages of other sites, and the id that a request has in every service.

#![expect(clippy::unwrap_used, reason = "tests")]

mod world;

use http::{HeaderMap, Method, Request, Response, StatusCode};
use ipc::Incoming;
use world::{Serving, World, events};

const SITE: &str = "https://shop.example";

async fn call(
    shop: &Serving,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &'static str,
) -> Response<Incoming> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(ipc::full(body)).unwrap();
    shop.visitor.0.send(request).await.unwrap()
}

async fn preflight(shop: &Serving, origin: &str) -> (StatusCode, HeaderMap) {
    let asked = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type, x-own"),
    ];
    let path = "/v1/conversations";
    let response = call(shop, Method::OPTIONS, path, &asked, "").await;
    (response.status(), response.headers().clone())
}

#[test]
fn a_site_of_the_file_may_call_and_others_may_not() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");

        let (status, headers) = preflight(&shop, SITE).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        for (name, value) in [
            ("access-control-allow-origin", SITE),
            ("access-control-allow-methods", "GET, POST, DELETE"),
            (
                "access-control-allow-headers",
                "authorization, content-type",
            ),
            ("access-control-max-age", "600"),
        ] {
            assert_eq!(headers[name], value);
        }
        assert!(headers["vary"].to_str().unwrap().starts_with("origin,"));
        assert!(!headers.contains_key("access-control-allow-credentials"));

        let (status, headers) = preflight(&shop, "https://evil.example").await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(
            !headers
                .keys()
                .any(|name| name.as_str().starts_with("access-control"))
        );

        let json = ("content-type", "application/json");
        for (origin, shared) in [(SITE, true), ("https://evil.example", false)] {
            for (method, path, body) in [
                (Method::GET, "/v1/bot", ""),
                (Method::POST, "/v1/conversations", "{}"),
                // An error is as readable as an answer.
                (Method::GET, "/v1/none", ""),
            ] {
                let asked = [("origin", origin), json];
                let response = call(&shop, method, path, &asked, body).await;
                let allowed = response.headers().get("access-control-allow-origin");
                let expected = shared.then_some(SITE);
                assert_eq!(
                    allowed.map(|value| value.to_str().unwrap()),
                    expected,
                    "{path}"
                );
                assert_eq!(response.headers()["vary"], "origin");
            }
        }
        // Without an origin nothing is shared, and the answer still differs by it.
        let response = call(&shop, Method::GET, "/widget.js", &[], "").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(
            !response
                .headers()
                .contains_key("access-control-allow-origin")
        );
        assert_eq!(response.headers()["vary"], "origin");
        shop.stop().await;
    });
}

#[test]
fn nobody_may_call_a_bot_without_sites() {
    testkit::confined(|confined| async move {
        let mut world = World::new(confined);
        world.file.origins.clear();
        let shop = world.serve("1");
        for origin in [SITE, "null"] {
            let (status, headers) = preflight(&shop, origin).await;
            assert_eq!(status, StatusCode::FORBIDDEN);
            assert!(!headers.contains_key("access-control-allow-origin"));
        }
        shop.stop().await;
    });
}

#[test]
fn the_broker_is_told_the_id_of_the_request() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        for (id, told) in [("0190a1b2", Some("0190a1b2")), ("not an id", None)] {
            let headers = [("content-type", "application/json"), ("x-request-id", id)];
            let body = r#"{"id":"m1","text":"When do I get refunded?"}"#;
            let path = "/v1/conversations";
            let response = call(&shop, Method::POST, path, &headers, body).await;
            events(response).await;
            let asked = world.asked.lock().unwrap().pop().unwrap();
            assert_eq!(asked["x-request-id"].as_str(), told);
        }
        shop.stop().await;
    });
}
