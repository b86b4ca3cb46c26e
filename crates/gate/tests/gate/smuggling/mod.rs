//! Requests that hide another, as published and as made up, against a gate as it serves.
//!
//! `corpus/FAMILY.REASON.http` holds the bytes of one connection. The reason is the one for which the
//! scanner refuses it (`Reason::name`), or `taken`. Where bytes could be read as one more request, that
//! one asks for `/b/shop/hidden`, which must never reach the bot.
mod gate;
mod http2;

use std::path::Path;
use std::time::Duration;

use casemate_gate::strict::{Reason, Scanner};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use gate::{Visitor, with_gate};

/// How long a connection that stays open is listened to.
const QUIET: Duration = Duration::from_millis(150);

/// What more a client sends that was refused, in bytes: more than fits the sockets' buffers unread.
const MORE_BYTES: usize = 200 * 1024;

struct Case {
    name: String,
    reason: Option<Reason>,
    bytes: Vec<u8>,
}

fn corpus() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gate/smuggling/corpus");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let mut cases: Vec<_> = files
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let (_, expected) = name.rsplit_once('.').unwrap();
            let reason = Reason::ALL
                .iter()
                .copied()
                .find(|reason| reason.name() == expected);
            assert!(
                reason.is_some() || expected == "taken",
                "{name}: no such reason"
            );
            let bytes = std::fs::read(&path).unwrap();
            Case {
                name,
                reason,
                bytes,
            }
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

/// The scanner's verdict, with the bytes shown `step` at a time.
fn verdict(bytes: &[u8], step: usize) -> Option<Reason> {
    let mut scanner = Scanner::new();
    let mut passed = 0;
    for shown in (0..=bytes.len()).step_by(step).chain([bytes.len()]) {
        let scan = scanner.scan(&bytes[passed..shown.max(passed)], &mut ());
        passed += scan.taken;
        if scan.refused.is_some() {
            return scan.refused;
        }
    }
    None
}

#[test]
fn the_scanner_refuses_each_for_its_reason_however_the_bytes_arrive() {
    let cases = corpus();
    assert!(cases.len() > 200, "the corpus is not there");
    for Case {
        name,
        reason,
        bytes,
    } in &cases
    {
        for step in [1, 2, 7, bytes.len()] {
            assert_eq!(verdict(bytes, step), *reason, "{name}, {step} at a time");
        }
    }
}

#[test]
fn the_corpus_has_every_reason_that_http1_can_be_refused_for() {
    let cases = corpus();
    for reason in Reason::ALL {
        let of_http2 = matches!(reason, Reason::HopHeader | Reason::Scheme);
        let there = cases.iter().any(|case| case.reason == Some(*reason));
        assert_eq!(there, !of_http2, "{reason}");
    }
}

/// Sends bytes over a connection of its own, and returns what comes back, and whether the gate ended it.
async fn exchange(visitor: &Visitor, bytes: &[u8]) -> (String, bool) {
    let mut stream = visitor.connect(b"http/1.1").await;
    // The gate may have closed before all was sent.
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
    let mut got = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match tokio::time::timeout(QUIET, stream.read(&mut piece)).await {
            Ok(Ok(0)) => return (String::from_utf8(got).unwrap(), true),
            Ok(Ok(read)) => got.extend_from_slice(&piece[..read]),
            Ok(Err(error)) => panic!("{error} behind {}", got.escape_ascii()),
            Err(_) if got.is_empty() => {}
            Err(_) => return (String::from_utf8(got).unwrap(), false),
        }
    }
}

#[test]
fn the_gate_answers_each_and_closes_and_no_hidden_request_gets_through() {
    with_gate("", async |visitor| {
        for Case {
            name,
            reason,
            bytes,
        } in corpus()
        {
            let (got, ended) = exchange(&visitor, &bytes).await;
            let reached = visitor.reached();
            let hidden = reached
                .iter()
                .any(|request| request.line.contains("hidden"));
            assert!(!hidden, "{name}: {reached:?}");
            assert!(!got.contains("reached GET /hidden"), "{name}: {got}");
            let at = got
                .rfind("HTTP/1.")
                .unwrap_or_else(|| panic!("{name}: no answer"));
            let last = &got[at..];
            let Some(reason) = reason else {
                assert!(last[8..].starts_with(" 200 "), "{name}: {got}");
                assert_eq!(ended, name.starts_with("behind-"), "{name}");
                assert!(
                    reached.iter().all(|request| request.bytes.is_some()),
                    "{name}"
                );
                continue;
            };
            let status = format!("HTTP/1.1 {} ", reason.status().as_u16());
            assert!(last.starts_with(&status), "{name}: {got}");
            assert!(last.contains("connection: close\r\n"), "{name}: {got}");
            assert!(last.contains("application/problem+json"), "{name}: {got}");
            assert!(last.contains(reason.detail()), "{name}: {got}");
            assert!(ended, "{name} leaves the connection open");
        }
    });
}

#[test]
fn answers_to_earlier_requests_come_before_a_refusal() {
    with_gate("", async |visitor| {
        let head = |path: &str| format!("GET /b/shop/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let bytes = [
            head("slow"),
            head("second"),
            "GET / HTTP/1.1\nHost: a\n\n".to_owned(),
        ]
        .concat();
        let (got, ended) = exchange(&visitor, bytes.as_bytes()).await;
        assert!(ended);
        let place = |text: &str| got.find(text).unwrap_or_else(|| panic!("{text}: {got}"));
        assert!(place("reached GET /slow") < place("reached GET /second"));
        assert!(place("reached GET /second") < place("HTTP/1.1 400 "));
        assert_eq!(visitor.reached().len(), 2);
    });
}

#[test]
fn a_client_that_goes_on_sending_hears_why_it_was_refused() {
    with_gate("", async |visitor| {
        let mut bytes = b"GET /b/shop/x HTTP/1.1\r\nHost : localhost\r\n\r\n".to_vec();
        bytes.resize(bytes.len() + MORE_BYTES, b'a');
        let (got, ended) = exchange(&visitor, &bytes).await;
        assert!(
            ended && got.contains("whitespace before a header's colon"),
            "{got}"
        );
    });
}

#[test]
fn a_host_that_is_not_served_is_misdirected_and_a_method_is_refused_with_those_that_are_taken() {
    with_gate("[http]\nhosts = ['shop.example']", async |visitor| {
        let ask = |method: &str, host: &str| {
            format!("{method} /b/shop/x HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes()
        };
        let (got, _) = exchange(&visitor, &ask("GET", "localhost")).await;
        assert!(got.starts_with("HTTP/1.1 421 "), "{got}");
        assert_eq!(visitor.reached(), []);
        let (got, _) = exchange(&visitor, &ask("PUT", "shop.example")).await;
        assert!(got.starts_with("HTTP/1.1 405 "), "{got}");
        assert!(got.contains("allow: GET, HEAD, POST, OPTIONS\r\n"), "{got}");
        assert_eq!(visitor.reached(), []);
        let (got, _) = exchange(&visitor, &ask("GET", "Shop.example:8443")).await;
        assert!(got.starts_with("HTTP/1.1 200 "), "{got}");
    });
}

#[test]
fn a_head_that_does_not_become_whole_is_not_waited_for() {
    with_gate("head_ms = 200", async |visitor| {
        let whole = "GET /b/shop/x HTTP/1.1\r\nHost: localhost\r\n\r\n";
        for bytes in [
            "G",
            &whole[..40],
            &[whole, "GET /b/shop/y HTTP/1.1\r\n"].concat(),
        ] {
            let mut stream = visitor.connect(b"http/1.1").await;
            stream.write_all(bytes.as_bytes()).await.unwrap();
            let mut got = Vec::new();
            let reading = stream.read_to_end(&mut got);
            // Whether TLS is told of the end does not matter here.
            let ended = tokio::time::timeout(10 * QUIET, reading).await;
            assert!(ended.is_ok(), "{bytes:?}");
        }
    });
}
