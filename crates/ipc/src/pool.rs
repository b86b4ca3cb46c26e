//! Connections that carry one call at a time (HTTP/1.1, RFC 9112), and then the next.
//!
//! Small on purpose: hyper-util's pool speaks HTTP/2 too, which every program that calls a service would carry.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thread_local::ThreadLocal;
use tokio::net::UnixStream;

use crate::Body;
use crate::idle::{Uses, keep};

/// How many unused connections of one thread are kept for its next calls.
const IDLE_CONNECTIONS: usize = 64;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failed {
    /// No connection could be made.
    Connect(io::Error),
    /// It broke.
    Broken(hyper::Error),
}

/// Connections that wait for a call, by thread, the one that was used last at the end.
///
/// Each thread has its own, which stay on its runtime: one that was opened by another thread would wake that one for
/// every call, and would end with its runtime.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: ThreadLocal<RefCell<Vec<Connection>>>,
    idle_time: Duration,
}

#[derive(Debug)]
struct Connection {
    sender: http1::SendRequest<Body>,
    uses: Arc<Uses>,
}

impl Pool {
    /// One that closes connections which nobody used for `idle_time`, or a little longer.
    pub(crate) fn new(idle_time: Duration) -> Self {
        Self {
            idle: ThreadLocal::new(),
            idle_time,
        }
    }

    /// Sends a request, and waits for the head of its answer. What provably was not sent, because the service closed a
    /// connection that had waited, is sent over another.
    pub(crate) async fn send(
        self: &Arc<Self>,
        socket: &Path,
        connect_time: Duration,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, Failed> {
        *request.uri_mut() = origin_form(request.uri());
        // A request has to have one; there is but one service.
        let host = request.headers_mut().entry(header::HOST);
        host.or_insert(HeaderValue::from_static("localhost"));
        loop {
            let waiting = self.take();
            let has_waited = waiting.is_some();
            let mut connection = match waiting {
                Some(connection) => connection,
                None => self.open(socket, connect_time).await?,
            };
            let mut failed = match connection.sender.try_send_request(request).await {
                Ok(response) => {
                    self.give_back(connection);
                    return Ok(response);
                }
                Err(failed) => failed,
            };
            match failed.take_message() {
                Some(unsent) if has_waited => request = unsent,
                _ => return Err(Failed::Broken(failed.into_error())),
            }
        }
    }

    async fn open(&self, socket: &Path, time: Duration) -> Result<Connection, Failed> {
        let stream = tokio::time::timeout(time, UnixStream::connect(socket)).await;
        let stream = stream.map_err(io::Error::from).flatten();
        let stream = TokioIo::new(stream.map_err(Failed::Connect)?);
        let (sender, connection) = http1::handshake(stream).await.map_err(Failed::Broken)?;
        let uses = Arc::new(Uses::default());
        uses.begin();
        let of = Arc::clone(&uses);
        tokio::spawn(keep(
            connection.with_upgrades(),
            self.idle_time,
            move || of.are_none(),
        ));
        Ok(Connection { sender, uses })
    }

    /// The connection that was used last, so that those that are not needed fall idle.
    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.get_or_default().borrow_mut();
        while let Some(connection) = idle.pop() {
            if connection.sender.is_ready() {
                connection.uses.begin();
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection for the next call, once the answer that it carries has been read.
    fn give_back(self: &Arc<Self>, mut connection: Connection) {
        if connection.sender.is_ready() {
            return self.put(connection);
        }
        let pool = Arc::downgrade(self);
        tokio::spawn(async move {
            let ready = connection.sender.ready().await;
            if ready.is_ok()
                && let Some(pool) = pool.upgrade()
            {
                pool.put(connection);
            }
        });
    }

    fn put(&self, connection: Connection) {
        let mut idle = self.idle.get_or_default().borrow_mut();
        idle.retain(|connection| !connection.sender.is_closed());
        if idle.len() < IDLE_CONNECTIONS {
            connection.uses.end();
            idle.push(connection);
        }
    }
}

/// The path and the query of an address, as a service is asked for them (RFC 9112, section 3.2.1).
fn origin_form(uri: &Uri) -> Uri {
    let path = uri.path_and_query().cloned();
    Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")))
}

#[cfg(test)]
mod tests;
