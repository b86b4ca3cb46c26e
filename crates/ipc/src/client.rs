//! Calls a service.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, Uri};
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use thread_local::ThreadLocal;
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::idle::keep;
use crate::pool::{Failed, Pool};
use crate::streams::{
    CONNECTION_WINDOW, Line, Lines, Place, STREAM_WINDOW, STREAMS_PER_CONNECTION, Sender, Streamed,
    was_not_taken,
};
use crate::{Body, BoxError, Switch};

pub use hyper::body::Incoming;

/// How long a connection may wait unused before it is closed.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// How long connecting may take; a full backlog makes it wait.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// How often a request is sent that provably did not reach the service: its connections close while it is replaced.
const ATTEMPTS: usize = 3;

/// Why a call failed before there was an answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no socket at that path: the service does not exist here.
    #[error("{0} does not exist")]
    Absent(PathBuf, #[source] BoxError),
    /// The socket's group does not have this process.
    #[error("{0} may not be opened by this user")]
    Forbidden(PathBuf, #[source] BoxError),
    /// The service does not accept connections.
    #[error("{0} does not answer")]
    Unreachable(PathBuf, #[source] BoxError),
    /// The connection broke before the answer's head was complete.
    #[error("{0} broke off the call")]
    Broken(PathBuf, #[source] BoxError),
    /// The service agreed to speak another protocol, and the connection broke.
    #[error("{0} broke off the call when it changed the protocol")]
    NotSwitched(PathBuf, #[source] hyper::Error),
    /// As many connections for streams are open as may be; nothing was sent.
    #[error("no more streams to {0} may be open at once")]
    NoRoom(PathBuf),
}

/// A client of the service behind one socket. Cloning shares its connections, of which each thread has its own.
#[derive(Clone)]
pub struct Client {
    socket: Arc<Path>,
    pool: Arc<Pool>,
    lines: Arc<ThreadLocal<RefCell<Lines>>>,
    /// How many lines were made.
    made: Arc<AtomicU64>,
    /// Connections for streams that may be open; as many as it takes where there is none.
    room: Option<Arc<Semaphore>>,
}

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
            pool: Arc::new(Pool::new(IDLE_TIME)),
            lines: Arc::default(),
            made: Arc::default(),
            room: None,
        }
    }

    /// The same, where each connection that [`Client::stream`] opens takes a permit of `room`, which others may share.
    #[must_use]
    pub fn within(mut self, room: Arc<Semaphore>) -> Self {
        self.room = Some(room);
        self
    }

    /// The path of the socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Sends a request and waits for the head of its answer. The request's URI
    /// needs only a path.
    ///
    /// # Errors
    /// As [`ClientError`] lists. Bounding the time is the caller's.
    pub async fn send(
        &self,
        request: http::Request<Body>,
    ) -> Result<http::Response<Incoming>, ClientError> {
        let sent = self.pool.send(&self.socket, CONNECT_TIME, request).await;
        sent.map_err(|failed| match failed {
            Failed::Connect(error) => self.not_connected(error),
            Failed::Broken(error) => ClientError::Broken(self.socket.to_path_buf(), error.into()),
        })
    }

    /// Sends a request whose answer may take long, as a stream of events does, over a connection that it shares with
    /// others. It is sent again where it provably did not reach the service, so its body is whole.
    ///
    /// # Errors
    /// As [`ClientError`] lists. Bounding the time is the caller's.
    pub async fn stream(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Streamed>, ClientError> {
        let (mut parts, body) = request.into_parts();
        parts.uri = absolute(&parts.uri);
        let mut attempt = 1;
        loop {
            let number = self.made.fetch_add(1, Ordering::Relaxed);
            let place = self.lines(|lines| lines.take(number));
            let mut sender = self.sender(&place).await?;
            let request = http::Request::from_parts(parts.clone(), Full::new(body.clone()));
            let mut failed = match sender.try_send_request(request).await {
                Ok(response) => return Ok(response.map(|body| Streamed::new(body, place))),
                Err(failed) => failed,
            };
            let unsent = failed.take_message().is_some() || was_not_taken(failed.error());
            let path = self.socket.to_path_buf();
            if !unsent {
                return Err(ClientError::Broken(path, failed.into_error().into()));
            }
            if attempt == ATTEMPTS {
                return Err(ClientError::Unreachable(path, failed.into_error().into()));
            }
            // A service that closes one of its connections closes them all.
            self.lines(|lines| lines.forget(number + 1));
            attempt += 1;
        }
    }

    fn lines<T>(&self, with: impl FnOnce(&mut Lines) -> T) -> T {
        with(&mut self.lines.get_or_default().borrow_mut())
    }

    /// What sends over the line of a place. The first who has one there opens it, and others wait for him.
    async fn sender(&self, place: &Place) -> Result<Sender, ClientError> {
        let line = place.line();
        let open = line.sender.get_or_try_init(|| self.open(line));
        match tokio::time::timeout(CONNECT_TIME, open).await {
            Ok(sender) => sender.cloned(),
            Err(late) => Err(self.not_connected(late.into())),
        }
    }

    async fn open(&self, line: &Arc<Line>) -> Result<Sender, ClientError> {
        let path = || self.socket.to_path_buf();
        let room = self
            .room
            .as_ref()
            .map(|room| Arc::clone(room).try_acquire_owned());
        let room = room.transpose().map_err(|_| ClientError::NoRoom(path()))?;
        let stream = UnixStream::connect(&*self.socket).await;
        let stream = stream.map_err(|error| self.not_connected(error))?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_max_send_streams(STREAMS_PER_CONNECTION as usize)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(Stream(TokioIo::new(stream), room))
            .await
            .map_err(|error| ClientError::Unreachable(path(), error.into()))?;
        let line = Arc::downgrade(line);
        tokio::spawn(keep(connection, IDLE_TIME, move || {
            line.upgrade().is_none_or(|line| line.uses.are_none())
        }));
        Ok(sender)
    }

    /// Why there is no connection.
    fn not_connected(&self, error: io::Error) -> ClientError {
        let path = self.socket.to_path_buf();
        match error.kind() {
            io::ErrorKind::NotFound => ClientError::Absent(path, error.into()),
            io::ErrorKind::PermissionDenied => ClientError::Forbidden(path, error.into()),
            _ => ClientError::Unreachable(path, error.into()),
        }
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
}

/// A request over HTTP/2 has an authority (RFC 9113, section 8.3.1); there is but one service.
fn absolute(uri: &Uri) -> Uri {
    let path = uri.path_and_query().cloned();
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(http::uri::Scheme::HTTP);
    parts.authority = Some(http::uri::Authority::from_static("localhost"));
    parts.path_and_query = path.or_else(|| Some(http::uri::PathAndQuery::from_static("/")));
    Uri::from_parts(parts).unwrap_or_default()
}

/// A Unix stream, and what it holds until it is closed.
struct Stream(
    TokioIo<UnixStream>,
    #[expect(dead_code, reason = "it is given back when the stream is closed")]
    Option<OwnedSemaphorePermit>,
);

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
