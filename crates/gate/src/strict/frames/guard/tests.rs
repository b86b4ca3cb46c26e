mod visit;

use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use proptest::prelude::*;

use super::super::client::frame;
use super::super::head::RST_STREAM;
use super::super::model;
use super::super::tests::{PREFACE, wrong};
use super::*;
use visit::{BUFFER_BYTES, GET, Heard, POST, Visit, hear, runtime, served};

#[test]
fn each_fault_ends_the_connection_with_its_code() {
    for (frames, fault) in wrong() {
        let bytes = [PREFACE, &frames.concat()].concat();
        for size in [1, 7, bytes.len()] {
            let heard =
                runtime().block_on(async { hear(served(true, BUFFER_BYTES), &bytes, size).await });
            let last = heard.last().unwrap();
            assert_eq!(
                (last.kind, last.code()),
                (GOAWAY, fault.code()),
                "{fault:?}: {frames:x?}"
            );
            let ends = heard.iter().filter(|it| it.kind == GOAWAY);
            assert_eq!(ends.count(), 1, "{fault:?}");
        }
    }
}

#[test]
fn the_code_is_right_however_little_is_written_at_once() {
    for room in 1..40 {
        let frames = [
            frame(1, 5, 1, GET),
            frame(6, 0, 0, &[7; 8]),
            frame(6, 0, 0, &[7; 7]),
        ];
        let bytes = [PREFACE, &frames.concat()].concat();
        let heard =
            runtime().block_on(async { hear(served(true, room), &bytes, bytes.len()).await });
        let last = heard.last().unwrap();
        assert_eq!(
            (last.kind, last.code()),
            (GOAWAY, h2::Reason::FRAME_SIZE_ERROR),
            "{room}"
        );
        assert!(
            heard.iter().any(|it| it.kind == 6 && it.flags == 1),
            "{room}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_pseudo_header_in_trailers_resets_the_stream_and_the_next_is_served() {
    let mut visit = Visit::begin().await;
    visit
        .send(&[
            &frame(1, 4, 1, POST),
            &frame(0, 0, 1, b"test"),
            &frame(1, 5, 1, &[0x83]),
        ])
        .await;
    let heard = visit.hear(|it| it.kind == 3).await;
    let reset = heard.last().unwrap();
    assert_eq!(
        (reset.stream, reset.code()),
        (1, h2::Reason::PROTOCOL_ERROR)
    );
    visit
        .send(&[
            &frame(1, 4, 3, POST),
            &frame(0, 0, 3, b"test"),
            &frame(1, 5, 3, b"\0\x01a\0"),
        ])
        .await;
    let is_end = |it: &Heard| it.kind == 0 && it.flags & 1 == 1;
    assert!(
        visit
            .hear(is_end)
            .await
            .iter()
            .any(|it| it.kind == 0 && it.payload == b"4")
    );
    assert!(visit.is_alive().await);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_is_answered_what_it_asks_until_then() {
    let away = frame(7, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 0xff]);
    let mut visit = Visit::begin().await;
    assert!(visit.is_alive().await);
    visit.send(&[&away]).await;
    let begun = tokio::time::Instant::now();
    tokio::time::sleep(AWAY_TIME / 2).await;
    assert!(visit.is_alive().await);
    let heard = visit.hear(|_| false).await;
    assert_eq!(heard.last().unwrap().code(), h2::Reason::NO_ERROR);
    assert_eq!(begun.elapsed(), AWAY_TIME);
    // What is under way ends first, and h2 hears of it between two frames alone.
    let mut visit = Visit::begin().await;
    let slow = [&POST[..2], b"\x04\x05/slow", &POST[3..]].concat();
    let data = frame(0, 1, 1, b"test");
    visit
        .send(&[&frame(1, 4, 1, &slow), &away, &data[..11]])
        .await;
    tokio::time::sleep(2 * AWAY_TIME).await;
    visit.send(&[&data[11..]]).await;
    let heard = visit.hear(|_| false).await;
    assert!(heard.iter().any(|it| it.kind == 0 && it.payload == b"4"));
    assert_eq!(heard.last().unwrap().code(), h2::Reason::NO_ERROR);
}

#[tokio::test(start_paused = true)]
async fn what_crosses_with_a_reset_is_taken() {
    let mut visit = Visit::begin().await;
    // h2 resets the stream of a request that announces less than comes.
    let short = [POST, b"\x0f\x0d\x011"].concat();
    visit
        .send(&[&frame(1, 4, 1, &short), &frame(0, 0, 1, b"test")])
        .await;
    let heard = visit.hear(|it| it.kind == 3).await;
    assert_eq!(heard.last().unwrap().stream, 1);
    for late in [
        frame(0, 0, 1, b"test"),
        frame(8, 0, 1, &[0, 0, 0, 1]),
        frame(2, 0, 1, &[0, 0, 0, 0, 0]),
        frame(1, 5, 1, b"\0\x01a\0"),
        frame(8, 0, 1, &[0, 0, 0, 1]),
        frame(3, 0, 1, &[0, 0, 0, 8]),
        frame(3, 0, 1, &[0, 0, 0, 8]),
    ] {
        visit.send(&[&late]).await;
        assert!(visit.is_alive().await, "{late:x?}");
    }
}

#[tokio::test]
async fn a_client_of_many_streams_that_it_leaves_meets_no_error() {
    let (send, connection): (SendRequest<Full<Bytes>>, _) = handshake(
        TokioExecutor::new(),
        TokioIo::new(served(true, BUFFER_BYTES)),
    )
    .await
    .unwrap();
    let connection = tokio::spawn(connection);
    let ask = |path: &str| {
        Request::post(format!("https://a{path}"))
            .body(Full::from(vec![b'x'; 40_000]))
            .unwrap()
    };
    let mut left = Vec::new();
    for at in 0..300 {
        let mut send = send.clone();
        let path = if at % 3 == 0 { "/" } else { "/slow" };
        let asked = tokio::spawn(async move { send.send_request(ask(path)).await });
        if at % 3 == 0 {
            let body = asked.await.unwrap().unwrap().into_body();
            assert_eq!(body.collect().await.unwrap().to_bytes(), "40000");
        } else {
            left.push(asked);
        }
        if at % 7 == 0 {
            left.drain(..).for_each(|asked| asked.abort());
        }
    }
    left.drain(..).for_each(|asked| asked.abort());
    drop(send);
    connection.await.unwrap().unwrap();
}

/// What a client sends, of any kind but with sizes that mostly fit.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let one = (
        0..11_u8,
        any::<u8>(),
        0..8_u32,
        prop::collection::vec(any::<u8>(), 0..12),
    );
    let one = one.prop_map(|(kind, flags, stream, mut payload)| {
        let fits = [
            None,
            None,
            Some(5),
            Some(4),
            Some(6),
            None,
            Some(8),
            Some(8),
            Some(4),
        ];
        if let Some(Some(fits)) = fits.get(usize::from(kind)) {
            payload.resize(*fits, 1);
        }
        match kind {
            1 | 9 => frame(
                kind,
                flags & 0x25,
                stream | 1,
                if flags & 0x20 == 0 { POST } else { &payload },
            ),
            4 | 6 | 7 => frame(kind, flags & 2, 0, &payload),
            _ => frame(kind, flags & 1, stream, &payload),
        }
    });
    prop::collection::vec(one, 0..30).prop_map(|all| all.concat())
}

proptest! {
    #[test]
    fn whatever_is_wrong_h2_ends_the_connection_with_a_code_for_it(sent in frames(), size in 1..99_usize) {
        let bytes = [PREFACE, &sent].concat();
        let read = model::read([&bytes[..]]);
        let heard = runtime().block_on(async { hear(served(true, BUFFER_BYTES), &bytes, size).await });
        if let Some(fault) = read.fault {
            let last = heard.iter().rfind(|it| it.kind == GOAWAY).unwrap();
            // h2 may have found something else before.
            let others = [h2::Reason::FLOW_CONTROL_ERROR, h2::Reason::ENHANCE_YOUR_CALM];
            prop_assert!(last.code() == fault.code() || others.contains(&last.code()), "{:?} {:?}", fault, last);
        }
    }

    #[test]
    fn h2_does_not_serve_what_is_said_to_be_undecodable(
        block in prop::collection::vec(prop_oneof![any::<u8>(), 0..4_u8, 0x40..0x44_u8, 0x80..0xc0_u8], 0..20),
        cut in 0..20_usize,
    ) {
        let (first, second) = block.split_at(cut.min(block.len()));
        // A new size of the table behind a field is wrong (RFC 7541, section 4.2), and h2 takes it where a frame begins.
        let is_size = second.first().is_some_and(|first| (0x20..0x40).contains(first));
        let headers = [frame(1, 1, 1, first), frame(9, 4, 1, second)].concat();
        let bytes = [PREFACE, &headers].concat();
        if !is_size && model::read([&bytes[..]]).fault.is_some() {
            let heard = runtime().block_on(async { hear(served(false, BUFFER_BYTES), &bytes, bytes.len()).await });
            let last = heard.last().unwrap();
            // It ends the stream where it stops to decode for something else before.
            prop_assert!([GOAWAY, RST_STREAM].contains(&last.kind), "{:?}", last);
            prop_assert_eq!(last.code(), h2::Reason::PROTOCOL_ERROR);
        }
    }
}
