//! What a client may ask for.

use http::StatusCode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::bot::{SITE, ask, ask1, text, with_gate};

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
fn pages_that_may_call_the_bot_may_read_that_they_are_to_wait() {
    with_gate("[limits]\nchat_per_minute = 2", async |stand| {
        let mut send = stand.http1(b"").await.unwrap();
        let other = "https://other.example";
        for (origin, status, reads) in [
            (SITE, StatusCode::OK, true),
            (other, StatusCode::OK, false),
            (SITE, StatusCode::TOO_MANY_REQUESTS, true),
            (other, StatusCode::TOO_MANY_REQUESTS, false),
        ] {
            let asked = ask1("POST", CHAT, &[("origin", origin)]);
            let response = send.send_request(asked).await.unwrap();
            assert_eq!(response.status(), status);
            let headers = response.headers();
            let reader = headers.get("access-control-allow-origin");
            assert_eq!(reader.map(|origin| origin == SITE), reads.then_some(true));
            assert_eq!(headers["vary"], "origin");
            text(response).await;
        }
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
fn where_descriptors_are_few_answers_have_their_part_of_them() {
    // 1024 are for everything else; of 9, 6 are for visitors' connections, 2 for answers, and 1 for those that share it.
    let limit = Rlimit {
        current: Some(1033),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    with_gate("", async |stand| {
        let mut send = stand.http2().await;
        let mut waiting = Vec::new();
        for _ in 0..2 {
            waiting.push(
                send.send_request(ask("GET", "/b/shop/slow", &[]))
                    .await
                    .unwrap(),
            );
        }
        let more = ask("GET", "/b/shop/x", &[]);
        let refused = send.send_request(more).await.unwrap();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.headers().contains_key("retry-after"));
        // Answers that may take long share one, for which there is room.
        for _ in 0..9 {
            let shared = ask("POST", "/b/shop/slow", &[]);
            waiting.push(send.send_request(shared).await.unwrap());
        }
        for answer in waiting {
            assert_eq!(text(answer).await, "first second");
        }
        let more = ask("GET", "/b/shop/x", &[]);
        let taken = send.send_request(more).await.unwrap();
        assert_eq!(taken.status(), StatusCode::OK);
        let mut held = Vec::new();
        for _ in 0..5 {
            held.push(stand.http1(b"").await.unwrap());
        }
        let mut seventh = stand.http1(b"").await.unwrap();
        let refused = seventh
            .send_request(ask1("GET", "/b/shop/x", &[]))
            .await
            .unwrap();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    });
}
