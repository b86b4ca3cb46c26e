//! What a client may do on WebSockets.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::StatusCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::visit::{closed, text, with_gate};

#[test]
fn a_client_has_so_many_open_at_once_and_again_when_one_is_closed() {
    with_gate("[limits]\nsockets = 2", async |stand| {
        let (mut first, _second) = (stand.open().await, stand.open().await);
        let Err(Error::Http(response)) = stand.try_open(&[]).await else {
            unreachable!("it was not refused")
        };
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()["retry-after"], "5");
        let [event] = stand
            .reported("connection-limit", 1)
            .await
            .try_into()
            .unwrap();
        assert_eq!(
            (event["limit"].as_str(), event["most"].as_str()),
            ("sockets", "2")
        );
        first.close(None).await.unwrap();
        while let Some(Ok(_)) = first.next().await {}
        // The one that was refused is among them.
        while stand.written().await.len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stand.open().await;
    });
}

#[test]
fn messages_count_as_the_questions_that_they_are_on_all_sockets_together() {
    with_gate("[limits]\nchat_per_minute = 3", async |stand| {
        let (mut first, mut second) = (stand.open().await, stand.open().await);
        for turn in 0..3 {
            let socket = if turn == 1 { &mut second } else { &mut first };
            socket.send("a".into()).await.unwrap();
            assert_eq!(text(socket).await, "a");
        }
        // A ping is no question.
        second.send(Message::Ping("p".into())).await.unwrap();
        assert!(second.next().await.unwrap().unwrap().is_pong());
        second.send("b".into()).await.unwrap();
        let (code, reason) = closed(&mut second).await;
        assert_eq!(code, 1008);
        assert!(reason.ends_with("wait 20 s"), "{reason}");
        let [event] = stand.reported("rate-limited", 1).await.try_into().unwrap();
        assert_eq!(
            (event["limit"].as_str(), event["bot"].as_str()),
            ("chat", "shop")
        );
        // The other one is open still.
        first.send(Message::Ping("p".into())).await.unwrap();
        assert!(first.next().await.unwrap().unwrap().is_pong());
    });
}

#[test]
fn one_socket_has_limits_of_its_own() {
    let settings = "[limits]\nsocket_messages_per_minute = 2\nsocket_frames_per_minute = 5\nsocket_message_bytes = 1000";
    with_gate(settings, async |stand| {
        let mut socket = stand.open().await;
        for _ in 0..2 {
            socket.send("a".into()).await.unwrap();
            text(&mut socket).await;
        }
        socket.send("a".into()).await.unwrap();
        assert_eq!(closed(&mut socket).await.0, 1008);
        let [event] = stand.reported("rate-limited", 1).await.try_into().unwrap();
        assert_eq!(event["limit"], "socket-messages");

        let mut socket = stand.open().await;
        for _ in 0..6 {
            socket.send(Message::Ping("p".into())).await.unwrap();
        }
        assert_eq!(closed(&mut socket).await.0, 1008);
        let events = stand.reported("rate-limited", 2).await;
        assert_eq!(events[1]["limit"], "socket-frames");

        let mut socket = stand.open().await;
        socket.send("a".repeat(1000).into()).await.unwrap();
        assert_eq!(text(&mut socket).await.len(), 1000);
        socket.send("a".repeat(1001).into()).await.unwrap();
        assert_eq!(closed(&mut socket).await.0, 1009);
        let [event] = stand
            .reported("message-too-large", 1)
            .await
            .try_into()
            .unwrap();
        assert_eq!(event["most_bytes"], "1000");
    });
}

#[test]
fn a_client_that_is_silent_is_asked_and_cut_off() {
    let settings = "[limits]\nsocket_ping_ms = 200\nsocket_pong_ms = 200\nsocket_close_ms = 200";
    with_gate(settings, async |stand| {
        // A library answers by itself while it is read.
        let mut socket = stand.open().await;
        for _ in 0..3 {
            assert!(socket.next().await.unwrap().unwrap().is_ping());
        }
        // Nobody reads any more.
        let [event] = stand.reported("slow-client", 1).await.try_into().unwrap();
        assert_eq!(event["phase"], "a WebSocket's pong");
        while let Some(Ok(said)) = socket.next().await {
            if let Message::Close(frame) = said {
                assert_eq!(u16::from(frame.unwrap().code), 1008);
                return;
            }
        }
        unreachable!("it was not closed");
    });
}
