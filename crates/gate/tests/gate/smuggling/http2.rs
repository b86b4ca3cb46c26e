//! What an HTTP/2 client could have the gate pass on to a service over HTTP/1.1 (H2.CL, H2.TE, CR LF in values).

use std::error::Error as _;

use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::gate::{Reached, Visitor, with_gate};

async fn connect(visitor: &Visitor) -> SendRequest<Full<Bytes>> {
    let stream = visitor.connect(b"h2").await;
    let io = TokioIo::new(stream);
    let (send, connection) = handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    send
}

fn ask(headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::post("https://localhost/b/shop/v1/x");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::from("abcde")).unwrap()
}

#[test]
fn a_request_that_could_be_misread_is_refused_and_the_next_stream_is_served() {
    with_gate("", async |visitor| {
        let mut send = connect(&visitor).await;
        // What is malformed ends its stream (RFC 9113, section 8.1.1).
        for headers in [
            &[("host", "other")][..],
            &[("host", "localhost"), ("host", "localhost")],
            &[("content-length", "5"), ("content-length", "5")],
        ] {
            let error = send.send_request(ask(headers)).await.unwrap_err();
            let reason = error
                .source()
                .and_then(|source| source.downcast_ref::<h2::Error>())
                .and_then(h2::Error::reason);
            assert_eq!(reason, Some(h2::Reason::PROTOCOL_ERROR), "{headers:?}");
            assert_eq!(visitor.reached(), [], "{headers:?}");
        }
        // What is not, and could be misread all the same, is answered.
        for headers in [
            &[("transfer_encoding", "chunked")][..],
            &[("content_length", "0")],
            &[("expect", "x")],
        ] {
            let answer = send.send_request(ask(headers)).await.unwrap();
            assert!(answer.status().is_client_error(), "{headers:?}");
            let text = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(!text.starts_with(b"reached"), "{headers:?}");
            assert_eq!(visitor.reached(), [], "{headers:?}");
        }
        let answer = send
            .send_request(ask(&[("host", "localhost")]))
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let line = "POST /v1/x".to_owned();
        let bytes = Some(5);
        assert_eq!(visitor.reached(), [Reached { line, bytes }]);
    });
}

#[test]
fn what_reaches_the_bot_as_whole_has_the_length_that_was_announced() {
    with_gate("", async |visitor| {
        for length in ["0", "4", "6", "52"] {
            let mut send = connect(&visitor).await;
            let answer = send.send_request(ask(&[("content-length", length)])).await;
            // A length of 0 may be answered before the data comes that breaks it.
            let served = answer.is_ok_and(|answer| answer.status() == StatusCode::OK);
            assert!(!served || length == "0", "content-length {length}");
            for request in visitor.reached() {
                let whole = request.bytes.map(|bytes| bytes.to_string());
                assert!(
                    whole.is_none_or(|bytes| bytes == length),
                    "content-length {length}"
                );
            }
        }
    });
}
