//! Accepts connections, shakes hands, and serves HTTP/1.1 and HTTP/2 on them.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use event::Event;
use http::header::{self, HeaderValue, UPGRADE};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use sandbox::Confined;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::desk::{Arrival, Desk};
use crate::forward::Bots;
use crate::hosts::Hosts;
use crate::places::{Place, Places, Shed};
use crate::strict::{self, FrameGuard, Guard, Watch, frames};
use crate::tls::Tls;
use crate::upgrade::Sockets;
use crate::workers::Workers;
use crate::{Config, Edge, admit, ending, handshake, headers};

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

/// How long it may take to tell a visitor that there is no room, from the handshake on.
const REFUSE_TIME: Duration = Duration::from_secs(2);

/// What a visitor is told to wait when there is no room, in seconds.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");

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
    /// Connections that are served at once.
    most: u64,
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
    let most = edge.desk.connections();
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
        most: most as u64,
        drain: drain.clone(),
        over: over.clone(),
    });
    let places = Places::new(most);
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

async fn accept(
    listener: TcpListener,
    places: Places,
    shared: Arc<Shared>,
    under_way: TaskTracker,
) {
    let mut shed = Shed::default();
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let client = address.ip().to_canonical();
                let place = places.take();
                if !matches!(place, Place::Served(_)) {
                    let (limit, most) = ("connections", shared.most);
                    event::report(&Event::ConnectionLimit {
                        client,
                        limit,
                        most,
                    });
                }
                if let Some((refused, closed)) = shed.count(&place, Instant::now()) {
                    tracing::warn!(
                        "all connections that `connections` allows are open: {refused} more were told to come again and {closed} closed"
                    );
                }
                let shared = Arc::clone(&shared);
                match place {
                    Place::Served(place) => under_way.spawn(async move {
                        connection(stream, client, &shared).await;
                        drop(place);
                    }),
                    Place::Refused(place) => under_way.spawn(async move {
                        let told = refuse(stream, client, &shared);
                        // Whoever is too slow to hear it is not told.
                        let _ = tokio::time::timeout(REFUSE_TIME, told).await;
                        drop(place);
                    }),
                    Place::None => continue,
                };
            }
            Err(error) => {
                tracing::warn!("a connection could not be accepted; visitors wait: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Finds out whom a connection is from, and shakes hands within `time` each.
async fn greet(
    mut stream: TcpStream,
    address: IpAddr,
    shared: &Shared,
    time: Duration,
) -> Option<(Arrival, TlsStream<TcpStream>)> {
    let arrival = shared.desk.arrive(&mut stream, address, time).await?;
    let stream = handshake::shake(&shared.tls, stream, arrival.peer, time).await?;
    Some((arrival, stream))
}

async fn connection(stream: TcpStream, address: IpAddr, shared: &Arc<Shared>) {
    // What is large and done with soon is in boxes of its own: a connection is held for as long as its visitor likes.
    let greeted = Box::pin(greet(stream, address, shared, shared.handshake_time));
    let Some((arrival, stream)) = greeted.await else {
        return;
    };
    let peer = arrival.peer;
    let (begun, relays) = (CancellationToken::new(), TaskTracker::new());
    let service = |watch: Arc<Watch>| {
        let (begun, relays) = (&begun, &relays);
        service_fn(move |request: Request<Incoming>| {
            begun.cancel();
            let (shared, watch, relays) = (Arc::clone(shared), Arc::clone(&watch), relays.clone());
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
                let mut response = shared.desk.answer(request, peer, answer).await;
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

/// Tells a visitor that there is no room, in answer to the first request, and closes.
async fn refuse(stream: TcpStream, address: IpAddr, shared: &Shared) {
    let greeted = greet(stream, address, shared, REFUSE_TIME).await;
    let Some((arrival, stream)) = greeted else {
        return;
    };
    let begun = CancellationToken::new();
    let service = service_fn(|request: Request<Incoming>| {
        begun.cancel();
        let response = no_room(request.version());
        async { Ok::<_, Infallible>(response) }
    });
    if handshake::is_http2(&stream) {
        let (stream, _watch) = FrameGuard::new(stream, arrival.peer);
        let served = shared.http2.serve_connection(TokioIo::new(stream), service);
        until_told(served, |served| served.graceful_shutdown(), &begun).await;
    } else {
        let (stream, _watch) = Guard::http1(stream, arrival.peer);
        let served = shared.http1.serve_connection(TokioIo::new(stream), service);
        until_told(served, |served| served.graceful_shutdown(), &begun).await;
    }
}

/// Serves a connection until its visitor heard that there is no room; `end` tells it to end.
async fn until_told<C>(served: C, end: impl FnOnce(Pin<&mut C>), begun: &CancellationToken)
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut served = pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = last_call(begun, true) => {
            end(served.as_mut());
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection that was refused ended early: {error}");
    }
}

fn no_room(version: Version) -> Response<ipc::Body> {
    let detail = "There are too many visitors at the moment. Please try again.";
    let mut response = ipc::problem(StatusCode::SERVICE_UNAVAILABLE, detail);
    headers::to_visitor(response.headers_mut(), false);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, RETRY_SECONDS);
    if version == Version::HTTP_11 {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
