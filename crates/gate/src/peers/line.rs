//! The way to one other appliance: a few connections of HTTP/2 over mutual TLS, whose sockets the dialer opens. They are
//! made when they are needed, and kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chat_api::BotName;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ipc::Body;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

/// Connections to one appliance: one that is lost takes a part of the answers with it, and packets that are lost hold
/// up a part.
const CONNECTIONS: usize = 4;

/// How long connecting may take, with the handshake.
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// For how long nobody tries again after connecting has failed.
const PAUSE: Duration = Duration::from_secs(1);

/// How often a connection is asked whether it lives, and how long the answer may take.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_TIME: Duration = Duration::from_secs(5);

/// Answers at once on one connection.
pub(super) const STREAMS_MAX: u32 = 1024;

/// Bytes of an answer that wait for a visitor who is slow to take them.
const STREAM_WINDOW: u32 = 16 * 1024;

/// Bytes that wait on one connection: what all its answers may leave waiting, so that visitors who are slow never
/// hold up another.
const CONNECTION_WINDOW: u32 = STREAMS_MAX * STREAM_WINDOW;

/// The way to one appliance.
pub(crate) struct Line {
    name: ServerName<'static>,
    /// Its name, in the place of a host.
    authority: Authority,
    host: String,
    port: u16,
    tls: Arc<ClientConfig>,
    dialer: dialer_api::Client,
    connections: [Mutex<Slot>; CONNECTIONS],
    turn: AtomicUsize,
}

/// A connection, or when making one has failed and why.
#[derive(Default)]
enum Slot {
    #[default]
    Unused,
    Open(SendRequest<Body>),
    Failed(Instant, String),
}

/// Why there is no answer.
pub(crate) enum Failure {
    /// Nothing was sent.
    NotReached(String),
    /// It may have been done.
    Broken(String),
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line")
            .field("name", &self.name)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Line {
    pub(super) fn new(
        name: ServerName<'static>,
        authority: Authority,
        (host, port): (String, u16),
        tls: Arc<ClientConfig>,
        dialer: dialer_api::Client,
    ) -> Self {
        Self {
            name,
            authority,
            host,
            port,
            tls,
            dialer,
            connections: Default::default(),
            turn: AtomicUsize::new(0),
        }
    }

    /// Sends a request whose URI is a path below a bot, or a path of the gate itself.
    pub(crate) async fn send(
        &self,
        bot: Option<&BotName>,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, Failure> {
        let uri = self.address(bot, request.uri());
        *request.uri_mut() = uri.ok_or_else(|| Failure::NotReached("it has no address".into()))?;
        let mut connection = self.connection().await.map_err(Failure::NotReached)?;
        let ready = connection.ready().await;
        ready.map_err(|error| Failure::NotReached(with_causes(&error)))?;
        let sent = connection.try_send_request(request).await;
        sent.map_err(|mut error| {
            let why = with_causes(error.error());
            match error.take_message() {
                Some(_) => Failure::NotReached(why),
                None => Failure::Broken(why),
            }
        })
    }

    fn address(&self, bot: Option<&BotName>, uri: &Uri) -> Option<Uri> {
        let below = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let path = match bot {
            Some(bot) => format!("/b/{bot}{below}"),
            None => below.to_owned(),
        };
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTPS);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = path.try_into().ok();
        Uri::from_parts(parts).ok()
    }

    /// One of the connections, in turn; made anew where it has ended.
    async fn connection(&self) -> Result<SendRequest<Body>, String> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        // Who waits here while another connects has the same connection then, or learns that there is none.
        let mut slot = self.connections[turn % CONNECTIONS].lock().await;
        match &*slot {
            Slot::Open(connection) if !connection.is_closed() => return Ok(connection.clone()),
            Slot::Failed(at, why) if at.elapsed() < PAUSE => return Err(why.clone()),
            _ => {}
        }
        let connected = tokio::time::timeout(CONNECT_TIME, self.connect()).await;
        let connected = connected.unwrap_or_else(|_| {
            Err(format!(
                "it could not be connected to within {CONNECT_TIME:?}"
            ))
        });
        *slot = match &connected {
            Ok(connection) => Slot::Open(connection.clone()),
            Err(why) => Slot::Failed(Instant::now(), why.clone()),
        };
        connected
    }

    async fn connect(&self) -> Result<SendRequest<Body>, String> {
        let socket = self.dialer.dial(&self.host, self.port).await;
        let socket = socket.map_err(|error| with_causes(&error))?;
        let stream = TcpStream::from_std(socket).map_err(|error| with_causes(&error))?;
        stream
            .set_nodelay(true)
            .map_err(|error| with_causes(&error))?;
        let stream = TlsConnector::from(Arc::clone(&self.tls))
            .connect(self.name.clone(), stream)
            .await
            .map_err(|error| format!("TLS failed: {}", with_causes(&error)))?;
        let (connection, driver) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_TIME)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| with_causes(&error))?;
        let name = self.authority.clone();
        tokio::spawn(async move {
            // Those whose answers it carried see and report the same.
            if let Err(error) = driver.await {
                tracing::debug!("a connection to appliance {name} ended: {error}");
            }
        });
        Ok(connection)
    }
}

/// An error and what caused it, in one line.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}
