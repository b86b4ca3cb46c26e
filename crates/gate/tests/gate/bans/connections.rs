//! Connections end with their client, in whichever state they are.

use std::io::ErrorKind;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use super::{guarded, soon};
use crate::clients::{PROXY, ask, ask1};
use crate::sockets;
use crate::stand::Stand;

/// What a client may have of what was sent before he was banned, in bytes: what his own machine held for him.
const HELD_BYTES: usize = 64 * 1024;

/// Returns once the gate has heard of a ban of this machine.
async fn felt(stand: &Stand) {
    soon(async { while stand.connect(b"http/1.1", b"").await.is_ok() {} }).await;
}

#[test]
fn a_websocket_ends_with_its_client() {
    guarded("", "127.0.0.1/32", async |stand, _decider, _seen| {
        let mut socket = stand.open().await;
        socket.send(Message::text("heard")).await.unwrap();
        assert_eq!(sockets::text(&mut socket).await, "heard");
        let mut http2 = stand.settled_http2().await;
        let request = sockets::extended_connect(sockets::SOCKET);
        let response = http2.send_request(request).await.unwrap();
        let mut over_http2 = sockets::over_http2(response).await;
        sockets::text(&mut over_http2).await;

        let mut send = stand.http1(b"").await.unwrap();
        let request = ask1("GET", "/wp-login.php", &[]);
        let answer = soon(send.send_request(request)).await;
        assert!(answer.is_err(), "{answer:?}");
        // Sent at once: whether it arrives is not known, and no echo of it comes back.
        let _ = socket.send(Message::text("late")).await;
        let _ = over_http2.send(Message::text("late")).await;
        for next in [soon(socket.next()).await, soon(over_http2.next()).await] {
            assert!(!matches!(next, Some(Ok(Message::Text(_)))), "{next:?}");
        }
    });
}

/// Bans a client who has not read what he asked for, and reads it then.
fn read_late(settings: &str, first: &[u8], prefix: &str) {
    guarded(settings, prefix, async |stand, decider, _seen| {
        let socket = TcpSocket::new_v4().unwrap();
        // Small, so that most of it is still the gate's.
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(stand.address).await.unwrap();
        let mut stream = stand.shake(stream, b"http/1.1", first).await.unwrap();
        let request = b"GET /b/shop/flood HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(request).await.unwrap();
        // Until nothing more fits.
        tokio::time::sleep(Duration::from_secs(1)).await;
        decider.ban(prefix.parse().unwrap(), None);
        // Until the connection is reset; others may be refused before.
        let socket = stream.get_ref().0;
        soon(socket.ready(Interest::ERROR)).await.unwrap();
        let (mut got, mut room) = (0, vec![0; 64 * 1024]);
        let ended = loop {
            match soon(stream.read(&mut room)).await {
                Ok(0) => break None,
                Ok(bytes) => got += bytes,
                Err(error) => break Some(error.kind()),
            }
        };
        assert_eq!(ended, Some(ErrorKind::ConnectionReset), "{got}");
        assert!(got < HELD_BYTES, "{got}");
    });
}

#[test]
fn what_was_on_its_way_does_not_arrive() {
    read_late("", b"", "127.0.0.1/32");
}

#[test]
fn what_was_on_its_way_does_not_arrive_behind_a_proxy_either() {
    let settings = "[proxies]\nnetworks = ['127.0.0.0/8']\nproxy_protocol = true";
    read_late(settings, PROXY, "198.51.100.7/32");
}

#[test]
fn a_handshake_ends_too() {
    guarded(
        "handshake_ms = 60000",
        "127.0.0.1/32",
        async |stand, decider, _seen| {
            let mut silent = TcpStream::connect(stand.address).await.unwrap();
            // It is accepted before the one that comes behind it on the same thread; there are few threads.
            for _ in 0..32 {
                stand.connect(b"http/1.1", b"").await.unwrap();
            }
            decider.ban("127.0.0.1/32".parse().unwrap(), None);
            let ended = soon(silent.read(&mut [0])).await;
            assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        },
    );
}

#[test]
fn one_who_is_told_that_there_is_no_room_is_told_nothing_once_he_is_banned() {
    guarded(
        "connections = 1",
        "127.0.0.1/32",
        async |stand, decider, _seen| {
            let mut first = stand.http1(b"").await.unwrap();
            let mut refused = stand.http1(b"").await.unwrap();
            let mut banned = stand.http2().await;
            let told = soon(refused.send_request(ask1("GET", "/healthz", &[])))
                .await
                .unwrap();
            assert_eq!(told.status(), 503);
            decider.ban("127.0.0.1/32".parse().unwrap(), None);
            felt(&stand).await;
            assert!(
                soon(banned.send_request(ask("GET", "/healthz", &[])))
                    .await
                    .is_err()
            );
            assert!(
                soon(first.send_request(ask1("GET", "/healthz", &[])))
                    .await
                    .is_err()
            );
            // That others had taken all places was no fault of his.
            assert!(stand.events("connection-limit").is_empty());
            assert!(
                decider
                    .told()
                    .iter()
                    .all(|told| told.name != "connection-limit")
            );
        },
    );
}
