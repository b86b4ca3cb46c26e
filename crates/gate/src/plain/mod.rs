//! The port that is not encrypted: it answers authorities' challenges (HTTP-01, RFC 8555)
//! and leads everybody else to HTTPS.

mod answer;
mod decide;

use std::convert::Infallible;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use event::Event;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sandbox::Confined;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bans::{self, Bans, Line, Visit};
use crate::client::{Proxies, receive};
use crate::config;
use crate::desk::Desk;
use crate::honeypots::Honeypots;
use crate::places::{Place, Shed};
use crate::tls::Tls;

/// Connections at once, beyond which they are closed. They end after one answer.
const CONNECTIONS_MAX: usize = 256;

/// How long a connection may take, from when it is accepted until its answer is sent.
const CONNECTION_TIME: Duration = Duration::from_secs(5);

/// Longest head of a request, in bytes; hyper asks for this much at least.
const HEAD_BYTES: usize = 8 * 1024;

/// Most headers of a request.
const HEADERS_MAX: usize = 64;

/// Below the folder of challenges.
const FOLDER: &str = "http";

/// How long to wait after `accept` failed, for instance for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The gate's side that is not encrypted.
#[derive(Debug, Clone)]
pub struct Plain {
    tls: Arc<Tls>,
    proxies: Arc<Proxies>,
    bans: Arc<Bans>,
    honeypots: Arc<Honeypots>,
    shed: Arc<Shed>,
    port: String,
    challenges: Option<PathBuf>,
}

impl Plain {
    pub(crate) fn new(tls: Arc<Tls>, desk: &Desk, config: &config::Http) -> Self {
        let challenges = tls.sources().challenge_folder();
        Self {
            challenges: challenges.map(|folder| folder.join(FOLDER)),
            port: config.shown_port(),
            proxies: desk.proxies(),
            bans: Arc::clone(desk.bans()),
            honeypots: desk.honeypots(),
            shed: Arc::default(),
            tls,
        }
    }

    /// Serves on all listeners until `drain` is cancelled; answers under way, which are
    /// short, are then sent.
    pub async fn serve(
        self,
        _confined: &Confined,
        listeners: Vec<TcpListener>,
        drain: CancellationToken,
    ) {
        let shared = Arc::new(self);
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let under_way = TaskTracker::new();
        let accepting = listeners.into_iter().map(|listener| {
            let accepted = accept(listener, &shared, &places, &under_way);
            drain.run_until_cancelled(accepted)
        });
        futures_util::future::join_all(accepting).await;
        under_way.close();
        under_way.wait().await;
    }
}

async fn accept(
    listener: TcpListener,
    shared: &Arc<Plain>,
    places: &Arc<Semaphore>,
    under_way: &TaskTracker,
) {
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("a connection could not be accepted; visitors wait: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if shared.bans.refuses(address.ip()) {
            continue;
        }
        let Ok(place) = Arc::clone(places).try_acquire_owned() else {
            // That others fill all places is no fault of this one: no event says so.
            if let Some((_, closed)) = shared.shed.count(&Place::None, Instant::now()) {
                tracing::warn!(
                    "all {CONNECTIONS_MAX} connections that are not encrypted are open: {closed} more were closed"
                );
            }
            continue;
        };
        let shared = Arc::clone(shared);
        let served = async move {
            let (proxies, client) = (&shared.proxies, address.ip().to_canonical());
            let mut stream = stream;
            let known = receive::peer(proxies, &mut stream, client, CONNECTION_TIME);
            let Some(peer) = known.await else { return };
            // A proxy stands for many.
            if proxies.trusts(peer) {
                let line = Line::new(stream, None);
                return connection(line, Arc::clone(&shared), peer, None).await;
            }
            let Some(visit) = shared.bans.admit(peer).map(Arc::new) else {
                return;
            };
            let line = Line::new(stream, Some(&visit));
            tokio::select! {
                biased;
                () = visit.banned() => {}
                () = connection(line, Arc::clone(&shared), peer, Some(Arc::clone(&visit))) => {}
            }
        };
        under_way.spawn(async move {
            if tokio::time::timeout(CONNECTION_TIME, served).await.is_err() {
                tracing::debug!("a connection that is not encrypted took too long and was closed");
            }
            drop(place);
        });
    }
}

async fn connection(stream: Line, shared: Arc<Plain>, peer: IpAddr, visit: Option<Arc<Visit>>) {
    let service = service_fn(move |request| {
        let (shared, visit) = (Arc::clone(&shared), visit.clone());
        async move { Ok::<_, Infallible>(request_of(&shared, peer, visit, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CONNECTION_TIME)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!("a connection that is not encrypted ended early: {error}");
    }
}

/// Answers one request of a connection from `peer`, whose visit it is unless he is a proxy.
async fn request_of(
    shared: &Plain,
    peer: IpAddr,
    visit: Option<Arc<Visit>>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let client = shared.proxies.client(peer, request.headers());
    let path = request.uri().path();
    if shared.honeypots.holds(path) {
        // Any page could have led a browser here, which does not say so where nothing is encrypted.
        event::report(&Event::HoneypotLinked { client, path });
    }
    event::judged(client).await;
    if shared.bans.refuses(client) {
        if let Some(visit) = visit.filter(|_| client == peer.to_canonical()) {
            visit.gone().await;
        }
        return answer::said(StatusCode::FORBIDDEN, bans::REFUSAL);
    }
    answer::answer(shared, &request).await
}
