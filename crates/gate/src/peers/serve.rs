//! Takes what other appliances hand on, on a port of its own. Who has no certificate of theirs gets no further than
//! the handshake. A visitor's limits are those of the gate that he came to.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event::Event;
use http::header::HeaderValue;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ipc::Body;
use rustls::ServerConfig;
use sandbox::Confined;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::DRAINS;
use super::line::STREAMS_MAX;
use crate::forward::Bots;
use crate::places::{Place, Shed};
use crate::serve::{ACCEPT_PAUSE, DRAIN_TIME, STREAMS_TIME};
use crate::{ending, strict};

/// Handshakes at once; beyond that connections are closed.
const HANDSHAKES: usize = 64;

/// How long a handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);

/// How often a connection is asked whether it lives, and how long the answer may take.
const PING_EVERY: Duration = Duration::from_secs(15);
const PING_TIME: Duration = Duration::from_secs(10);

/// Bytes of requests that wait on one connection, and of one of them: a visitor's is read whole before it is handed on.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
const STREAM_WINDOW: u32 = 128 * 1024;

/// Where another appliance asks whether this one is well.
const HEALTH_PATH: &str = "/healthz";

/// The side of the gate that other appliances come to.
#[derive(Debug)]
pub struct Door {
    /// None where no appliance may come in.
    tls: Option<Arc<ServerConfig>>,
    bots: Arc<Bots>,
    /// Whether it was declared that this appliance drains.
    drains: bool,
}

/// What all connections are served with.
struct Shared {
    acceptor: TlsAcceptor,
    http: http2::Builder<TokioExecutor>,
    bots: Arc<Bots>,
    drains: bool,
    drain: CancellationToken,
    /// Cancelled when streams of events must end.
    over: CancellationToken,
}

impl Door {
    pub(crate) fn new(tls: Option<Arc<ServerConfig>>, bots: Arc<Bots>, drains: bool) -> Self {
        Self { tls, bots, drains }
    }

    /// Serves on all listeners until `drain` is cancelled, then lets answers under way finish. Where no appliance may
    /// come in, all are closed at once.
    pub async fn serve(
        self,
        _confined: &Confined,
        listeners: Vec<TcpListener>,
        drain: CancellationToken,
    ) {
        let Some(tls) = self.tls else {
            if !listeners.is_empty() {
                tracing::warn!(
                    "the port for other appliances is closed to all: `appliances` names none that could come in"
                );
            }
            let closing = listeners.iter().map(closed);
            drain
                .run_until_cancelled(futures_util::future::join_all(closing))
                .await;
            return;
        };
        let over = CancellationToken::new();
        let shared = Arc::new(Shared {
            acceptor: TlsAcceptor::from(tls),
            http: http(),
            bots: self.bots,
            drains: self.drains,
            drain: drain.clone(),
            over: over.clone(),
        });
        let under_way = TaskTracker::new();
        let accepting = listeners
            .iter()
            .map(|listener| accept(listener, &shared, &under_way));
        drain
            .run_until_cancelled(futures_util::future::join_all(accepting))
            .await;
        drain.cancelled().await;
        under_way.close();
        let ended = async {
            let ended = tokio::time::timeout(STREAMS_TIME, under_way.wait()).await;
            if ended.is_err() {
                over.cancel();
                under_way.wait().await;
            }
        };
        if tokio::time::timeout(DRAIN_TIME, ended).await.is_err() {
            tracing::warn!(
                "answers for other appliances' visitors were cut off after {DRAIN_TIME:?}; widgets reconnect"
            );
        }
    }
}

fn http() -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIME)
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(2 * strict::HEAD_BYTES).unwrap_or(u32::MAX));
    http
}

/// Closes all that come, so that none waits for nothing.
async fn closed(listener: &TcpListener) {
    loop {
        if listener.accept().await.is_err() {
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>, under_way: &TaskTracker) {
    let (handshakes, shed) = (Arc::new(Semaphore::new(HANDSHAKES)), Shed::default());
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let client = address.ip().to_canonical();
                let Ok(place) = Arc::clone(&handshakes).try_acquire_owned() else {
                    // That others fill all places is no fault of this one.
                    if let Some((_, closed)) = shed.count(&Place::None, Instant::now()) {
                        tracing::warn!(
                            "{HANDSHAKES} appliances, or others, shake hands: {closed} more were closed"
                        );
                    }
                    continue;
                };
                let shared = Arc::clone(shared);
                under_way.spawn(async move {
                    let shaken = shake(&shared.acceptor, stream).await;
                    drop(place);
                    match shaken {
                        Ok(stream) => connection(stream, &shared).await,
                        Err(reason) => {
                            let reason = &*format!("from an appliance: {reason}");
                            event::report(&Event::TlsHandshakeFailed { client, reason });
                        }
                    }
                });
            }
            Err(error) => {
                tracing::warn!(
                    "a connection of an appliance could not be accepted; its visitors wait: {error}"
                );
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn shake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
) -> Result<tokio_rustls::server::TlsStream<TcpStream>, String> {
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    match tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await {
        Ok(shaken) => shaken.map_err(|error| error.to_string()),
        Err(_) => Err(format!("it took longer than {HANDSHAKE_TIME:?}")),
    }
}

async fn connection(stream: tokio_rustls::server::TlsStream<TcpStream>, shared: &Arc<Shared>) {
    let service = service_fn(|request| {
        let shared = Arc::clone(shared);
        async move {
            let response = answer(request, &shared).await;
            Ok::<_, Infallible>(ending::ends_with(response, &shared.over))
        }
    });
    let mut served = pin!(shared.http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = shared.drain.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection of an appliance ended early: {error}");
    }
}

async fn answer(request: Request<Incoming>, shared: &Shared) -> Response<Body> {
    if request.uri().path() != HEALTH_PATH {
        return shared.bots.answer_peer(request).await;
    }
    let mut response = Response::new(ipc::full("ok\n"));
    if shared.drains || shared.drain.is_cancelled() {
        let headers = response.headers_mut();
        headers.insert(DRAINS, HeaderValue::from_static("1"));
    }
    response
}
