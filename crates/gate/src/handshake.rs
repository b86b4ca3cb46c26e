//! Makes a TLS handshake, or answers an authority's challenge by one.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use event::Event;
use rustls::server::Acceptor;
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::bans::Line;
use crate::tls::Tls;

/// HTTP/2 as ALPN names it (RFC 9113, section 3.2).
const H2: &[u8] = b"h2";

/// Shakes hands within `time`. Gives `None` where there is nobody to serve: the
/// handshake failed, or it was an authority's challenge, which it has answered.
pub(crate) async fn shake(
    tls: &Tls,
    stream: Line,
    client: IpAddr,
    time: Duration,
) -> Option<TlsStream<Line>> {
    let failed = |reason: &str| event::report(&Event::TlsHandshakeFailed { client, reason });
    match tokio::time::timeout(time, attempt(tls, stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            failed(&error.to_string());
            None
        }
        Err(_) => {
            let phase = "the TLS handshake";
            event::report(&Event::SlowClient { client, phase });
            None
        }
    }
}

async fn attempt(tls: &Tls, stream: Line) -> io::Result<Option<TlsStream<Line>>> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let challenge = tls.challenge(&start.client_hello()).await;
    if let Some(settings) = challenge {
        // The handshake is the whole answer (RFC 8737, section 3).
        let mut stream = start.into_stream(settings).await?;
        stream.shutdown().await?;
        return Ok(None);
    }
    start.into_stream(tls.visitors()).await.map(Some)
}

/// Whether HTTP/2 was agreed on; else it is HTTP/1.1, also where nothing was.
pub(crate) fn is_http2(stream: &TlsStream<Line>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(H2)
}
