//! An instance fails, and the others go on.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;

use super::bot::{Bot, Trouble};
use super::stage::{Stand, Visitor, path, started, until, with_gate};

/// Begins conversations until each of two instances has one.
async fn one_each(visitor: &Visitor, bots: [&Bot; 2]) -> [String; 2] {
    let mut found = [None, None];
    while found.iter().any(Option::is_none) {
        let id = visitor.begin().await;
        for (bot, found) in bots.iter().zip(&mut found) {
            if bot.has(&id) {
                *found = Some(id.clone());
            }
        }
    }
    found.map(Option::unwrap)
}

#[test]
fn who_is_killed_takes_its_conversations_away_and_brings_them_back() {
    with_gate(async |stand, visitor| {
        let [well, mut killed] = started(&stand, &visitor, ["shop", "shop.2"]).await;
        let [kept, lost] = one_each(&visitor, [&well, &killed]).await;
        let message = |id: &str| format!("{}/messages", path(id));
        let mut kept_stream = visitor.open(Method::POST, &message(&kept), "{}").await;
        let mut lost_stream = visitor.open(Method::POST, &message(&lost), "{}").await;
        for stream in [&mut kept_stream, &mut lost_stream] {
            stream.frame().await.unwrap().unwrap();
        }
        killed.kill().await;
        // An answer that breaks off is seen to, and is not taken for a whole one.
        let broken = async {
            loop {
                match lost_stream.frame().await {
                    Some(Ok(_)) => {}
                    Some(Err(_)) => break true,
                    None => break false,
                }
            }
        };
        assert!(broken.await, "a stream that broke off looked whole");
        kept_stream.frame().await.unwrap().unwrap();
        // At once, before anybody has counted.
        let said = visitor.get(&path(&lost)).await;
        assert_eq!(
            said.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{}",
            said.text
        );
        assert!(said.retry_after.is_some() && said.text.contains("Please try again"));
        for _ in 0..20 {
            let id = visitor.begin().await;
            assert!(well.has(&id));
            assert_eq!(visitor.get("/b/shop/v1/bot").await.text, "shop");
        }
        assert_eq!(visitor.get(&path(&kept)).await.status, StatusCode::OK);
        let said = visitor.ask(Method::POST, &message(&lost), "{}").await;
        assert_eq!(said.status, StatusCode::SERVICE_UNAVAILABLE);
        let said = visitor.ask(Method::DELETE, &path(&lost), "").await;
        assert_eq!(said.status, StatusCode::SERVICE_UNAVAILABLE);
        killed.restart();
        until("its conversations are back", async || {
            visitor.get(&path(&lost)).await.status == StatusCode::OK
        })
        .await;
        until("it gets new ones", async || {
            killed.has(&visitor.begin().await)
        })
        .await;
    });
}

#[test]
fn who_hangs_holds_up_nobody_for_long_and_nobody_at_all_once_it_was_noticed() {
    with_gate(async |stand, visitor| {
        let [well, hung] = started(&stand, &visitor, ["shop", "shop.2"]).await;
        let [kept, lost] = one_each(&visitor, [&well, &hung]).await;
        hung.set(Trouble::Hung);
        let begun = Instant::now();
        for _ in 0..2 {
            // The time for one try is the gate's for an answer at most, here 3 seconds.
            assert_eq!(visitor.get("/b/shop/v1/bot").await.status, StatusCode::OK);
        }
        assert!(
            begun.elapsed() < Duration::from_secs(8),
            "{:?}",
            begun.elapsed()
        );
        until("it is out", async || {
            let begun = Instant::now();
            let said = visitor.get(&path(&lost)).await;
            let is_told = matches!(said.status.as_u16(), 503 | 504);
            is_told && begun.elapsed() < Duration::from_secs(1)
        })
        .await;
        let asked = hung.count(&Method::GET) + hung.count(&Method::POST);
        let begun = Instant::now();
        for _ in 0..20 {
            assert!(well.has(&visitor.begin().await));
            assert_eq!(visitor.get("/b/shop/v1/bot").await.text, "shop");
            assert_eq!(visitor.get(&path(&kept)).await.status, StatusCode::OK);
        }
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(hung.count(&Method::GET) + hung.count(&Method::POST), asked);
        hung.set(Trouble::None);
        until("it is back", async || hung.has(&visitor.begin().await)).await;
        assert_eq!(visitor.get(&path(&lost)).await.status, StatusCode::OK);
    });
}

#[test]
fn who_says_that_it_is_not_well_gets_nothing_and_the_last_one_all_the_same() {
    with_gate(async |stand, visitor| {
        let [first, second] = started(&stand, &visitor, ["shop", "shop.2"]).await;
        let [_, lost] = one_each(&visitor, [&first, &second]).await;
        second.set(Trouble::Unwell);
        until("the second is out", async || {
            visitor.get(&path(&lost)).await.status == StatusCode::SERVICE_UNAVAILABLE
        })
        .await;
        let asked = second.count(&Method::POST);
        for _ in 0..20 {
            visitor.begin().await;
        }
        assert_eq!(second.count(&Method::POST), asked);
        first.set(Trouble::Unwell);
        // Both are out, and both answer: nobody is turned away.
        until("who is left is asked", async || {
            visitor.get(&path(&lost)).await.status == StatusCode::OK
        })
        .await;
        for _ in 0..20 {
            visitor.begin().await;
        }
    });
}

#[test]
fn nothing_that_may_have_been_done_is_done_again() {
    with_gate(async |stand, visitor| {
        let bots = started(&stand, &visitor, ["shop", "shop.2"]).await;
        let [first, second] = one_each(&visitor, [&bots[0], &bots[1]]).await;
        for bot in &bots {
            bot.set(Trouble::Breaks);
        }
        let count = |method: &Method| bots.iter().map(|bot| bot.count(method)).sum::<usize>();
        for id in [&first, &second] {
            for (method, path) in [
                (Method::POST, "/b/shop/v1/conversations".to_owned()),
                (Method::POST, format!("{}/messages", path(id))),
                (Method::DELETE, path(id)),
            ] {
                let before = count(&method);
                let said = visitor.ask(method.clone(), &path, "").await;
                // 503 once both have failed as often as makes them go out, and never an answer.
                assert!(said.status.is_server_error(), "{}", said.status);
                assert!(said.retry_after.is_some());
                assert_eq!(count(&method) - before, 1, "{method} {path}");
            }
        }
        // What changes nothing is asked of both.
        let before = count(&Method::GET);
        let said = visitor.get("/b/shop/v1/bot").await;
        assert_eq!(said.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(count(&Method::GET) - before, 2);
        bots[0].set(Trouble::None);
        until("the other answers in its place", async || {
            visitor.get("/b/shop/v1/bot").await.status == StatusCode::OK
        })
        .await;
    });
}

/// As many visitors as fill the 32 MiB that are kept with the longest of requests, each of which has sent so many bytes of it.
async fn with_promises<R>(stand: &Stand, sent: usize, then: impl AsyncFnOnce() -> R) -> R {
    let (most, each) = (512, 64 * 1024);
    let mut visitors = Vec::new();
    // No more streams than this are open on one connection.
    for _ in 0..most / 64 {
        visitors.push(stand.visitor().await);
    }
    let mut promised = FuturesUnordered::new();
    for visitor in visitors
        .iter()
        .flat_map(|visitor| std::iter::repeat_n(visitor, 64))
    {
        promised.push(visitor.promise("/b/shop/v1/conversations", each, sent));
    }
    // None of them is answered while its body may come.
    let answered = tokio::time::timeout(Duration::from_secs(2), promised.next()).await;
    assert!(answered.is_err(), "{answered:?}");
    then().await
}

#[test]
fn what_is_kept_of_requests_has_a_bound() {
    with_gate(async |stand, visitor| {
        let _bots = started(&stand, &visitor, ["shop", "shop.2"]).await;
        with_promises(&stand, 64 * 1024 - 1, async || {
            let said = visitor
                .ask(Method::POST, "/b/shop/v1/conversations", "{}")
                .await;
            assert_eq!(said.status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(said.retry_after.is_some());
            assert_eq!(visitor.get("/b/shop/v1/bot").await.status, StatusCode::OK);
        })
        .await;
        until("there is room again", async || {
            let said = visitor
                .ask(Method::POST, "/b/shop/v1/conversations", "{}")
                .await;
            said.status == StatusCode::CREATED
        })
        .await;
    });
}

#[test]
fn what_is_only_announced_keeps_nobody_out() {
    with_gate(async |stand, visitor| {
        let _bots = started(&stand, &visitor, ["shop", "shop.2"]).await;
        with_promises(&stand, 1, async || {
            for _ in 0..20 {
                let said = visitor
                    .ask(Method::POST, "/b/shop/v1/conversations", "{}")
                    .await;
                assert_eq!(said.status, StatusCode::CREATED);
            }
        })
        .await;
    });
}

#[test]
fn who_leaves_ends_what_it_has_begun_and_gets_nothing_new() {
    with_gate(async |stand, visitor| {
        let [stays, leaves] = started(&stand, &visitor, ["shop", "shop.2"]).await;
        let [_, id] = one_each(&visitor, [&stays, &leaves]).await;
        let path_of_message = format!("{}/messages", path(&id));
        let mut stream = visitor.open(Method::POST, &path_of_message, "{}").await;
        stream.frame().await.unwrap().unwrap();
        leaves.leave();
        // The folder is listed once a second.
        tokio::time::sleep(Duration::from_millis(1200)).await;
        let asked = leaves.count(&Method::POST) + leaves.count(&Method::GET);
        for _ in 0..20 {
            assert!(stays.has(&visitor.begin().await));
            assert_eq!(visitor.get("/b/shop/v1/bot").await.text, "shop");
        }
        let said = visitor.get(&path(&id)).await;
        assert_eq!(said.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            leaves.count(&Method::POST) + leaves.count(&Method::GET),
            asked
        );
        for _ in 0..20 {
            stream.frame().await.unwrap().unwrap();
        }
    });
}
