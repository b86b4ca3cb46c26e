//! Serves HTTP on an inherited Unix socket.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper::service::service_fn;
use sandbox::Confined;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};

use crate::speak::{Both, Http1, Speak};
use crate::{Peer, Request, RequestId, Response};

/// How long answers under way may take after the service was told to stop.
/// Shorter than the unit's `TimeoutStopSec=`, so that draining ends by itself.
pub const DRAIN_TIME: Duration = Duration::from_secs(20);

/// How long to wait after `accept` failed, for instance for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What one listener takes at most. A body's length is bounded where it is read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections; more wait in the socket's backlog. Over HTTP/2 each carries up to
    /// [`crate::STREAMS_PER_CONNECTION`] requests at once.
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
/// while a request is answered has its [`RequestId`]. HTTP/1.1 is spoken; see [`serve_streams`].
pub async fn serve<H, F>(
    confined: &Confined,
    listener: UnixListener,
    limits: Limits,
    drain: CancellationToken,
    handler: H,
) where
    H: Fn(Peer, Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    serve_with::<Http1, _, _>(confined, listener, limits, drain, handler).await;
}

/// As [`serve`], for answers of which many are under way at once: HTTP/2 is spoken too, so that many share a connection
/// ([`crate::Client::stream`]). A program that does not call this is smaller by all of HTTP/2.
pub async fn serve_streams<H, F>(
    confined: &Confined,
    listener: UnixListener,
    limits: Limits,
    drain: CancellationToken,
    handler: H,
) where
    H: Fn(Peer, Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    serve_with::<Both, _, _>(confined, listener, limits, drain, handler).await;
}

async fn serve_with<P: Speak, H, F>(
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
            if let Err(error) = P::serve(stream, service, limits, drain).await {
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
