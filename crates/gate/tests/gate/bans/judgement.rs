//! What comes behind a deciding request is seen by nobody until that is judged.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;

use super::{SOON, guarded, soon};
use crate::clients::{ask, ask1};

/// How long a judgement takes that is waited for: less than [`event::JUDGED_MS`].
const LONG: Duration = Duration::from_millis(80);

#[test]
fn nothing_follows_the_deciding_request_on_its_connection() {
    guarded("", "127.0.0.1/32", async |stand, decider, seen| {
        let mut stream = stand.connect(b"http/1.1", b"").await.unwrap();
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(get("/b/shop/0").as_bytes()).await.unwrap();
        // All that follows comes at once.
        let mut all = get("/.env");
        for number in 1..50 {
            all.push_str(&get(&format!("/b/shop/{number}")));
        }
        stream.write_all(all.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        // However it ends.
        let _ = soon(stream.read_to_end(&mut said)).await;
        let said = String::from_utf8_lossy(&said);
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
        assert_eq!(*seen.lock().unwrap(), ["/0"]);
        assert_eq!(decider.told()[0].name, "honeypot-probed");
        // Nor is there a new one.
        assert!(stand.connect(b"http/1.1", b"").await.is_err());
        assert!(stand.connect(b"h2", b"").await.is_err());

        decider.lift("127.0.0.1/32".parse().unwrap());
        let begun = Instant::now();
        while stand.connect(b"http/1.1", b"").await.is_err() {
            assert!(begun.elapsed() < SOON);
        }
    });
}

#[test]
fn streams_of_http2_end_and_none_is_answered_any_more() {
    guarded("", "127.0.0.0/24", async |stand, _decider, seen| {
        let mut send = stand.settled_http2().await;
        let mut open = Vec::new();
        for number in 0..8 {
            let request = ask("GET", &format!("/b/shop/stream{number}"), &[]);
            let mut response = send.send_request(request).await.unwrap();
            assert!(response.body_mut().frame().await.unwrap().is_ok());
            open.push(response);
        }
        let other = stand.http1(b"").await.unwrap();
        let before = seen.lock().unwrap().len();
        let deciding = send.send_request(ask("GET", "/.git/config", &[]));
        let mut after = Vec::new();
        for number in 0..8 {
            let request = ask("GET", &format!("/b/shop/after{number}"), &[]);
            after.push(send.send_request(request));
        }
        let decided = soon(deciding).await;
        assert!(decided.is_err(), "{decided:?}");
        for answer in after {
            assert!(soon(answer).await.is_err());
        }
        for mut response in open {
            let ended = async {
                while let Some(frame) = response.body_mut().frame().await {
                    if frame.is_err() {
                        return;
                    }
                }
                unreachable!("it looks whole");
            };
            soon(ended).await;
        }
        assert!(
            send.send_request(ask("GET", "/healthz", &[]))
                .await
                .is_err()
        );
        // His other connections end too.
        let mut other = other;
        let request = ask1("GET", "/b/shop/other", &[]);
        assert!(soon(other.send_request(request)).await.is_err());
        assert!(stand.connect(b"h2", b"").await.is_err());
        // Nothing of it reached the bot.
        assert_eq!(seen.lock().unwrap()[before..], [""; 0]);
    });
}

#[test]
fn what_comes_behind_it_waits_for_its_judgement() {
    guarded("", "127.0.0.1/32", async |stand, decider, seen| {
        let mut send = stand.settled_http2().await;
        let before = seen.lock().unwrap().len();
        decider.mute(true);
        let all = ["/.env", "/b/shop/v1/1", "/b/shop/v1/2", "/b/shop/v1/3"];
        let asked = all.map(|path| {
            let method = if path == "/.env" { "GET" } else { "POST" };
            send.send_request(ask(method, path, &[]))
        });
        let speak = async {
            tokio::time::sleep(LONG).await;
            decider.mute(false);
        };
        let answers = futures_util::future::join_all(asked);
        let (answers, ()) = tokio::join!(soon(answers), speak);
        assert!(answers.iter().all(Result::is_err), "{answers:?}");
        assert_eq!(seen.lock().unwrap()[before..], [""; 0]);
    });
}

#[test]
fn one_who_is_not_banned_for_it_is_served_when_it_is_judged() {
    guarded("", "192.0.2.1/32", async |stand, decider, seen| {
        let mut send = stand.settled_http2().await;
        let before = seen.lock().unwrap().len();
        decider.mute(true);
        let probe = send.send_request(ask("GET", "/.env", &[]));
        let other = send.send_request(ask("GET", "/b/shop/x", &[]));
        let begun = Instant::now();
        let speak = async {
            tokio::time::sleep(LONG).await;
            assert_eq!(seen.lock().unwrap()[before..], [""; 0]);
            decider.mute(false);
        };
        let (probe, other, ()) = tokio::join!(soon(probe), soon(other), speak);
        assert!(begun.elapsed() >= LONG);
        assert_eq!(
            (probe.unwrap().status(), other.unwrap().status()),
            (404.try_into().unwrap(), 200.try_into().unwrap())
        );
        assert_eq!(seen.lock().unwrap()[before..], ["/x"]);
    });
}

/// Sends a message behind a probe, which bans `prefix`, and reads what comes back when the probe is judged.
fn message(prefix: &str, expected: Option<&str>) {
    guarded("", prefix, async |stand, decider, _seen| {
        let mut socket = stand.open().await;
        let mut send = stand.http1(b"").await.unwrap();
        decider.mute(true);
        let probe = tokio::spawn(send.send_request(ask1("GET", "/.env", &[])));
        while stand.events("honeypot-probed").is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        socket.send(Message::text("late")).await.unwrap();
        let early = tokio::time::timeout(LONG, socket.next()).await;
        assert!(early.is_err(), "it was relayed: {early:?}");
        decider.mute(false);
        let said = match soon(socket.next()).await {
            Some(Ok(Message::Text(text))) => Some(text.to_string()),
            _ended => None,
        };
        assert_eq!(said.as_deref(), expected);
        assert_eq!(soon(probe).await.unwrap().is_err(), expected.is_none());
    });
}

#[test]
fn a_message_behind_it_is_not_heard() {
    message("127.0.0.1/32", None);
}

#[test]
fn a_message_of_one_who_is_not_banned_for_it_is_heard_when_it_is_judged() {
    message("192.0.2.1/32", Some("late"));
}
