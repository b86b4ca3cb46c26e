//! Connects to the first address that accepts (after RFC 8305, "Happy Eyeballs").

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dialer_api::CONNECT_TIME;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// How long an address has for itself before the next is tried beside it
/// (RFC 8305, section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Why no address was connected to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Each refused, or could not be reached; the last one's reason.
    #[error("none of {count} addresses accepted the connection")]
    Refused {
        /// How many were tried.
        count: usize,
        /// Why the last one failed.
        #[source]
        last: io::Error,
    },
    /// None answered in time.
    #[error("none of {count} addresses answered within {CONNECT_TIME:?}")]
    TimedOut {
        /// How many were tried.
        count: usize,
    },
}

/// Connects to exactly one of `addresses`, in their order of preference: the
/// next one joins after [`ATTEMPT_DELAY`] or as soon as the last one failed.
/// Takes at most [`CONNECT_TIME`]; what is left over is closed.
///
/// # Errors
/// As [`ConnectError`] lists.
pub async fn connect(addresses: &[IpAddr], port: u16) -> Result<TcpStream, ConnectError> {
    let deadline = Instant::now() + CONNECT_TIME;
    let count = addresses.len();
    let mut waiting = addresses.iter();
    let mut attempts: JoinSet<io::Result<TcpStream>> = JoinSet::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let next = waiting.next().copied();
        if let Some(address) = next {
            attempts.spawn(TcpStream::connect(SocketAddr::new(address, port)));
        }
        let until = if next.is_some() { Instant::now() + ATTEMPT_DELAY } else { deadline };
        match first(&mut attempts, until.min(deadline)).await {
            Outcome::Connected(stream) => return Ok(stream),
            Outcome::Failed(error) => last = error,
            Outcome::Time if Instant::now() >= deadline => return Err(ConnectError::TimedOut { count }),
            Outcome::Time => {}
            Outcome::NoneLeft if next.is_none() => return Err(ConnectError::Refused { count, last }),
            Outcome::NoneLeft => {}
        }
    }
}

enum Outcome {
    Connected(TcpStream),
    Failed(io::Error),
    Time,
    NoneLeft,
}

async fn first(attempts: &mut JoinSet<io::Result<TcpStream>>, until: Instant) -> Outcome {
    match timeout_at(until, attempts.join_next()).await {
        Err(_) => Outcome::Time,
        Ok(None) => Outcome::NoneLeft,
        Ok(Some(Ok(Ok(stream)))) => Outcome::Connected(stream),
        Ok(Some(Ok(Err(error)))) => Outcome::Failed(error),
        Ok(Some(Err(error))) => Outcome::Failed(io::Error::other(error)),
    }
}
