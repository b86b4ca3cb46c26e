//! Reads the PROXY protocol's header off a connection.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use event::Event;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::Proxies;
use super::proxy_protocol::{self, HEAD_BYTES, Malformed, SIGNATURE};

/// Why a connection is not served.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    /// A proxy did not speak as one.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Somebody who is no proxy spoke as one.
    #[error("a PROXY header came from an address that is no trusted proxy")]
    Stranger,
    /// It broke before that.
    #[error("the connection broke before its PROXY header: {0}")]
    Broken(#[from] io::Error),
}

/// Whom a connection from `address` is from, as far as it tells within `time`; none where it is to be closed, which is
/// reported. A trusted proxy that names nobody is meant itself.
pub(crate) async fn peer(
    proxies: &Proxies,
    stream: &mut TcpStream,
    address: IpAddr,
    time: Duration,
) -> Option<IpAddr> {
    if !proxies.proxy_protocol() {
        return Some(address);
    }
    let named = async {
        if proxies.trusts(address) {
            source(stream).await
        } else {
            expect_none(stream).await.map(|()| None)
        }
    };
    let client = address;
    match tokio::time::timeout(time, named).await {
        Ok(Ok(source)) => return Some(source.unwrap_or(address)),
        Ok(Err(Refusal::Broken(error))) => {
            tracing::debug!("a connection broke before it said whose it is: {error}");
        }
        Ok(Err(refusal)) => {
            let reason = &refusal.to_string();
            event::report(&Event::ProxyUntrusted { client, reason });
        }
        Err(_) => {
            let phase = "the PROXY header";
            event::report(&Event::SlowClient { client, phase });
        }
    }
    None
}

/// Takes the header off a proxy's connection. Reads no byte beyond it.
///
/// # Errors
/// When there is none, or it cannot be read. Bounding the time is the caller's.
async fn source(stream: &mut TcpStream) -> Result<Option<IpAddr>, Refusal> {
    let mut head = [0; HEAD_BYTES];
    stream.read_exact(&mut head).await?;
    let mut rest = vec![0; proxy_protocol::rest_bytes(&head)?];
    stream.read_exact(&mut rest).await?;
    Ok(proxy_protocol::source(&head, &rest)?)
}

/// Refuses a stranger's connection that begins like such a header. Its first byte
/// tells, since TLS never begins with that one; nothing is taken off.
///
/// # Errors
/// [`Refusal::Stranger`], and when it broke.
async fn expect_none(stream: &TcpStream) -> Result<(), Refusal> {
    let mut first = [0];
    let count = stream.peek(&mut first).await?;
    if count == 1 && first[0] == SIGNATURE[0] {
        return Err(Refusal::Stranger);
    }
    Ok(())
}
