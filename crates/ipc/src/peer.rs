//! Who is at the other end of a Unix socket.

use std::io;
use std::os::fd::AsFd;

use rustix::net::sockopt;

/// The process that opened the connection, as the kernel recorded it when it
/// connected (`SO_PEERCRED`, unix(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Process id; it may since have been given to another process.
    pub pid: i32,
}

impl Peer {
    /// Asks the kernel about a connected Unix socket.
    ///
    /// # Errors
    /// When `socket` is not a connected Unix socket.
    pub fn of(socket: impl AsFd) -> io::Result<Self> {
        let credentials = sockopt::socket_peercred(socket)?;
        Ok(Self {
            uid: credentials.uid.as_raw(),
            gid: credentials.gid.as_raw(),
            pid: credentials.pid.as_raw_nonzero().get(),
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_this_process() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let peer = Peer::of(&one).unwrap();
        assert_eq!(peer.pid, rustix::process::getpid().as_raw_nonzero().get());
        assert_eq!(peer.uid, rustix::process::geteuid().as_raw());
    }
}
