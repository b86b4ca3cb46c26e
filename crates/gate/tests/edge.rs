//! The gate between a TLS client and a bot's socket, confined as in service.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use casemate_gate::{Config, Edge};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use sandbox::Plan;
use secret::Credentials;
use testkit::{Folder, confined_with};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

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

/// Runs a gate with a bot `shop` behind it on a confined thread, and `test`
/// beside it, unconfined, as a visitor.
fn with_gate<F, Fut>(test: F)
where
    F: FnOnce(SocketAddr, CertificateDer<'static>) -> Fut,
    Fut: Future<Output = ()>,
{
    let folder = Folder::new();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    folder.file(
        "tls",
        format!("{}{}", made.signing_key.serialize_pem(), made.cert.pem()),
    );
    let certificate = made.cert.der().clone();
    let front = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    front.set_nonblocking(true).unwrap();
    let address = front.local_addr().unwrap();
    let back = std::os::unix::net::UnixListener::bind(folder.path().join("shop.sock")).unwrap();
    back.set_nonblocking(true).unwrap();
    let drain = CancellationToken::new();
    std::thread::scope(|scope| {
        let served = drain.clone();
        let folder = &folder;
        scope.spawn(move || {
            let plan = Plan::new().read(folder.path()).connect(folder.path());
            confined_with(&plan, async move |confined| {
                let credentials = Credentials::in_directory(folder.path());
                let edge = Edge::new(&credentials, folder.path(), Config::default()).unwrap();
                let listeners = vec![TcpListener::from_std(front).unwrap()];
                let back = UnixListener::from_std(back).unwrap();
                let limits = ipc::Limits::default();
                tokio::join!(
                    edge.serve(&confined, listeners, served.clone()),
                    ipc::serve(&confined, back, limits, served.clone(), bot),
                );
            });
        });
        let stop = drain.clone().drop_guard();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(20), test(address, certificate))
                .await
                .unwrap();
        });
        drop(stop);
    });
}

async fn connect(
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    alpn: &[u8],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
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

async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .to_vec(),
    )
    .unwrap()
}

const TLS13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

#[test]
fn a_request_reaches_its_bot_over_http1_in_the_gates_words() {
    with_gate(async |address, certificate| {
        let stream = connect(address, certificate, b"http/1.1", TLS13)
            .await
            .unwrap();
        let io = TokioIo::new(stream);
        let (mut send, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
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
    with_gate(async |address, certificate| {
        let stream = connect(address, certificate, b"h2", TLS13).await.unwrap();
        let io = TokioIo::new(stream);
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
        let (mut send, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
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
    with_gate(async |address, certificate| {
        let old = connect(
            address,
            certificate,
            b"http/1.1",
            &[&rustls::version::TLS12],
        )
        .await;
        assert!(old.is_err());
        let stream = TcpStream::connect(address).await.unwrap();
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
