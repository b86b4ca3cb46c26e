//! What a subscriber, such as the journal's, gets of each event.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::IpAddr;
use std::time::Duration;

use event::{Event, Kind, RECORDS_A_SECOND};
use testkit::Records;

/// An event of each kind, with the fields that its record has beside its name.
fn each() -> Vec<(Event<'static>, &'static [(&'static str, &'static str)])> {
    let client = IpAddr::from([192, 0, 2, 7]);
    let (reason, domain) = ("no\nway", "chat.example");
    vec![
        (
            Event::TlsHandshakeFailed { client, reason },
            &[("reason", "no?way")],
        ),
        (
            Event::RequestMalformed { client, reason },
            &[("reason", "no?way")],
        ),
        (Event::HostUnknown { client, host: "a" }, &[("host", "a")]),
        (
            Event::MethodRefused {
                client,
                method: "X",
            },
            &[("method", "X")],
        ),
        (
            Event::RateLimited {
                client,
                limit: "chat",
                bot: Some("shop"),
                retry_s: 3,
            },
            &[("limit", "chat"), ("bot", "shop"), ("retry_s", "3")],
        ),
        (
            Event::ConnectionLimit {
                client,
                limit: "streams",
                most: 64,
            },
            &[("limit", "streams"), ("most", "64")],
        ),
        (
            Event::ProxyUntrusted { client, reason },
            &[("reason", "no?way")],
        ),
        (
            Event::BodyTooLarge {
                client,
                most_bytes: 9,
            },
            &[("most_bytes", "9")],
        ),
        (
            Event::SlowClient {
                client,
                phase: "head",
            },
            &[("phase", "head")],
        ),
        (
            Event::UpgradeRefused { client, reason },
            &[("reason", "no?way")],
        ),
        (
            Event::OriginRefused {
                client,
                origin: "https://evil.example\n",
                bot: "shop",
            },
            &[("origin", "https://evil.example?"), ("bot", "shop")],
        ),
        (
            Event::FrameMalformed { client, reason },
            &[("reason", "no?way")],
        ),
        (
            Event::MessageTooLarge {
                client,
                most_bytes: 65_536,
            },
            &[("most_bytes", "65536")],
        ),
        (
            Event::HoneypotProbed {
                client,
                path: "/.env",
            },
            &[("path", "/.env")],
        ),
        (
            Event::HoneypotLinked {
                client,
                path: "/.env",
            },
            &[("path", "/.env")],
        ),
        (
            Event::TokenForged {
                client,
                bot: "shop",
            },
            &[("bot", "shop")],
        ),
        (
            Event::LoginFailed {
                client,
                service: "sshd",
                user: "root\nAccepted",
            },
            &[("service", "sshd"), ("user", "root?Accepted")],
        ),
        (
            Event::EventForged {
                unit: "casemate-chat@shop.service",
                reason,
            },
            &[("unit", "casemate-chat@shop.service"), ("reason", "no?way")],
        ),
        (
            Event::CertificateExpiring { domain, left_s: -5 },
            &[("domain", "chat.example"), ("left_s", "-5")],
        ),
        (
            Event::CertificateRenewalFailed { domain, reason },
            &[("domain", "chat.example"), ("reason", "no?way")],
        ),
    ]
}

/// One test, because the bounds belong to the process.
#[test]
fn records_have_their_fields_and_floods_are_counted() {
    let records = Records::install();
    let all = each();
    assert_eq!(all.len(), Kind::ALL.len());
    for (event, fields) in &all {
        event::report(event);
        let [record] = records.take().try_into().unwrap();
        assert_eq!(record["target"], "security");
        assert_eq!(record["event"], event.name());
        for (name, value) in *fields {
            assert_eq!(
                record.get(*name).map(String::as_str),
                Some(*value),
                "{record:?}"
            );
        }
        let has_client = !matches!(
            event.kind(),
            Kind::EventForged | Kind::CertificateExpiring | Kind::CertificateRenewalFailed
        );
        assert_eq!(event.client().is_some(), has_client);
        assert_eq!(
            record.get("client").map(String::as_str),
            has_client.then_some("192.0.2.7")
        );
        let known = ["target", "event", "client", "message"];
        assert!(
            record
                .keys()
                .all(|key| known.contains(&key.as_str())
                    || fields.iter().any(|(name, _)| name == key)),
            "{record:?}"
        );
        assert!(!record["message"].contains('\n'));
    }

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for _ in 0..500 {
            event::report(&all[0].0);
        }
        tokio::time::sleep(Duration::from_millis(1300)).await;
    });
    let written = records.take();
    let told: u64 = written
        .iter()
        .filter_map(|record| record.get("left_out"))
        .map(|left| left.parse::<u64>().unwrap())
        .sum();
    let whole = written
        .iter()
        .filter(|record| record.contains_key("client"))
        .count();
    assert_eq!(whole as u64 + told, 500);
    // A second may have ended meanwhile.
    assert!(whole <= 2 * RECORDS_A_SECOND as usize, "{whole}");

    for _ in 0..500 {
        event::report(&all[1].0);
    }
    records.take();
    event::flush();
    let [record] = records.take().try_into().unwrap();
    assert_eq!(
        (record["event"].as_str(), record.contains_key("left_out")),
        ("request-malformed", true)
    );
    event::flush();
    assert!(records.take().is_empty());
}
