//! Serves HTTP on an inherited Unix socket.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use sandbox::Confined;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};

use crate::protocol::{self, Protocol};
use crate::streams::{CONNECTION_WINDOW, STREAM_WINDOW, STREAMS_PER_CONNECTION};
use crate::{BoxError, Peer, Request, RequestId, Response};

/// How long answers under way may take after the service was told to stop.
/// Shorter than the unit's `TimeoutStopSec=`, so that draining ends by itself.
pub const DRAIN_TIME: Duration = Duration::from_secs(20);

/// How long to wait after `accept` failed, for instance for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The smallest head buffer that hyper takes, in bytes.
const HEAD_BYTES_FLOOR: usize = 8 * 1024;

/// How much longer a head is by HTTP/2's count, which adds 32 bytes to each field (RFC 9113, section 10.5.1), at most.
const FIELD_TIMES: usize = 2;

/// Streams that a caller may have given up before the service came to them, on one connection. It is many: callers are
/// services, and it is visitors' going away at once that makes them do so, not their ill will.
const RESETS: usize = 16 * 1024;

/// How long a caller that has just connected may take to ask after the service was told to stop.
const LAST_CALL: Duration = Duration::from_millis(200);

/// What one listener takes at most. A body's length is bounded where it is read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections; more wait in the socket's backlog. Over HTTP/2 each carries up to
    /// [`STREAMS_PER_CONNECTION`] requests at once.
    pub connections: usize,
    /// Bytes of a request's head; over HTTP/2, about.
    pub head_bytes: usize,
    /// Time for a request's head, and for the next one on an idle connection.
    pub head_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            head_bytes: 16 * 1024,
            head_time: Duration::from_secs(60),
        }
    }
}

/// Serves until `drain` is cancelled, then lets answers under way finish for at
/// most [`DRAIN_TIME`]. New connections wait meanwhile in the backlog of the
/// socket, which the service manager holds, for the next process. What is logged
/// while a request is answered has its [`RequestId`].
pub async fn serve<H, F>(
    _confined: &Confined,
    listener: UnixListener,
    limits: Limits,
    drain: CancellationToken,
    handler: H,
) where
    H: Fn(Peer, Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits.connections));
    let under_way = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = drain.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, place)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let peer = match Peer::of(&stream) {
            Ok(peer) => peer,
            Err(error) => {
                tracing::warn!("a caller that the kernel cannot name was turned away: {error}");
                continue;
            }
        };
        let handler = handler.clone();
        let service = service_fn(move |mut request: Request| {
            *request.uri_mut() = origin_form(request.uri());
            let id = RequestId::of(request.headers());
            let span = id.map_or_else(Span::none, |id| id.span());
            let answer = span.in_scope(|| handler(peer, request));
            async move { Ok::<_, Infallible>(answer.await) }.instrument(span)
        });
        let drain = drain.clone();
        under_way.spawn(async move {
            if let Err(error) = connection(stream, service, limits, drain).await {
                tracing::debug!("a connection ended early: {error}");
            }
            drop(place);
        });
    }
    drop(listener);
    under_way.close();
    if tokio::time::timeout(DRAIN_TIME, under_way.wait())
        .await
        .is_err()
    {
        tracing::warn!("answers still under way after {DRAIN_TIME:?} were cut off");
    }
}

/// The path and the query of an address: what a service sees over HTTP/1.1, and over HTTP/2 too.
fn origin_form(uri: &Uri) -> Uri {
    let path = uri.path_and_query().cloned();
    path.map_or_else(Uri::default, Uri::from)
}

/// Serves one connection to its end, which begins with `drain`.
async fn connection<S, F>(
    stream: UnixStream,
    service: S,
    limits: Limits,
    drain: CancellationToken,
) -> Result<(), BoxError>
where
    S: Service<Request, Response = Response, Error = Infallible, Future = F>,
    F: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    let spoken = tokio::select! {
        spoken = protocol::of(&stream) => spoken?,
        () = tokio::time::sleep(limits.head_time) => None,
        // Who has just connected is about to ask.
        () = async { drain.cancelled().await; tokio::time::sleep(LAST_CALL).await } => None,
    };
    let stream = TokioIo::new(stream);
    match spoken {
        None => Ok(()),
        Some(Protocol::Http1) => {
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.head_time)
                .max_buf_size(limits.head_bytes.max(HEAD_BYTES_FLOOR))
                .serve_connection(stream, service)
                .with_upgrades();
            until_drained(served, |served| served.graceful_shutdown(), drain).await
        }
        Some(Protocol::Http2) => {
            let head_bytes = u32::try_from(limits.head_bytes.saturating_mul(FIELD_TIMES));
            let served = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS_PER_CONNECTION)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_send_buf_size(STREAM_WINDOW as usize)
                .max_header_list_size(head_bytes.unwrap_or(u32::MAX))
                .max_pending_accept_reset_streams(RESETS)
                .serve_connection(stream, service);
            until_drained(served, |served| served.graceful_shutdown(), drain).await
        }
    }
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

async fn accept(
    listener: &UnixListener,
    places: &Arc<Semaphore>,
) -> Option<(UnixStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            tracing::warn!("a connection could not be accepted; callers wait: {error}");
            None
        }
    }
}
