//! Answers that take long, of many visitors, over few connections to their bot.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;

use crate::stand;

/// Streams, and how many of them each visitor's connection has.
const STREAMS: usize = 300;
const EACH: usize = 60;

/// Descriptors that may come with them: two for each visitor's connection, as he is in this process, and two for each that
/// the streams share.
const DESCRIPTORS: usize = 2 * STREAMS / EACH + 2 * 16 + 10;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// How often one says something, and so notices that its reader has gone.
const EVENT_EVERY: Duration = Duration::from_secs(1);

/// An answer that goes on until its reader leaves; `open` counts them.
fn endless(open: &Arc<AtomicUsize>) -> ipc::Response {
    let (mut sender, body) = ipc::stream(1);
    open.fetch_add(1, Ordering::Relaxed);
    let open = Arc::clone(open);
    tokio::spawn(async move {
        while sender.send("data: 1\n\n").await.is_ok() {
            tokio::time::sleep(EVENT_EVERY).await;
        }
        open.fetch_sub(1, Ordering::Relaxed);
    });
    let response = Response::builder().header("content-type", "text/event-stream");
    response.body(body).unwrap()
}

fn ask(number: usize) -> Request<Full<Bytes>> {
    let request = Request::builder().uri("https://localhost/b/shop/v1/conversations");
    // Whatever is posted may be answered by events, and what asks for them.
    let request = if number.is_multiple_of(2) {
        request.method("POST")
    } else {
        request.header("accept", "application/json, Text/Event-Stream")
    };
    request.body(Full::default()).unwrap()
}

#[test]
fn many_answers_share_few_connections_and_their_bot_notices_who_leaves() {
    let open = Arc::new(AtomicUsize::new(0));
    let of = Arc::clone(&open);
    let bot = move |_, _| {
        let response = endless(&of);
        async { response }
    };
    let settings =
        "[limits]\nexempt = ['127.0.0.0/8']\nbot_per_minute = 10000\nall_per_minute = 10000";
    stand::with_gate(settings, bot, async |stand| {
        let before = descriptors();
        let mut streams = Vec::new();
        for _ in 0..STREAMS / EACH {
            let mut send = stand.http2().await;
            for number in 0..EACH {
                let response = send.send_request(ask(number)).await.unwrap();
                assert_eq!(response.status(), http::StatusCode::OK);
                streams.push(response.into_body());
            }
        }
        for stream in &mut streams {
            stream.frame().await.unwrap().unwrap();
        }
        assert_eq!(open.load(Ordering::Relaxed), STREAMS);
        let more = descriptors() - before;
        assert!(more <= DESCRIPTORS, "{more} descriptors");
        streams.truncate(7);
        while open.load(Ordering::Relaxed) > 7 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // The others go on.
        for stream in &mut streams {
            stream.frame().await.unwrap().unwrap();
        }
    });
}
