//! What is spoken on a connection, from its first bytes to its end.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use crate::protocol::{self, Protocol};
use crate::serve::Limits;
use crate::streams::{CONNECTION_WINDOW, STREAM_WINDOW, STREAMS_PER_CONNECTION};
use crate::{BoxError, Request, Response};

/// The smallest head buffer that hyper takes, in bytes.
const HEAD_BYTES_FLOOR: usize = 8 * 1024;

/// How much longer a head is by HTTP/2's count, which adds 32 bytes to each field (RFC 9113, section 10.5.1), at most.
const FIELD_TIMES: usize = 2;

/// Streams that a caller may have given up before the service came to them, on one connection. It is many: callers are
/// services, and it is visitors' going away at once that makes them do so, not their ill will.
const RESETS: usize = 16 * 1024;

/// How long a caller that has just connected may take to ask after the service was told to stop.
const LAST_CALL: Duration = Duration::from_millis(200);

/// What is spoken. A type for each, and not a value: a program then has no code for what it never speaks.
pub(crate) trait Speak: 'static {
    /// Serves one connection to its end, which begins with `drain`.
    fn serve<S, F>(
        stream: UnixStream,
        service: S,
        limits: Limits,
        drain: CancellationToken,
    ) -> impl Future<Output = Result<(), BoxError>> + Send
    where
        S: Service<Request, Response = Response, Error = Infallible, Future = F> + Send,
        F: Future<Output = Result<Response, Infallible>> + Send + 'static;
}

/// HTTP/1.1 alone.
pub(crate) struct Http1;

impl Speak for Http1 {
    async fn serve<S, F>(
        stream: UnixStream,
        service: S,
        limits: Limits,
        drain: CancellationToken,
    ) -> Result<(), BoxError>
    where
        S: Service<Request, Response = Response, Error = Infallible, Future = F> + Send,
        F: Future<Output = Result<Response, Infallible>> + Send + 'static,
    {
        match begun(&stream, limits, &drain).await? {
            None => Ok(()),
            Some(_) => by_http1(stream, service, limits, drain).await,
        }
    }
}

/// HTTP/2 too, where a client begins with its preface.
pub(crate) struct Both;

impl Speak for Both {
    async fn serve<S, F>(
        stream: UnixStream,
        service: S,
        limits: Limits,
        drain: CancellationToken,
    ) -> Result<(), BoxError>
    where
        S: Service<Request, Response = Response, Error = Infallible, Future = F> + Send,
        F: Future<Output = Result<Response, Infallible>> + Send + 'static,
    {
        match begun(&stream, limits, &drain).await? {
            None => Ok(()),
            Some(Protocol::Http1) => by_http1(stream, service, limits, drain).await,
            Some(Protocol::Http2) => by_http2(stream, service, limits, drain).await,
        }
    }
}

/// Waits for a client's first bytes, and says what it speaks; none where it does not begin in time.
async fn begun(
    stream: &UnixStream,
    limits: Limits,
    drain: &CancellationToken,
) -> io::Result<Option<Protocol>> {
    tokio::select! {
        spoken = protocol::of(stream) => spoken,
        () = tokio::time::sleep(limits.head_time) => Ok(None),
        // Who has just connected is about to ask.
        () = async { drain.cancelled().await; tokio::time::sleep(LAST_CALL).await } => Ok(None),
    }
}

async fn by_http1<S, F>(
    stream: UnixStream,
    service: S,
    limits: Limits,
    drain: CancellationToken,
) -> Result<(), BoxError>
where
    S: Service<Request, Response = Response, Error = Infallible, Future = F>,
    F: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(limits.head_bytes.max(HEAD_BYTES_FLOOR))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    until_drained(served, |served| served.graceful_shutdown(), drain).await
}

async fn by_http2<S, F>(
    stream: UnixStream,
    service: S,
    limits: Limits,
    drain: CancellationToken,
) -> Result<(), BoxError>
where
    S: Service<Request, Response = Response, Error = Infallible, Future = F>,
    F: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    let head_bytes = u32::try_from(limits.head_bytes.saturating_mul(FIELD_TIMES));
    let served = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(STREAM_WINDOW as usize)
        .max_header_list_size(head_bytes.unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS)
        .serve_connection(TokioIo::new(stream), service);
    until_drained(served, |served| served.graceful_shutdown(), drain).await
}

/// Serves until `drain`, and from there on as `end` has it: what was asked is answered, and nothing more is taken.
async fn until_drained<C>(
    served: C,
    end: impl FnOnce(Pin<&mut C>),
    drain: CancellationToken,
) -> Result<(), BoxError>
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut served = pin!(served);
    tokio::select! {
        ended = served.as_mut() => return Ok(ended?),
        () = drain.cancelled() => end(served.as_mut()),
    }
    Ok(served.await?)
}
