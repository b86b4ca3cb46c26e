//! Serves the stand-in over TCP.

use std::convert::Infallible;
use std::io;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, channel::Channel, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::{Mode, replies};

/// The key that it accepts; a request with another one is answered 401. One with none is accepted.
pub const KEY: &str = "standin-key-7f3a91";

/// The pause before each word in [`Mode::Slow`].
const PAUSE: Duration = Duration::from_millis(40);
/// How long [`Mode::Hangs`] holds a request.
const HANG: Duration = Duration::from_secs(3600);
/// How many words [`Mode::Dies`] and [`Mode::Fails`] send first.
const WORDS_BEFORE_FAILURE: usize = 6;
/// Bytes of each piece in [`Mode::Floods`].
const FLOOD_BYTES: usize = 16 * 1024;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The stand-in's state, shared by its connections.
#[derive(Debug, Default)]
pub struct Provider {
    /// The mode for every request, whatever its model.
    forced: Mutex<Option<Mode>>,
    requests: AtomicUsize,
    connections: AtomicUsize,
    last: Mutex<Bytes>,
    keep_last: bool,
}

impl Provider {
    /// One that chooses by the model's name.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that also keeps the last request's body, for tests to look at.
    #[must_use]
    pub fn observed() -> Self {
        Self {
            keep_last: true,
            ..Self::default()
        }
    }

    /// Answers every request in this mode from now on; `None` lets the model's name choose again.
    pub fn force(&self, mode: Option<Mode>) {
        *lock(&self.forced) = mode;
    }

    /// How many requests it got.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// How many connections it accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The body of the last request, if it is [`Provider::observed`].
    #[must_use]
    pub fn last_request(&self) -> Bytes {
        lock(&self.last).clone()
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            return status(StatusCode::BAD_REQUEST, "invalid_request_error");
        };
        if head.uri.path() != "/v1/chat/completions" {
            return status(StatusCode::NOT_FOUND, "not_found");
        }
        if let Some(key) = head.headers.get(header::AUTHORIZATION)
            && key.as_bytes().strip_prefix(b"Bearer ") != Some(KEY.as_bytes())
        {
            return status(StatusCode::UNAUTHORIZED, "invalid_api_key");
        }
        let body = body.to_bytes();
        let forced = *lock(&self.forced);
        let mode = forced.unwrap_or_else(|| Mode::of_request(&body));
        if self.keep_last {
            *lock(&self.last) = body;
        }
        act(mode).await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn act(mode: Mode) -> Response<Body> {
    match mode {
        Mode::Answers => events(full(replies::WHOLE.clone())),
        Mode::Slow => events(spaced()),
        Mode::Hangs => {
            tokio::time::sleep(HANG).await;
            status(StatusCode::GATEWAY_TIMEOUT, "timeout")
        }
        Mode::Dies => events(broken_off(None)),
        Mode::Fails => events(broken_off(Some(Bytes::from_static(replies::FAILURE)))),
        Mode::Lies => events(full(Bytes::from_static(replies::GARBAGE))),
        Mode::Page => typed(
            StatusCode::OK,
            "text/html; charset=utf-8",
            full(Bytes::from_static(replies::PAGE)),
        ),
        Mode::Floods => events(flood()),
        Mode::Refuses => status(StatusCode::UNAUTHORIZED, "invalid_api_key"),
        Mode::Busy => status(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded"),
        Mode::Broken => status(StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        Mode::Redirects => {
            let mut response = status(StatusCode::TEMPORARY_REDIRECT, "moved");
            let elsewhere =
                HeaderValue::from_static("http://elsewhere.invalid/v1/chat/completions");
            response.headers_mut().insert(header::LOCATION, elsewhere);
            response
        }
    }
}

/// Word by word, then the end.
fn spaced() -> Body {
    let (mut sender, body) = Channel::<Bytes, io::Error>::new(1);
    tokio::spawn(async move {
        for piece in replies::WORDS.iter().chain([&*replies::END]) {
            tokio::time::sleep(PAUSE).await;
            if sender.send_data(piece.clone()).await.is_err() {
                return;
            }
        }
    });
    body.boxed_unsync()
}

/// Some words, then either an error as an event or a broken connection.
fn broken_off(last: Option<Bytes>) -> Body {
    let (mut sender, body) = Channel::<Bytes, io::Error>::new(1);
    tokio::spawn(async move {
        for piece in replies::WORDS
            .iter()
            .take(WORDS_BEFORE_FAILURE)
            .chain(&last)
        {
            if sender.send_data(piece.clone()).await.is_err() {
                return;
            }
        }
        // Lets what was sent leave before the connection does.
        tokio::time::sleep(PAUSE).await;
        if last.is_none() {
            sender.abort(io::Error::other("the stand-in was asked to break off"));
        }
    });
    body.boxed_unsync()
}

/// One line for as long as anyone reads it.
fn flood() -> Body {
    let (mut sender, body) = Channel::<Bytes, io::Error>::new(1);
    tokio::spawn(async move {
        let piece = Bytes::from(vec![b'a'; FLOOD_BYTES]);
        let _ = sender.send_data(Bytes::from_static(b"data: ")).await;
        while sender.send_data(piece.clone()).await.is_ok() {}
    });
    body.boxed_unsync()
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn events(body: Body) -> Response<Body> {
    typed(StatusCode::OK, "text/event-stream", body)
}

fn status(status: StatusCode, kind: &str) -> Response<Body> {
    typed(status, "application/json", full(replies::error(kind)))
}

fn typed(status: StatusCode, media_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Serves until the future is dropped.
///
/// # Errors
/// When connections can no longer be accepted.
pub async fn serve(listener: TcpListener, provider: Arc<Provider>) -> io::Result<Infallible> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        provider.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(connection(stream, Arc::clone(&provider)));
    }
}

async fn connection(stream: TcpStream, provider: Arc<Provider>) {
    let service = service_fn(move |request| {
        let provider = Arc::clone(&provider);
        async move { Ok::<_, Infallible>(provider.answer(request).await) }
    });
    // A peer that goes away is what half of the modes are for.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// As the stack that is measured beside this one streams it.
    const SENTENCE_WORDS: usize = 35;

    async fn ask(model: &str, key: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        tokio::spawn(serve(listener, Arc::new(Provider::new())));
        let body = format!("{{\"model\":\"{model}\"}}");
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply).await;
        String::from_utf8_lossy(&reply).into_owned()
    }

    #[tokio::test]
    async fn the_sentence_comes_word_by_word() {
        let reply = ask("answers", KEY).await;
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
        assert_eq!(reply.matches("\"content\"").count(), SENTENCE_WORDS);
        assert!(reply.ends_with("data: [DONE]\n\n"), "{reply}");
    }

    #[tokio::test]
    async fn a_wrong_key_is_refused() {
        assert!(ask("answers", "wrong").await.starts_with("HTTP/1.1 401"));
    }

    #[tokio::test]
    async fn one_that_dies_ends_within_the_sentence() {
        let reply = ask("dies", KEY).await;
        assert!(
            reply.contains("returns desk") || reply.contains("\"desk \""),
            "{reply}"
        );
        assert!(
            !reply.contains("[DONE]") && !reply.ends_with("0\r\n\r\n"),
            "{reply}"
        );
    }
}
