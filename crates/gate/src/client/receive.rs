//! Reads the PROXY protocol's header off a connection.

use std::io;
use std::net::IpAddr;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::proxy_protocol::{self, HEAD_BYTES, Malformed, SIGNATURE};

/// Why a connection is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
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

/// Takes the header off a proxy's connection. Reads no byte beyond it.
///
/// # Errors
/// When there is none, or it cannot be read. Bounding the time is the caller's.
pub(crate) async fn source(stream: &mut TcpStream) -> Result<Option<IpAddr>, Refusal> {
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
pub(crate) async fn expect_none(stream: &TcpStream) -> Result<(), Refusal> {
    let mut first = [0];
    let count = stream.peek(&mut first).await?;
    if count == 1 && first[0] == SIGNATURE[0] {
        return Err(Refusal::Stranger);
    }
    Ok(())
}
