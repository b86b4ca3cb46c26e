//! Calls a service.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{StatusCode, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use thread_local::ThreadLocal;
use tokio::net::UnixStream;

use crate::{Body, Switch};

pub use hyper::body::Incoming;

/// How long a connection may wait unused before it is closed.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// How many unused connections are kept for the next call.
const IDLE_CONNECTIONS: usize = 64;

/// How long connecting may take; a full backlog makes it wait.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Why a call failed before there was an answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no socket at that path: the service does not exist here.
    #[error("{0} does not exist")]
    Absent(PathBuf, #[source] hyper_util::client::legacy::Error),
    /// The socket's group does not have this process.
    #[error("{0} may not be opened by this user")]
    Forbidden(PathBuf, #[source] hyper_util::client::legacy::Error),
    /// The service does not accept connections.
    #[error("{0} does not answer")]
    Unreachable(PathBuf, #[source] hyper_util::client::legacy::Error),
    /// The connection broke before the answer's head was complete.
    #[error("{0} broke off the call")]
    Broken(PathBuf, #[source] hyper_util::client::legacy::Error),
    /// The service agreed to speak another protocol, and the connection broke.
    #[error("{0} broke off the call when it changed the protocol")]
    NotSwitched(PathBuf, #[source] hyper::Error),
}

/// A client of the service behind one socket. Cloning shares its connections.
///
/// Each thread has connections of its own, which stay on its runtime: one that was opened by another thread would wake
/// that one for every call, and would end with its runtime.
#[derive(Clone)]
pub struct Client {
    socket: Arc<Path>,
    pools: Arc<ThreadLocal<Pool>>,
}

/// The connections of one thread.
type Pool = hyper_util::client::legacy::Client<Connector, Body>;

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the service behind `socket`. Nothing is opened yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into().into(),
            pools: Arc::default(),
        }
    }

    fn pool(&self) -> &Pool {
        self.pools.get_or(|| {
            hyper_util::client::legacy::Client::builder(TokioExecutor::new())
                .pool_idle_timeout(IDLE_TIME)
                .pool_max_idle_per_host(IDLE_CONNECTIONS)
                .pool_timer(TokioTimer::new())
                .build(Connector {
                    socket: Arc::clone(&self.socket),
                })
        })
    }

    /// The path of the socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Sends a request and waits for the head of its answer. The request's URI
    /// needs only a path; scheme and authority are filled in.
    ///
    /// # Errors
    /// As [`ClientError`] lists. Bounding the time is the caller's.
    pub async fn send(
        &self,
        mut request: http::Request<Body>,
    ) -> Result<http::Response<Incoming>, ClientError> {
        *request.uri_mut() = absolute(request.uri());
        self.pool()
            .request(request)
            .await
            .map_err(|error| self.error(error))
    }

    /// Sends a request that asks for another protocol (RFC 9110, section 7.8). Its headers are the caller's, `Connection`
    /// and `Upgrade` among them.
    ///
    /// # Errors
    /// As [`ClientError`] lists. Bounding the time is the caller's.
    pub async fn switch(&self, request: http::Request<Body>) -> Result<Switch, ClientError> {
        let mut response = self.send(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Switch::Refused(response));
        }
        match hyper::upgrade::on(&mut response).await {
            Ok(upgraded) => Ok(Switch::Done(
                response.into_parts().0,
                TokioIo::new(upgraded),
            )),
            Err(error) => Err(ClientError::NotSwitched(self.socket.to_path_buf(), error)),
        }
    }

    fn error(&self, error: hyper_util::client::legacy::Error) -> ClientError {
        let path = self.socket.to_path_buf();
        if !error.is_connect() {
            return ClientError::Broken(path, error);
        }
        match io_kind(&error) {
            Some(io::ErrorKind::NotFound) => ClientError::Absent(path, error),
            Some(io::ErrorKind::PermissionDenied) => ClientError::Forbidden(path, error),
            _ => ClientError::Unreachable(path, error),
        }
    }
}

fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

/// The pool of connections wants an authority; there is but one service.
fn absolute(uri: &Uri) -> Uri {
    let path = uri.path_and_query().cloned();
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(http::uri::Scheme::HTTP);
    parts.authority = Some(http::uri::Authority::from_static("localhost"));
    parts.path_and_query = path.or_else(|| Some(http::uri::PathAndQuery::from_static("/")));
    Uri::from_parts(parts).unwrap_or_default()
}

#[derive(Clone)]
struct Connector {
    socket: Arc<Path>,
}

impl tower_service::Service<Uri> for Connector {
    type Response = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let socket = Arc::clone(&self.socket);
        Box::pin(async move {
            let stream =
                tokio::time::timeout(CONNECT_TIME, UnixStream::connect(&*socket)).await??;
            Ok(Stream(TokioIo::new(stream)))
        })
    }
}

/// A Unix stream that the pool of connections accepts.
struct Stream(TokioIo<UnixStream>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, buffers)
    }
}
