//! Visitors who open WebSockets.

use std::time::Duration;

use futures_util::StreamExt as _;
use http::{Method, Request, Version};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper::ext::Protocol;
use hyper_util::rt::TokioIo;
use testkit::Record;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::stand::{self, Stand};

/// Where the bot's WebSocket is.
pub(crate) const SOCKET: &str = "/b/shop/v1/socket";

/// A client's WebSocket over HTTP/1.1.
pub(crate) type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Runs a gate with these settings, and `test` beside it, unconfined, as its visitors.
pub(crate) fn with_gate<F, Fut>(settings: &str, test: F)
where
    F: FnOnce(Stand) -> Fut,
    Fut: Future<Output = ()>,
{
    stand::with_gate(settings, super::bot::bot, test);
}

impl Stand {
    /// The security events of a name, once there are so many.
    pub(crate) async fn reported(&self, name: &str, least: usize) -> Vec<Record> {
        until(least, || self.events(name)).await
    }

    /// What the access log has of WebSockets that have ended, once it has any.
    pub(crate) async fn written(&self) -> Vec<Record> {
        let ended = || {
            let mut records = self.records("access");
            records.retain(|record| record["path"].ends_with("/v1/socket"));
            records
        };
        until(1, ended).await
    }

    /// Opens a WebSocket over HTTP/1.1, as a library does; the bot's first words are left to be read.
    ///
    /// # Errors
    /// With the answer, where it is refused.
    pub(crate) async fn try_open(&self, headers: &[(&str, &str)]) -> Result<Socket, Error> {
        let mut request = Request::builder()
            .uri(format!("wss://localhost{SOCKET}"))
            .header("host", "localhost")
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let stream = self.connect(b"http/1.1", b"").await.unwrap();
        let (socket, response) = client_async(request.body(()).unwrap(), stream).await?;
        assert!(!response.headers().contains_key("sec-websocket-extensions"));
        Ok(socket)
    }

    /// Opens a WebSocket and reads the bot's first words.
    pub(crate) async fn open(&self) -> Socket {
        let mut socket = self.try_open(&[]).await.unwrap();
        assert!(text(&mut socket).await.starts_with("GET /v1/socket"));
        socket
    }

    /// A connection that speaks HTTP/2, on which the gate's settings are known.
    pub(crate) async fn settled_http2(&self) -> http2::SendRequest<Full<Bytes>> {
        let mut send = self.http2().await;
        let request = Request::get("https://localhost/healthz").version(Version::HTTP_2);
        send.send_request(request.body(Full::default()).unwrap())
            .await
            .unwrap();
        send
    }
}

/// What there is, once there is enough.
async fn until(least: usize, look: impl Fn() -> Vec<Record>) -> Vec<Record> {
    loop {
        let found = look();
        if found.len() >= least {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The request for a WebSocket over HTTP/2 (RFC 8441).
pub(crate) fn extended_connect(path: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(Method::CONNECT)
        .uri(format!("https://localhost{path}"))
        .version(Version::HTTP_2)
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-extensions", "permessage-deflate")
        .header("casemate-conversation", "0123456789abcdef0123456789abcdef")
        .body(Full::default())
        .unwrap()
}

/// The client's side of a WebSocket over HTTP/2, once it was answered.
pub(crate) async fn over_http2<B>(
    mut response: http::Response<B>,
) -> WebSocketStream<impl AsyncRead + AsyncWrite + Unpin> {
    let upgraded = hyper::upgrade::on(&mut response).await.unwrap();
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await
}

/// The next message, which must be text.
pub(crate) async fn text<S>(socket: &mut WebSocketStream<S>) -> String
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    socket
        .next()
        .await
        .unwrap()
        .unwrap()
        .into_text()
        .unwrap()
        .to_string()
}

/// The code and reason that it is closed with, whatever is said before.
pub(crate) async fn closed<S>(socket: &mut WebSocketStream<S>) -> (u16, String)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        if let Message::Close(frame) = socket.next().await.unwrap().unwrap() {
            let frame = frame.unwrap();
            // The gate ends the connection once it was answered.
            assert!(socket.next().await.is_none());
            return (frame.code.into(), frame.reason.to_string());
        }
    }
}
