//! What passes, and how WebSockets end.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::Message;

use super::visit::{SOCKET, closed, extended_connect, over_http2, text, with_gate};

/// Lets long messages pass, and as many as come.
const OPEN: &str = "[limits]\nexempt = ['127.0.0.0/8']\nsocket_message_bytes = 8388608\nsocket_messages_per_minute = 1000000\n\
    socket_frames_per_minute = 1000000";

#[test]
fn long_messages_pass_both_ways_whatever_their_length() {
    with_gate(OPEN, async |stand| {
        let mut socket = stand.open().await;
        for length in [0, 1, 125, 126, 65_535, 65_536, 1 << 20, 8 << 20] {
            let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let (mut sends, mut hears) = socket.split();
            let sent = sends.send(Message::binary(bytes.clone()));
            let (sent, heard) = tokio::join!(sent, hears.next());
            sent.unwrap();
            assert!(heard.unwrap().unwrap().into_data() == bytes, "{length}");
            socket = sends.reunite(hears).unwrap();
        }
        socket.close(None).await.unwrap();
        while let Some(Ok(_)) = socket.next().await {}
        let [record] = stand.written().await.try_into().unwrap();
        assert_eq!(
            (record["status"].as_str(), record["whole"].as_str()),
            ("101", "true")
        );
        let bytes: u64 = record["bytes"].parse().unwrap();
        assert!(bytes > 9 << 20, "{bytes}");
    });
}

#[test]
fn what_a_client_must_not_send_closes_it_and_is_reported() {
    with_gate("", async |stand| {
        let mut socket = stand.open().await;
        // A text that is not masked.
        let stream = socket.get_mut();
        stream.write_all(&[0x81, 1, b'a']).await.unwrap();
        stream.flush().await.unwrap();
        let (code, reason) = closed(&mut socket).await;
        assert_eq!(
            (code, reason.as_str()),
            (1002, "the client's frame is not masked")
        );
        let [event] = stand
            .reported("frame-malformed", 1)
            .await
            .try_into()
            .unwrap();
        assert_eq!(
            (event["client"].as_str(), &event["reason"]),
            ("127.0.0.1", &reason)
        );
    });
}

#[test]
fn a_bot_may_end_it_or_break_off() {
    with_gate("", async |stand| {
        let mut socket = stand.open().await;
        socket.send("bye".into()).await.unwrap();
        assert!(socket.next().await.unwrap().unwrap().is_close());
        assert!(socket.next().await.is_none());
        let mut socket = stand.open().await;
        socket.send("die".into()).await.unwrap();
        assert_eq!(closed(&mut socket).await.0, 1012);
    });
}

#[test]
fn a_gate_that_stops_tells_all_to_come_again_and_is_gone_at_once() {
    with_gate("", async |stand| {
        let mut over_http1 = stand.open().await;
        let mut send = stand.settled_http2().await;
        let response = send.send_request(extended_connect(SOCKET)).await.unwrap();
        let mut over_http2 = over_http2(response).await;
        text(&mut over_http2).await;
        let begun = Instant::now();
        stand.stop.cancel();
        let told = tokio::join!(closed(&mut over_http1), closed(&mut over_http2));
        let restart = (1012, "please connect again".to_owned());
        assert_eq!(told, (restart.clone(), restart));
        let records = stand.written().await;
        assert!(records.iter().all(|record| record["whole"] == "false"));
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
    });
}
