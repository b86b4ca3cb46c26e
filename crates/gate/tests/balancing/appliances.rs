//! Two appliances that serve the same bot.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio::task::JoinHandle;

use super::bot::{Bot, Trouble};
use super::dialer;
use super::stage::{Stand, path, run, until};

const CONVERSATIONS: usize = 40;

/// An authority that appliances share.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        Self {
            pem: params.self_signed(&key).unwrap().pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A key and certificate for a name, as PEM.
    pub(crate) fn issue(&self, name: &str) -> String {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        format!("{}{}", key.serialize_pem(), certificate.pem())
    }
}

/// `north` and `south`, each of which knows the other; `more` is added to their settings.
fn two(authority: &Authority, more: [&str; 2]) -> [Stand; 2] {
    let mut stands = more.map(Stand::new);
    let doors = [1, 0].map(|other: usize| stands[other].door_address);
    let names = ["north", "south"];
    for (index, stand) in stands.iter_mut().enumerate() {
        let (name, other) = (names[index], names[1 - index]);
        stand.settings = format!(
            "\n[appliance]\nname = '{name}'\n{}\n[[appliances]]\nname = '{other}'\naddress = '{}'\n",
            stand.settings, doors[index]
        );
        stand.granted.file("peers.pem", &authority.pem);
        stand.granted.file("gate.peer", authority.issue(name));
    }
    stands
}

/// The dialers of both.
fn dialers(stands: &[Arc<Stand>; 2]) -> [JoinHandle<()>; 2] {
    [0, 1].map(|index: usize| dialer::start(&stands[index].granted.path().join("dialer.sock")))
}

#[test]
fn a_conversation_belongs_to_one_of_them_whichever_is_asked() {
    let authority = Authority::new();
    run(two(&authority, [""; 2]), async |stands| {
        let _dialers = dialers(&stands);
        let [north, south] = &stands;
        let here = Bot::start(north.sockets.path(), "shop");
        let there = ["shop", "shop.2"].map(|name| Bot::start(south.sockets.path(), name));
        let (at_north, at_south) = (north.visitor().await, south.visitor().await);
        // The folders are listed once a second.
        tokio::time::sleep(Duration::from_millis(1200)).await;
        let mut ids = BTreeSet::new();
        for _ in 0..CONVERSATIONS {
            ids.insert(at_north.begin().await);
            ids.insert(at_south.begin().await);
        }
        assert_eq!(ids.len(), 2 * CONVERSATIONS);
        for bot in [&here, &there[0], &there[1]] {
            assert!(bot.count(&Method::POST) > 0);
            bot.forget();
        }
        for id in &ids {
            for visitor in [&at_north, &at_south] {
                assert_eq!(visitor.get(&path(id)).await.status, StatusCode::OK);
            }
        }
        // Each was found at the first try, from either side.
        let asked: usize = [&here, &there[0], &there[1]]
            .map(|bot| bot.count(&Method::GET))
            .iter()
            .sum();
        assert_eq!(asked, 4 * CONVERSATIONS);
        assert_eq!(there[0].forwarded().unwrap(), "for=127.0.0.1;proto=https");
        let unknown = at_north
            .get(&path("00000000000000000000000000000bad"))
            .await;
        assert_eq!(
            (unknown.status, &*unknown.text),
            (StatusCode::NOT_FOUND, "no such conversation")
        );
        // What anybody can answer is answered here.
        for _ in 0..8 {
            assert_eq!(at_north.get("/b/shop/v1/bot").await.status, StatusCode::OK);
        }
        assert!(there.iter().all(|bot| bot.last().1 != "/v1/bot"));
    });
}

#[test]
fn events_come_through_and_who_is_lost_takes_his_conversations_away() {
    let authority = Authority::new();
    run(two(&authority, [""; 2]), async |stands| {
        let _dialers = dialers(&stands);
        let [north, south] = &stands;
        let here = Bot::start(north.sockets.path(), "shop");
        let there = Bot::start(south.sockets.path(), "shop");
        let visitor = north.visitor().await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        let mut far = visitor.begin().await;
        while !there.has(&far) {
            far = visitor.begin().await;
        }
        let messages = format!("{}/messages", path(&far));
        let mut streams = Vec::new();
        // More than there are connections.
        for _ in 0..10 {
            streams.push(visitor.open(Method::POST, &messages, "{}").await);
        }
        for _ in 0..20 {
            for stream in &mut streams {
                let event = stream.frame().await.unwrap().unwrap();
                assert_eq!(&event.into_data().unwrap()[..], b"data: shop\n\n");
            }
        }
        // It breaks off there: done once, and nowhere else.
        there.set(Trouble::Breaks);
        there.forget();
        here.forget();
        for (method, path) in [(Method::POST, &messages), (Method::DELETE, &path(&far))] {
            let said = visitor.ask(method.clone(), path, "{}").await;
            assert!(said.status.is_server_error() && said.retry_after.is_some());
            assert_eq!(
                (there.count(&method), here.count(&method)),
                (1, 0),
                "{method}"
            );
        }
        there.set(Trouble::None);
        south.drain.cancel();
        until("new conversations begin here alone", async || {
            let before = here.count(&Method::POST);
            for _ in 0..8 {
                visitor.begin().await;
            }
            here.count(&Method::POST) - before == 8
        })
        .await;
        // Streams go on until they must end.
        for stream in &mut streams {
            stream.frame().await.unwrap().unwrap();
        }
        drop(streams);
        until("it is gone", async || {
            let said = visitor.get(&path(&far)).await;
            said.status == StatusCode::SERVICE_UNAVAILABLE && said.retry_after.is_some()
        })
        .await;
    });
}

#[test]
fn who_drains_gets_no_new_conversation_and_keeps_its_own() {
    let authority = Authority::new();
    run(two(&authority, ["", "drain = true"]), async |stands| {
        let _dialers = dialers(&stands);
        let [north, south] = &stands;
        let here = Bot::start(north.sockets.path(), "shop");
        let there = Bot::start(south.sockets.path(), "shop");
        let visitor = north.visitor().await;
        let own = south.visitor().await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        until("it is known", async || {
            let before = there.count(&Method::POST);
            for _ in 0..8 {
                visitor.begin().await;
            }
            there.count(&Method::POST) == before
        })
        .await;
        let before = there.count(&Method::POST);
        for _ in 0..CONVERSATIONS {
            assert!(here.has(&visitor.begin().await));
        }
        assert_eq!(there.count(&Method::POST), before);
        // Who comes to it all the same is served.
        let mut kept = own.begin().await;
        while !there.has(&kept) {
            kept = own.begin().await;
        }
        assert_eq!(visitor.get(&path(&kept)).await.status, StatusCode::OK);
    });
}

#[test]
fn a_bot_that_one_of_them_lacks_is_found_at_the_other() {
    let authority = Authority::new();
    run(two(&authority, [""; 2]), async |stands| {
        let _dialers = dialers(&stands);
        let there = Bot::start(stands[1].sockets.path(), "shop");
        let (at_north, at_south) = (stands[0].visitor().await, stands[1].visitor().await);
        tokio::time::sleep(Duration::from_millis(1200)).await;
        for _ in 0..8 {
            for visitor in [&at_north, &at_south] {
                let id = visitor.begin().await;
                assert!(there.has(&id));
                assert_eq!(at_north.get(&path(&id)).await.status, StatusCode::OK);
            }
        }
        let none = at_north.get("/b/none/v1/bot").await;
        assert_eq!(none.status, StatusCode::NOT_FOUND);
        assert!(none.text.contains("no such assistant"), "{}", none.text);
    });
}

#[test]
fn an_appliance_with_the_wrong_certificate_is_left_out() {
    let authority = Authority::new();
    // Of another authority; of this one, for another name; none.
    let wrong = [
        Some(Authority::new().issue("south")),
        Some(authority.issue("east")),
        None,
    ];
    for credential in wrong {
        let stands = two(&authority, [""; 2]);
        match credential {
            Some(pem) => drop(stands[1].granted.file("gate.peer", pem)),
            None => std::fs::remove_file(stands[1].granted.path().join("gate.peer")).unwrap(),
        }
        run(stands, async |stands| {
            let _dialers = dialers(&stands);
            let bots = [0, 1].map(|index: usize| Bot::start(stands[index].sockets.path(), "shop"));
            for index in [0, 1] {
                let visitor = stands[index].visitor().await;
                for _ in 0..8 {
                    let id = visitor.begin().await;
                    assert!(bots[index].has(&id));
                }
            }
        });
    }
}
