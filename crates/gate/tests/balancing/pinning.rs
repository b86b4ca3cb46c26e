//! Each conversation has one instance.

use std::collections::BTreeSet;

use http::{Method, StatusCode};

use super::bot::Bot;
use super::stage::{path, started, until, with_gate};

/// Conversations that are begun, enough that each of a few instances gets some: that one of three gets none has
/// a chance of 1 in 100 million.
const CONVERSATIONS: usize = 48;

#[test]
fn a_conversation_stays_with_the_instance_that_it_began_at() {
    with_gate(async |stand, visitor| {
        let bots = started(&stand, &visitor, ["shop", "shop.2", "shop.3"]).await;
        let mut ids = BTreeSet::new();
        for _ in 0..CONVERSATIONS {
            ids.insert(visitor.begin().await);
        }
        assert_eq!(ids.len(), CONVERSATIONS);
        assert!(!ids.contains("ffffffffffffffffffffffffffffffff"));
        for bot in &bots {
            assert!(bot.count(&Method::POST) > 0);
        }
        let asked: usize = bots.iter().map(|bot| bot.count(&Method::GET)).sum();
        for id in &ids {
            let said = visitor.get(&path(id)).await;
            assert_eq!(said.status, StatusCode::OK);
            let homes: Vec<_> = bots.iter().filter(|bot| bot.has(id)).collect();
            assert_eq!(homes.len(), 1);
        }
        // Each was found at the first try.
        let now: usize = bots.iter().map(|bot| bot.count(&Method::GET)).sum();
        assert_eq!(now - asked, CONVERSATIONS);
    });
}

#[test]
fn conversations_are_found_after_an_instance_was_added() {
    with_gate(async |stand, visitor| {
        let [first, second] = started(&stand, &visitor, ["shop", "shop.2"]).await;
        let mut ids = Vec::new();
        for _ in 0..CONVERSATIONS {
            ids.push(visitor.begin().await);
        }
        let third = Bot::start(stand.sockets.path(), "shop.3");
        until("the third gets conversations", async || {
            visitor.begin().await;
            third.count(&Method::POST) > 0
        })
        .await;
        for id in &ids {
            let said = visitor.get(&path(id)).await;
            assert_eq!(said.status, StatusCode::OK);
            assert!(first.has(id) || second.has(id));
            // What is posted finds it as well, once.
            let before = (first.count(&Method::POST), second.count(&Method::POST));
            let home = usize::from(second.has(id));
            let opened = visitor
                .open(
                    Method::POST,
                    &format!("{}/messages", path(id)),
                    "{\"id\":\"1\"}",
                )
                .await;
            assert_eq!(opened.status(), StatusCode::OK);
            let after = (first.count(&Method::POST), second.count(&Method::POST));
            let more = [after.0 - before.0, after.1 - before.1];
            assert_eq!(more[home], 1);
            let (_, asked, _, bytes) = [&first, &second][home].last();
            assert!(asked.ends_with("/messages") && bytes == 10, "{asked}");
        }
        let unknown = visitor.get(&path("00000000000000000000000000000bad")).await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
        assert_eq!(unknown.text, "no such conversation");
    });
}

#[test]
fn a_websocket_leads_to_the_instance_that_has_its_conversation() {
    with_gate(async |stand, visitor| {
        let bots = started(&stand, &visitor, ["shop", "shop.2", "shop.3"]).await;
        for _ in 0..CONVERSATIONS {
            assert_eq!(visitor.socket("").await, StatusCode::OK);
        }
        let mut ids = Vec::new();
        for bot in &bots {
            // The gate has named each that began there, and nobody else has it.
            assert!(bot.count(&Method::GET) > 0);
            ids.extend(bot.conversations());
        }
        assert_eq!(ids.len(), CONVERSATIONS);
        ids.push(visitor.begin().await);
        for id in &ids {
            let query = format!("?conversation={id}");
            assert_eq!(visitor.socket(&query).await, StatusCode::OK);
            assert_eq!(bots.iter().filter(|bot| bot.has(id)).count(), 1);
        }
        let unknown = format!("?conversation={:032x}", 7);
        assert_eq!(visitor.socket(&unknown).await, StatusCode::NOT_FOUND);
    });
}

#[test]
fn a_websocket_is_away_while_the_instance_is_that_has_its_conversation() {
    with_gate(async |stand, visitor| {
        let mut bots = started(&stand, &visitor, ["shop", "shop.2"]).await;
        let id = visitor.begin().await;
        let home = usize::from(bots[1].has(&id));
        bots[home].kill().await;
        let query = format!("?conversation={id}");
        assert_eq!(
            visitor.socket(&query).await,
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(visitor.socket("").await, StatusCode::OK);
        bots[home].restart();
        until("it is back", async || {
            visitor.socket(&query).await == StatusCode::OK
        })
        .await;
    });
}

#[test]
fn a_bot_with_one_instance_makes_its_ids_itself() {
    with_gate(async |stand, visitor| {
        let bot = Bot::start(stand.sockets.path(), "shop");
        visitor.begin().await;
        let (_, _, header, _) = bot.last();
        assert_eq!(
            header, None,
            "what the visitor sent under the gate's name has passed"
        );
        let other = visitor.get("/b/none/v1/bot").await;
        assert_eq!(other.status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn what_anybody_can_answer_is_asked_in_turn() {
    with_gate(async |stand, visitor| {
        let bots = started(&stand, &visitor, ["shop", "shop.2"]).await;
        for _ in 0..8 {
            assert_eq!(visitor.get("/b/shop/v1/bot").await.status, StatusCode::OK);
        }
        assert_eq!(bots.map(|bot| bot.count(&Method::GET)), [4, 4]);
    });
}

#[test]
fn a_body_that_is_too_long_reaches_nobody() {
    static LONG: &str = match std::str::from_utf8(&[b'x'; 64 * 1024 + 1]) {
        Ok(text) => text,
        Err(_) => "",
    };
    with_gate(async |stand, visitor| {
        let bots = started(&stand, &visitor, ["shop", "shop.2"]).await;
        let path = "/b/shop/v1/conversations";
        let said = visitor.ask(Method::POST, path, LONG).await;
        assert_eq!(said.status, StatusCode::PAYLOAD_TOO_LARGE);
        let said = visitor.ask(Method::POST, path, &LONG[1..]).await;
        assert_eq!(said.status, StatusCode::CREATED);
        assert_eq!(
            bots.map(|bot| bot.count(&Method::POST))
                .iter()
                .sum::<usize>(),
            1
        );
    });
}
