//! A stand-in for what is behind a proxy: it does as little as a bot could, so that what is measured is the proxy.

use std::convert::Infallible;
use std::fs::{Permissions, set_permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::channel::Channel;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{UnixListener, UnixStream};

/// A small answer, of about the size of what a bot says of itself.
pub const SMALL_PATH: &str = "/small";

/// A large one: [`BULK_BYTES`].
pub const BULK_PATH: &str = "/bulk";

/// A stream of events that says one and then nothing.
pub const IDLE_PATH: &str = "/idle";

/// Bytes of [`BULK_PATH`].
pub const BULK_BYTES: usize = 64 << 20;

/// The event of [`IDLE_PATH`].
pub const IDLE_EVENT: &[u8] = b"event: hello\ndata: {}\n\n";

/// Bytes that are handed over at once.
const PIECE_BYTES: usize = 64 << 10;

/// The bytes of [`SMALL_PATH`].
const SMALL: &[u8] = &[b'a'; 400];

/// Frames that wait for a slow reader.
const FRAMES: usize = 4;

/// The pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(10);

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Serves at `socket`, which everyone who sees it may open, until the process is killed.
///
/// # Errors
/// When the socket cannot be made.
pub async fn serve(socket: &Path) -> io::Result<Infallible> {
    let listener = UnixListener::bind(socket)?;
    set_permissions(socket, Permissions::from_mode(0o666))?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream))),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn connection(stream: UnixStream) {
    let answer = |request| async move { Ok::<_, Infallible>(answer(&request)) };
    // Each proxy has what it can: HTTP/1.1, or HTTP/2 with prior knowledge.
    let http = auto::Builder::new(TokioExecutor::new());
    let served = http.serve_connection(TokioIo::new(stream), service_fn(answer));
    // A caller that breaks off is no matter here: it counts its own failures.
    let _ended = served.await;
}

fn answer(request: &Request<Incoming>) -> Response<Body> {
    let (media_type, body) = match request.uri().path() {
        SMALL_PATH => ("application/json", Full::from(SMALL).boxed_unsync()),
        BULK_PATH => ("application/octet-stream", bulk()),
        IDLE_PATH => ("text/event-stream", idle()),
        _ => {
            let mut response = Response::new(Full::default().boxed_unsync());
            *response.status_mut() = StatusCode::NOT_FOUND;
            return response;
        }
    };
    let mut response = Response::new(body);
    let value = http::HeaderValue::from_static(media_type);
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response
}

fn bulk() -> Body {
    let (mut sender, body) = Channel::new(FRAMES);
    tokio::spawn(async move {
        let piece = Bytes::from(vec![b'b'; PIECE_BYTES]);
        for _ in 0..BULK_BYTES / PIECE_BYTES {
            if sender.send_data(piece.clone()).await.is_err() {
                break;
            }
        }
    });
    body.boxed_unsync()
}

fn idle() -> Body {
    let (mut sender, body) = Channel::new(FRAMES);
    tokio::spawn(async move {
        if sender
            .send_data(Bytes::from_static(IDLE_EVENT))
            .await
            .is_ok()
        {
            // The sender lives as long as its stream does.
            std::future::pending::<()>().await;
        }
    });
    body.boxed_unsync()
}
