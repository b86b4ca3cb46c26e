//! Connects to a provider: the socket from the dialer, TLS by ourselves.

use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::pool::Sender;
use crate::{config::Target, error::CallError};

/// Most headers of a provider's answer.
const HEADERS: usize = 100;
/// Most bytes of a provider's head, and of what is read ahead of its body.
const BUFFER_BYTES: usize = 64 * 1024;

/// What a connection is encrypted with, and the name that the certificate must bear.
pub(super) type Tls = (Arc<ClientConfig>, ServerName<'static>);

/// A new connection, ready for a request. The whole takes at most `time`.
pub(super) async fn connect(
    dialer: &dialer_api::Client,
    target: &Target,
    tls: Option<&Tls>,
    time: Duration,
) -> Result<Sender, CallError> {
    timeout(time, open(dialer, target, tls))
        .await
        .map_err(|_| CallError::ConnectTime(time))?
}

async fn open(
    dialer: &dialer_api::Client,
    target: &Target,
    tls: Option<&Tls>,
) -> Result<Sender, CallError> {
    let socket = dialer
        .dial(&target.host, target.port)
        .await
        .map_err(|source| CallError::Dial {
            host: target.host.clone(),
            port: target.port,
            source,
        })?;
    let stream = TcpStream::from_std(socket).map_err(CallError::Socket)?;
    stream.set_nodelay(true).map_err(CallError::Socket)?;
    match tls {
        None => handshake(TokioIo::new(stream)).await,
        Some((settings, name)) => {
            let connector = TlsConnector::from(Arc::clone(settings));
            let stream = connector
                .connect(name.clone(), stream)
                .await
                .map_err(CallError::Tls)?;
            handshake(TokioIo::new(stream)).await
        }
    }
}

async fn handshake<S>(stream: S) -> Result<Sender, CallError>
where
    S: Read + Write + Send + Unpin + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_headers(HEADERS)
        .max_buf_size(BUFFER_BYTES)
        .handshake(stream)
        .await
        .map_err(CallError::Http)?;
    tokio::spawn(async move {
        // The call that uses the connection sees and reports the same error.
        if let Err(error) = connection.await {
            tracing::debug!("a connection to a provider ended: {error}");
        }
    });
    Ok(sender)
}
