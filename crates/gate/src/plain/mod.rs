//! The port that is not encrypted: it answers authorities' challenges (HTTP-01, RFC 8555)
//! and leads everybody else to HTTPS.

mod decide;

use std::convert::Infallible;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use event::Event;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sandbox::Confined;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::{Proxies, receive};
use crate::config;
use crate::tls::Tls;
use decide::{Answer, Asked, Token, decide};

/// Connections at once, beyond which they are closed. They end after one answer.
const CONNECTIONS_MAX: usize = 256;

/// How long a connection may take, from when it is accepted until its answer is sent.
const CONNECTION_TIME: Duration = Duration::from_secs(5);

/// Longest head of a request, in bytes; hyper asks for this much at least.
const HEAD_BYTES: usize = 8 * 1024;

/// Most headers of a request.
const HEADERS_MAX: usize = 64;

/// Longest answer to a challenge in bytes: a token, a dot and a digest (RFC 8555, section 8.1).
const AUTHORIZATION_BYTES: u64 = 512;

/// Below the folder of challenges.
const FOLDER: &str = "http";

/// How long to wait after `accept` failed, for instance for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The gate's side that is not encrypted.
#[derive(Debug, Clone)]
pub struct Plain {
    tls: Arc<Tls>,
    proxies: Arc<Proxies>,
    port: String,
    challenges: Option<PathBuf>,
}

impl Plain {
    pub(crate) fn new(tls: Arc<Tls>, proxies: Arc<Proxies>, config: &config::Http) -> Self {
        let challenges = tls.sources().challenge_folder();
        Self {
            challenges: challenges.map(|folder| folder.join(FOLDER)),
            port: config.shown_port(),
            proxies,
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
        let Ok(place) = Arc::clone(places).try_acquire_owned() else {
            event::report(&Event::ConnectionLimit {
                client: address.ip().to_canonical(),
                limit: "connections that are not encrypted",
                most: CONNECTIONS_MAX as u64,
            });
            continue;
        };
        let shared = Arc::clone(shared);
        let served = async move {
            let (proxies, client) = (&shared.proxies, address.ip().to_canonical());
            let mut stream = stream;
            let known = receive::peer(proxies, &mut stream, client, CONNECTION_TIME);
            if known.await.is_some() {
                connection(stream, shared).await;
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

async fn connection(stream: TcpStream, shared: Arc<Plain>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&shared, &request).await) }
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

async fn answer(shared: &Plain, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let asked = Asked {
        version: request.version(),
        method: request.method(),
        authority: authority(request),
        path: request.uri().path(),
        query: request.uri().query(),
        has_body: !request.body().is_end_stream(),
    };
    match decide(&asked, &shared.port, |host| shared.tls.covers(host)) {
        Answer::Challenge(token) => challenge(shared, token).await,
        Answer::Elsewhere(there) => {
            let mut response = said(StatusCode::PERMANENT_REDIRECT, "");
            match HeaderValue::from_str(&there) {
                Ok(there) => {
                    response.headers_mut().insert(header::LOCATION, there);
                    response
                }
                Err(_) => said(StatusCode::BAD_REQUEST, "The address cannot be read.\n"),
            }
        }
        Answer::NotFound => said(StatusCode::NOT_FOUND, "There is nothing here.\n"),
        Answer::Misdirected => said(
            StatusCode::MISDIRECTED_REQUEST,
            "There is no such host here.\n",
        ),
        Answer::Method => {
            let mut response = said(
                StatusCode::METHOD_NOT_ALLOWED,
                "This method is not taken here.\n",
            );
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(header::ALLOW, allowed);
            response
        }
        Answer::Body => said(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Nothing is taken here; ask by HTTPS.\n",
        ),
        Answer::Malformed => said(StatusCode::BAD_REQUEST, "The request cannot be read.\n"),
        Answer::Version => said(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "Ask by HTTP/1.1.\n"),
    }
}

/// The one host that a request is for: its address's goes before its header's (RFC 9112,
/// section 3.2.2).
fn authority(request: &Request<Incoming>) -> Option<&str> {
    let mut named = request.headers().get_all(header::HOST).iter();
    let header = match (named.next(), named.next()) {
        (Some(host), None) => host.to_str().ok()?,
        _ => return None,
    };
    let uri = request.uri().authority().map(http::uri::Authority::as_str);
    Some(uri.unwrap_or(header))
}

async fn challenge(shared: &Plain, token: Token<'_>) -> Response<Full<Bytes>> {
    let absent = || said(StatusCode::NOT_FOUND, "There is no such challenge.\n");
    let Some(folder) = &shared.challenges else {
        return absent();
    };
    let path = folder.join(token.as_str());
    let read = tokio::task::spawn_blocking(move || {
        let mut text = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(AUTHORIZATION_BYTES).read_to_end(&mut text)?;
        Ok::<_, io::Error>(text)
    });
    match read.await {
        Ok(Ok(text)) => {
            tracing::info!("an authority's challenge is answered");
            let mut response = Response::new(Full::from(text));
            let media_type = HeaderValue::from_static("application/octet-stream");
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, media_type);
            sealed(response)
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => absent(),
        Ok(Err(error)) => {
            tracing::warn!(
                "an authority's challenge is not answered, so there will be no certificate: {error}"
            );
            absent()
        }
        Err(error) => {
            tracing::warn!("an authority's challenge is not answered: {error}");
            absent()
        }
    }
}

fn said(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static("text/plain; charset=utf-8");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    sealed(response)
}

/// Nothing that was read where anybody could change it is to be kept or guessed at.
fn sealed(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let headers = response.headers_mut();
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
