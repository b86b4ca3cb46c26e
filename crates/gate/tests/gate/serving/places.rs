//! More visitors than there is room for, and one gate that takes the place of another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::stage::Stage;
use crate::visitor::{Gate, get, http1, http2, text};

/// How many connections are told that there is no room, at once.
const RESERVE: usize = 64;

#[test]
fn one_too_many_is_told_to_come_again_and_served_when_there_is_room() {
    let mut stage = Stage::new();
    stage.settings = "connections = 2\n".to_owned();
    stage.run(async |gate| {
        let mut one = http1(gate.shake("localhost", "http/1.1").await.unwrap()).await;
        let two = http2(gate.shake("localhost", "h2").await.unwrap()).await;
        let begun = Instant::now();
        for protocol in ["http/1.1", "h2"] {
            let stream = gate.shake("localhost", protocol).await.unwrap();
            let answer = if protocol == "h2" {
                http2(stream).await.send_request(get("/healthz")).await
            } else {
                let mut send = http1(stream).await;
                let answer = send.send_request(get("/healthz")).await;
                assert!(send.ready().await.is_err(), "it can ask again");
                answer
            };
            let answer = answer.unwrap();
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.headers()["retry-after"], "5");
            assert!(text(answer).await.contains("too many visitors"));
        }
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "it waited for room"
        );
        // Those that have a place notice nothing.
        let answer = one.send_request(get("/healthz")).await.unwrap();
        assert_eq!(text(answer).await, "ok\n");
        drop(two);
        let mut status = StatusCode::SERVICE_UNAVAILABLE;
        while status != StatusCode::OK {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "there is no room again"
            );
            let mut send = http1(gate.shake("localhost", "http/1.1").await.unwrap()).await;
            status = send.send_request(get("/healthz")).await.unwrap().status();
        }
    });
}

#[test]
fn when_even_they_are_too_many_they_are_closed_at_once() {
    let mut stage = Stage::new();
    stage.settings = "connections = 1\n".to_owned();
    stage.run(async |gate| {
        let mut held = Vec::new();
        for _ in 0..RESERVE + 2 {
            held.push(TcpStream::connect(gate.address).await.unwrap());
        }
        let begun = Instant::now();
        // Several threads accept, so it need not be the last.
        let mut closed: FuturesUnordered<_> = held
            .iter_mut()
            .map(async |stream| stream.read(&mut [0]).await)
            .collect();
        assert!(matches!(closed.next().await, Some(Ok(0) | Err(_))));
        assert!(begun.elapsed() < Duration::from_secs(1), "it waited");
        drop(closed);
        // Whoever says nothing keeps others from being told for 2 seconds and no longer.
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let mut send = http1(gate.shake("localhost", "http/1.1").await.unwrap()).await;
        let answer = send.send_request(get("/healthz")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    });
}

/// What became of requests.
#[derive(Debug, Default)]
struct Tally {
    answered: AtomicUsize,
    connections: AtomicUsize,
    over: AtomicBool,
}

/// Asks and asks again until it is over, on new connections where one was closed. A request
/// that was certainly not taken is asked again: one that was not sent, as the visitor was told
/// to come again (RFC 9112, section 9.6), or one on a connection that is going away (RFC 9113,
/// section 6.8). Any other that is not answered well has failed.
async fn visitor(gate: Gate, protocol: &'static str, tally: Arc<Tally>) {
    while !tally.over.load(Ordering::Relaxed) {
        let stream = gate.shake("localhost", protocol).await.unwrap();
        tally.connections.fetch_add(1, Ordering::Relaxed);
        let mut answered = false;
        if protocol == "h2" {
            let mut send = http2(stream).await;
            while !tally.over.load(Ordering::Relaxed) && send.ready().await.is_ok() {
                match send.send_request(get("/b/shop/v1/x")).await {
                    Ok(answer) => assert_eq!(text(answer).await, "GET /v1/x"),
                    Err(error) => {
                        assert!(answered && error.is_canceled(), "{error:?}");
                        break;
                    }
                }
                answered = true;
                tally.answered.fetch_add(1, Ordering::Relaxed);
            }
        } else {
            let mut send = http1(stream).await;
            while !tally.over.load(Ordering::Relaxed) && send.ready().await.is_ok() {
                match send.send_request(get("/b/shop/v1/x")).await {
                    Ok(answer) => assert_eq!(text(answer).await, "GET /v1/x"),
                    Err(error) => {
                        assert!(answered && error.is_canceled(), "{error:?}");
                        break;
                    }
                }
                answered = true;
                tally.answered.fetch_add(1, Ordering::Relaxed);
            }
        }
        assert!(
            answered || tally.over.load(Ordering::Relaxed),
            "a connection was closed before it was answered on"
        );
    }
}

#[test]
fn a_gate_that_takes_the_place_of_another_under_load_fails_no_request() {
    const RESTARTS: usize = 4;
    let stage = Stage::new();
    stage.run(async |gate| {
        let tally = Arc::new(Tally::default());
        let mut visitors = JoinSet::new();
        for number in 0..8 {
            let protocol = if number % 2 == 0 { "h2" } else { "http/1.1" };
            visitors.spawn(visitor(gate.clone(), protocol, Arc::clone(&tally)));
        }
        let progress = async |more: usize| {
            let until = tally.answered.load(Ordering::Relaxed) + more;
            while tally.answered.load(Ordering::Relaxed) < until {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        for _ in 0..RESTARTS {
            progress(100).await;
            gate.restart().await;
        }
        progress(100).await;
        tally.over.store(true, Ordering::Relaxed);
        while let Some(visited) = visitors.join_next().await {
            visited.unwrap();
        }
        // Each visitor had to connect to each gate.
        assert!(
            tally.connections.load(Ordering::Relaxed) > 8 * RESTARTS,
            "{tally:?}"
        );
    });
}

#[test]
fn who_keeps_a_connection_is_told_to_come_again_and_not_cut_off() {
    let stage = Stage::new();
    stage.run(async |gate| {
        let mut kept = http1(gate.shake("localhost", "http/1.1").await.unwrap()).await;
        let answer = kept.send_request(get("/healthz")).await.unwrap();
        assert!(!answer.headers().contains_key("connection"));
        text(answer).await;
        let ask_late = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            kept.ready().await.unwrap();
            kept.send_request(get("/healthz")).await.unwrap()
        };
        let begun = Instant::now();
        let (answer, ()) = tokio::join!(ask_late, gate.restart());
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["connection"], "close");
        // It was the answer that ended it, and not the time.
        assert!(begun.elapsed() < Duration::from_millis(900));
    });
}

#[test]
fn a_stream_of_events_ends_in_order_before_the_gate_does() {
    let stage = Stage::new();
    stage.run(async |gate| {
        let mut streams = Vec::new();
        let mut two = http2(gate.shake("localhost", "h2").await.unwrap()).await;
        streams.push(two.send_request(get("/b/shop/v1/events")).await.unwrap());
        let mut one = http1(gate.shake("localhost", "http/1.1").await.unwrap()).await;
        streams.push(one.send_request(get("/b/shop/v1/events")).await.unwrap());
        // Opened for later, as browsers do; it does not hold up the restart.
        let _idle = gate.shake("localhost", "http/1.1").await.unwrap();
        let begun = Instant::now();
        let read = async |answer: http::Response<hyper::body::Incoming>| {
            let whole = answer.into_body().collect().await.unwrap().to_bytes();
            (begun.elapsed(), whole)
        };
        let (one, two) = (streams.pop().unwrap(), streams.pop().unwrap());
        let ((), one, two) = tokio::join!(gate.restart(), read(one), read(two));
        for (time, events) in [one, two] {
            // They went on while there was time.
            assert!(
                Duration::from_secs(4) < time && time < Duration::from_secs(8),
                "{time:?}"
            );
            assert!(events.ends_with(b"\n\n") && events.len() > 1000);
        }
        assert!(begun.elapsed() < Duration::from_secs(9));
        // The next one serves.
        let mut send = http1(gate.shake("localhost", "http/1.1").await.unwrap()).await;
        assert_eq!(
            send.send_request(get("/healthz")).await.unwrap().status(),
            StatusCode::OK
        );
    });
}
