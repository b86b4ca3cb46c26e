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
        let until = if next.is_some() {
            Instant::now() + ATTEMPT_DELAY
        } else {
            deadline
        };
        match first(&mut attempts, until.min(deadline)).await {
            Outcome::Connected(stream) => return Ok(stream),
            Outcome::Failed(error) => last = error,
            Outcome::Time if Instant::now() >= deadline => {
                return Err(ConnectError::TimedOut { count });
            }
            Outcome::Time => {}
            Outcome::NoneLeft if next.is_none() => {
                return Err(ConnectError::Refused { count, last });
            }
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::os::fd::OwnedFd;

    use rustix::net::{AddressFamily, SocketType, bind, listen, socket};

    use super::*;

    const SILENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
    const OPEN: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// A port at which OPEN accepts and SILENT answers nothing, as behind a
    /// firewall: its queue is full, so the kernel drops whoever comes.
    fn port() -> (u16, TcpListener, OwnedFd, Vec<std::net::TcpStream>) {
        let open = TcpListener::bind((OPEN, 0)).unwrap();
        let port = open.local_addr().unwrap().port();
        let silent = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&silent, &SocketAddr::new(SILENT, port)).unwrap();
        listen(&silent, 0).unwrap();
        let join = || {
            std::net::TcpStream::connect_timeout(
                &SocketAddr::new(SILENT, port),
                Duration::from_millis(100),
            )
        };
        let queue = std::iter::from_fn(|| join().ok()).collect();
        (port, open, silent, queue)
    }

    #[tokio::test]
    async fn an_address_that_is_silent_delays_the_next_only_a_little() {
        let (port, _open, _silent, _queue) = port();
        let began = Instant::now();
        let stream = connect(&[SILENT, OPEN], port).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip(), OPEN);
        assert!(began.elapsed() >= ATTEMPT_DELAY && began.elapsed() < CONNECT_TIME / 2);
    }

    #[tokio::test]
    async fn an_address_that_refuses_delays_nothing() {
        let (port, _open, _silent, _queue) = port();
        let began = Instant::now();
        let stream = connect(&[NOBODY, OPEN], port).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip(), OPEN);
        assert!(began.elapsed() < ATTEMPT_DELAY);
    }

    #[tokio::test]
    async fn refusals_and_nobody_to_ask_are_errors() {
        let (port, open, _silent, _queue) = port();
        drop(open);
        let refused = connect(&[NOBODY, OPEN], port).await;
        assert!(
            matches!(refused, Err(ConnectError::Refused { count: 2, .. })),
            "{refused:?}"
        );
        assert!(matches!(
            connect(&[], port).await,
            Err(ConnectError::Refused { count: 0, .. })
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_given_up() {
        let (port, _open, _silent, _queue) = port();
        let began = Instant::now();
        let outcome = connect(&[SILENT, SILENT], port).await;
        assert!(
            matches!(outcome, Err(ConnectError::TimedOut { count: 2 })),
            "{outcome:?}"
        );
        assert_eq!(began.elapsed().as_secs(), CONNECT_TIME.as_secs());
    }
}
