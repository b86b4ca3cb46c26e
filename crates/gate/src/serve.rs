//! Accepts connections, shakes hands, and serves HTTP/1.1 and HTTP/2 on them.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::UPGRADE;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use sandbox::Confined;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::desk::Desk;
use crate::forward::Bots;
use crate::strict::{self, Guard};
use crate::{Config, Edge, Hosts, admit};

/// How long to wait after `accept` failed, for instance for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long answers under way may take after the gate was told to stop; shorter
/// than the unit's `TimeoutStopSec=`.
const DRAIN_TIME: Duration = Duration::from_secs(20);

/// How much hyper reads ahead on an HTTP/1.1 connection, in bytes: more than the longest head, so that
/// it is the guard that refuses one.
const BUFFER_BYTES: usize = 2 * strict::HEAD_BYTES;

/// What the TLS handshake says where HTTP/2 was chosen (RFC 9113, section 3.3).
const ALPN_HTTP2: &[u8] = b"h2";

/// Streams at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 64;

/// How often a quiet HTTP/2 connection is asked whether it lives, and how long
/// the answer may take.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIME: Duration = Duration::from_secs(15);

/// What every connection is served with.
struct Shared {
    tls: TlsAcceptor,
    http1: auto::Builder<TokioExecutor>,
    http2: auto::Builder<TokioExecutor>,
    handshake_time: Duration,
    head_time: Duration,
    bots: Bots,
    desk: Desk,
    hosts: Arc<Hosts>,
    drain: CancellationToken,
}

/// Serves on all listeners until `drain` is cancelled, then lets answers under
/// way finish.
pub(crate) async fn all(
    _confined: &Confined,
    listeners: Vec<TcpListener>,
    edge: Edge,
    drain: CancellationToken,
) {
    let config = &edge.config;
    let shared = Arc::new(Shared {
        tls: edge.tls,
        http1: http(config).http1_only(),
        http2: http(config).http2_only(),
        handshake_time: config.handshake_time(),
        head_time: config.head_time(),
        bots: edge.bots,
        desk: edge.desk,
        hosts: edge.hosts,
        drain: drain.clone(),
    });
    let places = Arc::new(Semaphore::new(config.connections));
    let under_way = TaskTracker::new();
    let accepting = TaskTracker::new();
    for listener in listeners {
        let (shared, places) = (Arc::clone(&shared), Arc::clone(&places));
        let (under_way, drain) = (under_way.clone(), drain.clone());
        accepting.spawn(async move {
            drain
                .run_until_cancelled(accept(listener, places, shared, under_way))
                .await;
        });
    }
    accepting.close();
    accepting.wait().await;
    under_way.close();
    if tokio::time::timeout(DRAIN_TIME, under_way.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            "answers still under way after {DRAIN_TIME:?} were cut off; widgets reconnect"
        );
    }
}

fn http(config: &Config) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.head_time())
        .max_headers(strict::HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIME)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(strict::HEAD_BYTES).unwrap_or(u32::MAX));
    http
}

async fn accept(
    listener: TcpListener,
    places: Arc<Semaphore>,
    shared: Arc<Shared>,
    under_way: TaskTracker,
) {
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, address)) => {
                let shared = Arc::clone(&shared);
                under_way.spawn(async move {
                    connection(stream, address.ip().to_canonical(), &shared).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("a connection could not be accepted; visitors wait: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(mut stream: TcpStream, address: IpAddr, shared: &Arc<Shared>) {
    let arrived = shared
        .desk
        .arrive(&mut stream, address, shared.handshake_time);
    let Some(arrival) = arrived.await else { return };
    let peer = arrival.peer;
    let handshake = tokio::time::timeout(shared.handshake_time, shared.tls.accept(stream));
    let stream = match handshake.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!("a TLS handshake failed: {error}"),
        Err(_) => return tracing::debug!("a TLS handshake took too long"),
    };
    let begun = Notify::new();
    let (http, (stream, watch)) = if is_http2(&stream) {
        (&shared.http2, Guard::opaque(stream, peer))
    } else {
        (&shared.http1, Guard::http1(stream, peer))
    };
    let service = service_fn(|request| {
        begun.notify_one();
        let (shared, watch) = (Arc::clone(shared), Arc::clone(&watch));
        async move {
            let Shared { bots, hosts, .. } = &*shared;
            let upgrade = request.headers().contains_key(UPGRADE);
            let answer = |request, client| admit::answer(bots, hosts, &watch, request, client);
            let response = shared.desk.answer(request, peer, answer).await;
            if upgrade {
                watch.upgrade_answered(response.status());
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut served = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = shared.drain.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
        () = silence(&begun, shared.head_time) => {
            return tracing::debug!("a connection on which nothing was asked was closed");
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended early: {error}");
    }
}

fn is_http2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(ALPN_HTTP2)
}

/// Ends when no request has come within `time`; never, once one has. Until then the
/// versions of HTTP are not told apart, and neither's own limits hold.
async fn silence(begun: &Notify, time: Duration) {
    if tokio::time::timeout(time, begun.notified()).await.is_ok() {
        std::future::pending::<()>().await;
    }
}
