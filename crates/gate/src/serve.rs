//! Serves HTTP/1.1 and HTTP/2 on the connections that are accepted.

mod accept;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http::header::UPGRADE;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use sandbox::Confined;
use tokio::net::TcpListener;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bans::Line;
use crate::desk::{Arrival, Desk};
use crate::forward::Bots;
use crate::hosts::Hosts;
use crate::places::{Places, Shed};
use crate::strict::{self, FrameGuard, Guard, Watch, frames};
use crate::tls::Tls;
use crate::upgrade::Sockets;
use crate::workers::Workers;
use crate::{Config, Edge, admit, ending, handshake};
use accept::accept;

/// How long to wait after `accept` failed, for instance for want of descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long answers under way may take after the gate was told to stop; shorter
/// than the unit's `TimeoutStopSec=`.
pub(crate) const DRAIN_TIME: Duration = Duration::from_secs(20);

/// How much hyper reads ahead on an HTTP/1.1 connection, in bytes: more than the longest head, so that
/// it is the guard that refuses one.
const BUFFER_BYTES: usize = 2 * strict::HEAD_BYTES;

/// How long streams of events may go on after the gate was told to stop: visitors who come
/// now wait as long, and whoever reads a stream comes again and loses nothing.
pub(crate) const STREAMS_TIME: Duration = Duration::from_secs(5);

/// How long a connection on which nothing is asked may ask after the gate was told to
/// stop: browsers open some for later and keep others, and what a visitor asks while his
/// connection is closed is lost. Visitors who come now wait for the next gate.
const LAST_CALL: Duration = Duration::from_secs(1);

/// Streams at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 64;

/// How often a quiet HTTP/2 connection is asked whether it lives, and how long
/// the answer may take.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIME: Duration = Duration::from_secs(15);

/// What every connection is served with.
struct Shared {
    tls: Arc<Tls>,
    /// One for each protocol, and not hyper-util's for both: with upgrades that one goes by the first bytes alone, and
    /// would speak HTTP/1.1 on a connection that no guard reads.
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    handshake_time: Duration,
    head_time: Duration,
    bots: Arc<Bots>,
    desk: Desk,
    hosts: Hosts,
    sockets: Sockets,
    shed: Shed,
    drain: CancellationToken,
    /// Cancelled when streams of events must end.
    over: CancellationToken,
}

/// Serves on all listeners until `drain` is cancelled, then lets answers under
/// way finish.
///
/// # Errors
/// When the kernel has no room for a thread, or for a listener on it.
pub(crate) async fn all(
    _confined: &Confined,
    listeners: Vec<TcpListener>,
    edge: Edge,
    drain: CancellationToken,
) -> io::Result<()> {
    let over = CancellationToken::new();
    let config = &edge.config;
    let places = Places::new(edge.desk.connections());
    let shared = Arc::new(Shared {
        tls: edge.tls,
        http1: http1(config),
        http2: http2(),
        handshake_time: config.handshake_time(),
        head_time: config.head_time(),
        bots: edge.bots,
        sockets: Sockets::new(&config.limits, &edge.desk, drain.clone()),
        desk: edge.desk,
        hosts: edge.hosts,
        shed: Shed::default(),
        drain: drain.clone(),
        over: over.clone(),
    });
    let under_way = TaskTracker::new();
    let accepting = TaskTracker::new();
    let workers = Workers::start()?;
    for listener in listeners {
        for (worker, listener) in workers.share(listener)? {
            let (shared, places) = (Arc::clone(&shared), places.clone());
            let (under_way, drain) = (under_way.clone(), drain.clone());
            let accept = async move {
                drain
                    .run_until_cancelled(accept(listener, places, shared, under_way))
                    .await;
            };
            accepting.spawn_on(accept, worker);
        }
    }
    accepting.close();
    accepting.wait().await;
    under_way.close();
    let ended = async {
        if tokio::time::timeout(STREAMS_TIME, under_way.wait())
            .await
            .is_err()
        {
            over.cancel();
            under_way.wait().await;
        }
    };
    if tokio::time::timeout(DRAIN_TIME, ended).await.is_err() {
        tracing::warn!(
            "answers still under way after {DRAIN_TIME:?} were cut off; widgets reconnect"
        );
    }
    Ok(())
}

fn http1(config: &Config) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(config.head_time())
        .max_headers(strict::HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES);
    http
}

fn http2() -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIME)
        .max_concurrent_streams(STREAMS_MAX)
        .max_frame_size(frames::PAYLOAD_BYTES)
        .header_table_size(frames::TABLE_BYTES)
        .max_header_list_size(u32::try_from(strict::HEAD_BYTES).unwrap_or(u32::MAX))
        .enable_connect_protocol();
    http
}

async fn serve(stream: TlsStream<Line>, arrival: &Arrival, shared: &Arc<Shared>) {
    let (peer, visit) = (arrival.peer, &arrival.visit);
    let (begun, relays) = (CancellationToken::new(), TaskTracker::new());
    let service = |watch: Arc<Watch>| {
        let (begun, relays) = (&begun, &relays);
        service_fn(move |request: Request<Incoming>| {
            begun.cancel();
            let (shared, watch, relays) = (Arc::clone(shared), Arc::clone(&watch), relays.clone());
            let visit = visit.clone();
            Box::pin(async move {
                let Shared {
                    tls,
                    bots,
                    hosts,
                    sockets,
                    ..
                } = &*shared;
                let serves = |authority: &str| hosts.serves(authority, |host| tls.covers(host));
                let upgrade = request.headers().contains_key(UPGRADE);
                let version = request.version();
                let answer = |request, client| {
                    admit::answer(bots, sockets, &relays, serves, &watch, request, client)
                };
                let mut response = shared.desk.answer(request, peer, visit, answer).await;
                if upgrade {
                    watch.upgrade_answered(response.status());
                }
                if shared.drain.is_cancelled() {
                    ending::told_to_come_again(&mut response, version);
                }
                let response = admit::or_stream_error(response)?;
                Ok::<_, h2::Error>(ending::ends_with(response, &shared.over))
            })
        })
    };
    if handshake::is_http2(&stream) {
        let (stream, watch) = FrameGuard::new(stream, peer);
        let http = &shared.http2;
        let served = Box::pin(http.serve_connection(TokioIo::new(stream), service(watch)));
        let end = |served: Pin<&mut _>| http2::Connection::graceful_shutdown(served);
        until_ended(served, end, &begun, true, shared).await;
    } else {
        let (stream, watch) = Guard::http1(stream, peer);
        let http = &shared.http1;
        let served = http.serve_connection(TokioIo::new(stream), service(watch));
        let served = Box::pin(served.with_upgrades());
        let end = |served: Pin<&mut _>| http1::UpgradeableConnection::graceful_shutdown(served);
        until_ended(served, end, &begun, false, shared).await;
    }
    // WebSockets go on, and with them what the client holds of the limits.
    relays.close();
    relays.wait().await;
}

/// Serves a connection to its end, which `end` begins once the gate is to stop.
async fn until_ended<C>(
    mut served: Pin<Box<C>>,
    end: impl FnOnce(Pin<&mut C>),
    begun: &CancellationToken,
    is_http2: bool,
    shared: &Shared,
) where
    C: Future<Output = hyper::Result<()>>,
{
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = shared.drain.cancelled() => tokio::select! {
            ended = served.as_mut() => ended,
            () = last_call(begun, is_http2) => {
                end(served.as_mut());
                tokio::select! {
                    ended = served => ended,
                    () = silence(begun, LAST_CALL) => return,
                }
            }
        },
        () = silence(begun, shared.head_time) => {
            return tracing::debug!("a connection on which nothing was asked was closed");
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended early: {error}");
    }
}

/// Ends when a connection may be told to end; hyper would close one at once on which nothing is asked. Over HTTP/2 that is
/// when something was asked, as hyper then says which requests are still taken (GOAWAY; RFC 9113, section 6.8). HTTP/1.1
/// says so in an answer alone (`Connection: close`), so there all of [`LAST_CALL`] is given to ask for one.
async fn last_call(begun: &CancellationToken, ends_when_asked: bool) {
    if ends_when_asked {
        let _ = tokio::time::timeout(LAST_CALL, begun.cancelled()).await;
    } else {
        tokio::time::sleep(LAST_CALL).await;
    }
}

/// Ends when no request has come within `time`; never, once one has. HTTP/2 has no limit of
/// its own until then.
async fn silence(begun: &CancellationToken, time: Duration) {
    if tokio::time::timeout(time, begun.cancelled()).await.is_ok() {
        std::future::pending::<()>().await;
    }
}
