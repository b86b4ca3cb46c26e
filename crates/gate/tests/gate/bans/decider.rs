//! Whoever decides may be slow, or not there.

use std::time::{Duration, Instant};

use http::StatusCode;
use http_body_util::BodyExt as _;
use testkit::decider::Decider;

use super::{SOON, Seen, bot, guarded};
use crate::clients::ask1;
use crate::stand::with_gate;

#[test]
fn without_an_answer_everybody_is_served() {
    guarded("", "192.0.2.1/32", async |stand, decider, _seen| {
        let mut send = stand.http1(b"").await.unwrap();
        let mut get = async |path: &str| {
            let begun = Instant::now();
            let response = send.send_request(ask1("GET", path, &[])).await.unwrap();
            let status = response.status();
            response.into_body().collect().await.unwrap();
            (status, begun.elapsed())
        };
        decider.mute(true);
        let pause = Duration::from_millis(event::JUDGED_MS);
        let (status, took) = get("/.env").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(took >= pause, "{took:?}");
        // The second one does not wait any more.
        let begun = Instant::now();
        for _ in 0..20 {
            assert_eq!(get("/.env").await.0, StatusCode::NOT_FOUND);
        }
        assert!(begun.elapsed() < pause * 15, "{:?}", begun.elapsed());
        decider.mute(false);
        while decider.told().iter().map(|told| told.count).sum::<u32>() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(get("/b/shop/x").await.0, StatusCode::OK);
    });
}

#[test]
fn who_decides_may_come_later_and_go() {
    let seen = Seen::default();
    with_gate("", bot(&seen), async |stand| {
        let mut send = stand.http1(b"").await.unwrap();
        let response = send.send_request(ask1("GET", "/.env", &[])).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let decider = Decider::listen(&stand.events);
        decider.ban("127.0.0.1/32".parse().unwrap(), Some(600));
        let begun = Instant::now();
        while stand.connect(b"http/1.1", b"").await.is_ok() {
            assert!(begun.elapsed() < 2 * SOON);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // What was seen before it came was kept.
        assert_eq!(decider.told()[0].name, "honeypot-probed");
        // A ban outlives whoever made it, until he says otherwise.
        drop(decider);
        std::fs::remove_file(&stand.events).unwrap();
        assert!(stand.connect(b"http/1.1", b"").await.is_err());
        let _another = Decider::listen(&stand.events);
        let begun = Instant::now();
        while stand.connect(b"http/1.1", b"").await.is_err() {
            assert!(begun.elapsed() < 2 * SOON);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}
