//! Requests on their way to a bot, and its answers on theirs back.

use std::future::Future;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::stand::{self, Stand};
use crate::visitor::text;

/// The bot: says what reached it.
async fn bot(_peer: ipc::Peer, request: ipc::Request) -> ipc::Response {
    let (parts, body) = request.into_parts();
    let header = |name: &str| {
        let value = parts.headers.get(name);
        value
            .map_or("none", |value| value.to_str().unwrap())
            .to_owned()
    };
    let head = format!(
        "{} {} forwarded={} hop={}",
        parts.method,
        parts.uri,
        header("forwarded"),
        header("x-hop")
    );
    match body.collect().await {
        Ok(body) => Response::new(ipc::full(format!("{head} bytes={}", body.to_bytes().len()))),
        Err(_) => ipc::problem(StatusCode::BAD_REQUEST, "broken off"),
    }
}

/// Runs a gate with that bot behind it, and `test` beside it, unconfined, as a visitor.
fn with_gate<F, Fut>(test: F)
where
    F: FnOnce(Stand) -> Fut,
    Fut: Future<Output = ()>,
{
    stand::with_gate("", bot, test);
}

fn ask(method: &str, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(format!("https://localhost{path}"))
        .header("host", "localhost")
        .header("forwarded", "for=192.0.2.1")
        .header("connection", "x-hop")
        .header("x-hop", "secret")
        .body(Full::new(body.into()))
        .unwrap()
}

#[test]
fn a_request_reaches_its_bot_over_http1_in_the_gates_words() {
    with_gate(async |stand| {
        let mut send = stand.http1(b"").await.unwrap();
        let response = send
            .send_request(ask("POST", "/b/shop/v1/x?q=1", "hello"))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["x-request-id"].len(), 16);
        let said = text(response).await;
        assert_eq!(
            said,
            "POST /v1/x?q=1 forwarded=for=127.0.0.1;proto=https hop=none bytes=5"
        );
        for (method, path, status) in [
            ("GET", "/healthz", StatusCode::OK),
            ("GET", "/b/shop", StatusCode::PERMANENT_REDIRECT),
            ("GET", "/b/none/", StatusCode::NOT_FOUND),
            ("GET", "/b/shop/../none", StatusCode::NOT_FOUND),
            ("GET", "/", StatusCode::NOT_FOUND),
            ("TRACE", "/b/shop/", StatusCode::METHOD_NOT_ALLOWED),
            ("DELETE", "/b/shop/v1/conversations/a1", StatusCode::OK),
            (
                "DELETE",
                "/b/shop/v1/conversations",
                StatusCode::METHOD_NOT_ALLOWED,
            ),
            (
                "DELETE",
                "/b/shop/v1/conversations/",
                StatusCode::METHOD_NOT_ALLOWED,
            ),
            (
                "DELETE",
                "/b/shop/v1/conversations/a1/messages",
                StatusCode::METHOD_NOT_ALLOWED,
            ),
            (
                "DELETE",
                "/b/shop/v1/documents/a",
                StatusCode::METHOD_NOT_ALLOWED,
            ),
        ] {
            let response = send.send_request(ask(method, path, "")).await.unwrap();
            assert_eq!(response.status(), status, "{method} {path}");
            text(response).await;
        }
    });
}

#[test]
fn http2_is_served_and_a_body_too_long_is_refused() {
    with_gate(async |stand| {
        let mut send = stand.http2().await;
        let request = |path: &str, body: Vec<u8>| {
            let mut request = ask("POST", path, body);
            request.headers_mut().remove("connection");
            request
        };
        let response = send
            .send_request(request("/b/shop/v1/x", vec![b'a'; 65_536]))
            .await
            .unwrap();
        assert!(text(response).await.ends_with("bytes=65536"));
        let long = request("/b/shop/v1/x", vec![b'a'; 65_537]);
        let response = send.send_request(long).await.unwrap();
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert!(text(response).await.contains("nothing of it was kept"));
    });
}

#[test]
fn older_tls_and_plain_http_get_no_answer() {
    with_gate(async |stand| {
        let old = stand
            .connect_by(&[&rustls::version::TLS12], b"http/1.1", b"")
            .await;
        assert!(old.is_err());
        let stream = TcpStream::connect(stand.address).await.unwrap();
        let io = TokioIo::new(stream);
        let (mut send, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        let request = Request::builder()
            .uri("/healthz")
            .header("host", "localhost");
        let plain = send
            .send_request(request.body(Full::<Bytes>::default()).unwrap())
            .await;
        assert!(plain.is_err());
    });
}
