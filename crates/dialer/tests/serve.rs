//! The dialer, confined as in service, between real sockets: the caller's Unix
//! socket and listeners on loopback that are declared private.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod stand;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use dialer_api::{Client, DialError, Refusal};
use stand::{LISTENERS, Stand, reach};

fn kind(outcome: Result<std::net::TcpStream, DialError>) -> (Refusal, String) {
    match outcome {
        Err(DialError::Refused { kind, detail }) => (kind, detail),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_declared_listener_is_reached_and_the_socket_is_whole() {
    let stand = Stand::new(|ports| vec![reach("llm", "127.0.0.1", &ports[..1], true)]);
    let mut far = stand.served(|client, ports| async move {
        let mut near = client.dial("127.0.0.1", ports[0]).await.unwrap();
        assert_eq!(near.peer_addr().unwrap().port(), ports[0]);
        near.write_all(b"hello").unwrap();
        near
    });
    let (mut accepted, _) = stand.listeners[0].accept().unwrap();
    let mut bytes = [0; 5];
    accepted.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"hello");
    accepted.write_all(b"answer").unwrap();
    drop(accepted);
    let mut answer = String::new();
    far.set_nonblocking(false).unwrap();
    far.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer");
}

#[test]
fn the_dialer_keeps_no_copy_of_what_it_handed_over() {
    let stand = Stand::new(|ports| vec![reach("llm", "127.0.0.1", ports, true)]);
    let listener = &stand.listeners[0];
    stand.served(|client, ports| async move {
        drop(client.dial("127.0.0.1", ports[0]).await.unwrap());
        // Still served, so the dialer lives: the end below comes from closing.
        client.dial("127.0.0.1", ports[1]).await.unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        accepted
            .set_read_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        assert_eq!(accepted.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn what_is_not_declared_is_refused() {
    let stand = Stand::new(|ports| {
        vec![
            reach("llm", "127.0.0.1", &ports[..1], true),
            reach("mailer", "127.0.0.1", &ports[1..2], true),
            reach("llm", "inner.example", &ports[1..2], false),
            reach("llm", "twice.example", &ports[1..2], true),
            reach("llm", "metadata.example", &[80], true),
        ]
    });
    let listeners = &stand.listeners;
    stand.served(|client, ports| async move {
        for (host, port) in [
            ("127.0.0.1", ports[1]),
            ("127.0.0.2", ports[0]),
            ("169.254.169.254", 80),
            ("localhost", ports[0]),
            ("api.example.com", 443),
        ] {
            let (kind, detail) = kind(client.dial(host, port).await);
            assert_eq!(kind, Refusal::Forbidden, "{host}");
            assert!(detail.contains("is not declared for `llm`"), "{detail}");
        }
        let (inner, detail) = kind(client.dial("inner.example", ports[1]).await);
        assert_eq!(inner, Refusal::Forbidden);
        assert!(
            detail.contains("not permitted") && !detail.contains("127.0.0.1"),
            "{detail}"
        );
        let (metadata, _) = kind(client.dial("metadata.example", 80).await);
        assert_eq!(metadata, Refusal::Forbidden);
        let (malformed, detail) = kind(client.dial("https://a.example", 443).await);
        assert_eq!(malformed, Refusal::Malformed);
        assert!(detail.contains("without scheme"), "{detail}");
        let idle = listeners.iter().all(|listener| {
            listener.set_nonblocking(true).unwrap();
            listener.accept().is_err()
        });
        assert!(idle, "something was connected to all the same");
    });
}

#[test]
fn a_name_leads_to_the_address_that_accepts() {
    let stand = Stand::new(|ports| vec![reach("llm", "twice.example", ports, true)]);
    stand.served(|client, ports| async move {
        // The first address of the name has nobody listening.
        let near = client.dial("TWICE.example.", ports[0]).await.unwrap();
        assert_eq!(near.peer_addr().unwrap().ip().to_string(), "127.0.0.1");
    });
}

#[test]
fn nobody_listening_and_no_such_name_are_told_apart_from_forbidden() {
    let stand = Stand::new(|ports| {
        vec![
            reach("llm", "127.0.0.9", &ports[..1], true),
            reach("llm", "absent.example", &[443], false),
        ]
    });
    stand.served(|client, ports| async move {
        let (nobody, detail) = kind(client.dial("127.0.0.9", ports[0]).await);
        assert_eq!(nobody, Refusal::Unreachable);
        assert!(detail.contains("none of 1 addresses accepted"), "{detail}");
        // There is no name server to ask.
        let (absent, detail) = kind(client.dial("absent.example", 443).await);
        assert_eq!(absent, Refusal::Unreachable);
        assert!(detail.contains("could not be resolved"), "{detail}");
    });
}

#[test]
fn callers_that_misbehave_are_turned_away_and_others_served() {
    let stand = Stand::new(|ports| vec![reach("llm", "127.0.0.1", ports, true)]);
    let path = stand.socket();
    stand.served(|client, ports| async move {
        let dial = format!(r#"{{"host":"127.0.0.1","port":{}}}"#, ports[0]);
        let long = format!(r#"{{"host":"{}","port":1}}"#, "a".repeat(2000));
        let switch = "connection: upgrade\r\nupgrade: casemate-descriptor\r\n";
        for (method, target, headers, body, expected) in [
            ("GET", "/v1/dial", "", "", "405"),
            ("POST", "/", "", "", "404"),
            ("POST", "/v1/dial", switch, "not JSON", "400"),
            ("POST", "/v1/dial", switch, "\u{1}", "400"),
            ("POST", "/v1/dial", switch, r#"{"host":"a","port":65536}"#, "400"),
            ("POST", "/v1/dial", switch, long.as_str(), "413"),
            ("POST", "/v1/dial", "", dial.as_str(), "400"),
            ("POST", "/v1/dial", "connection: upgrade\r\nupgrade: websocket\r\n", dial.as_str(), "400"),
        ] {
            let request = format!("{method} {target} HTTP/1.1\r\nhost: d\r\n{headers}content-length: {}\r\n\r\n{body}", body.len());
            let answer = exchange(&path, request.into_bytes()).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{headers}{body}: {answer}");
        }
        // One that leaves at every stage, and one that never takes its socket.
        for bytes in [&b""[..], b"POST", b"POST /v1/dial HTTP/1.1\r\ncontent-length: 9\r\n\r\n{"] {
            UnixStream::connect(&path).unwrap().write_all(bytes).unwrap();
        }
        let whole = format!("POST /v1/dial HTTP/1.1\r\nhost: d\r\n{switch}content-length: {}\r\n\r\n{dial}", dial.len());
        let mut idle = UnixStream::connect(&path).unwrap();
        idle.write_all(whole.as_bytes()).unwrap();
        let mut wrong = UnixStream::connect(&path).unwrap();
        wrong.write_all(format!("{whole}x").as_bytes()).unwrap();
        client.dial("127.0.0.1", ports[0]).await.unwrap();
    });
}

/// Sends bytes and returns what comes back until its end or a pause.
async fn exchange(path: &std::path::Path, request: Vec<u8>) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::UnixStream::connect(path).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer)).await;
    answer.truncate(read.unwrap().unwrap());
    String::from_utf8(answer).unwrap()
}

#[test]
fn many_calls_at_once_are_all_served() {
    const CALLS: usize = 150;
    let stand = Stand::new(|ports| vec![reach("llm", "127.0.0.1", ports, true)]);
    stand.served(|client, ports| async move {
        let mut calls = tokio::task::JoinSet::new();
        for call in 0..CALLS {
            let (client, port): (Client, u16) = (client.clone(), ports[call % LISTENERS]);
            calls.spawn(async move { client.dial("127.0.0.1", port).await });
        }
        let mut sockets = Vec::new();
        while let Some(call) = calls.join_next().await {
            sockets.push(call.unwrap().unwrap());
        }
        assert_eq!(sockets.len(), CALLS);
    });
}
