//! What one visitor does, once.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::HandshakeKind;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Act, Target};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes that are read at once when a server says goodbye: its tickets come before.
const GOODBYE_BYTES: usize = 4096;

type Failure = Box<dyn Error + Send + Sync>;

/// A visitor.
pub(super) struct Visitor<'a> {
    target: &'a Target,
    /// Without tickets, and with those of its own.
    afresh: (TlsConnector, ServerName<'static>),
    resuming: (TlsConnector, ServerName<'static>),
    has_ticket: bool,
    connection: Option<SendRequest<Empty<Bytes>>>,
}

impl<'a> Visitor<'a> {
    pub(super) fn new(target: &'a Target) -> Self {
        Self {
            target,
            afresh: target.tls.afresh(),
            resuming: target.tls.resuming(),
            has_ticket: false,
            connection: None,
        }
    }

    /// Does it once; returns the bytes of the answer's body. After a failure the next one begins with a new connection.
    pub(super) async fn perform(&mut self, act: Act) -> Result<u64, String> {
        let performed = async {
            match act {
                Act::Full => self.handshake(false).await,
                Act::Resumed => self.handshake(true).await,
                Act::Requests | Act::Bulk | Act::Idle => self.request().await,
            }
        };
        match timeout(PATIENCE, performed).await {
            Ok(done) => done.map_err(|error| error.to_string()),
            Err(_) => {
                self.connection = None;
                Err(format!("nothing within {PATIENCE:?}"))
            }
        }
    }

    /// Asks, for events where it `waits` for them, and returns the answer once it has begun.
    pub(super) async fn ask(&mut self, waits: bool) -> Result<Incoming, Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let mut request = Request::get(&self.target.path).header(header::HOST, &self.target.host);
        if waits {
            request = request.header(header::ACCEPT, "text/event-stream");
        }
        let request = request.body(Empty::new())?;
        connection.ready().await?;
        let response = connection.send_request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(format!("answered {}", response.status()).into());
        }
        self.connection = Some(connection);
        Ok(response.into_body())
    }

    async fn request(&mut self) -> Result<u64, Failure> {
        let mut body = self.ask(false).await?;
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            bytes += frame?.data_ref().map_or(0, |data| data.len() as u64);
        }
        Ok(bytes)
    }

    async fn connect(&self) -> Result<SendRequest<Empty<Bytes>>, Failure> {
        let stream = shake(self.target, &self.afresh).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // What ends a connection is seen by what it was to be used for.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    /// Shakes hands, says goodbye and waits for the server's, so that its tickets are read and neither side resets.
    async fn handshake(&mut self, resumed: bool) -> Result<u64, Failure> {
        let by = if resumed {
            &self.resuming
        } else {
            &self.afresh
        };
        let mut stream = shake(self.target, by).await?;
        let kind = stream.get_ref().1.handshake_kind();
        let expected = if resumed && self.has_ticket {
            HandshakeKind::Resumed
        } else {
            HandshakeKind::Full
        };
        if kind != Some(expected) {
            return Err(format!("the handshake was {kind:?} and not {expected:?}").into());
        }
        stream.shutdown().await?;
        let mut goodbye = [0; GOODBYE_BYTES];
        loop {
            match stream.read(&mut goodbye).await {
                Ok(0) => break,
                Ok(_) => {}
                // Some servers close without a word.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.has_ticket = resumed;
        Ok(0)
    }
}

async fn shake(
    target: &Target,
    (tls, name): &(TlsConnector, ServerName<'static>),
) -> Result<TlsStream<TcpStream>, Failure> {
    let stream = TcpStream::connect(target.address).await?;
    stream.set_nodelay(true)?;
    Ok(tls.connect(name.clone(), stream).await?)
}
