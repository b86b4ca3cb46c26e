//! Which protocol is spoken on a connection, by its first bytes.

use std::io;
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// What a client says first over HTTP/2 (RFC 9113, section 3.4). No method of HTTP/1.1 is like it.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How many bytes tell the two apart: methods are told apart from it before the space.
const TELLING_BYTES: usize = 4;

/// How long to wait for more where fewer came: whoever writes so is a person at a keyboard.
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Waits for the first bytes, and leaves them unread. None where the client closed without any.
///
/// # Errors
/// When the connection is broken.
pub(crate) async fn of(stream: &UnixStream) -> io::Result<Option<Protocol>> {
    let mut first = [0; TELLING_BYTES];
    loop {
        let peek = || Ok(recv(stream, &mut first, RecvFlags::PEEK)?.0);
        let came = stream.async_io(Interest::READABLE, peek).await?;
        match (came, decide(&first[..came])) {
            (0, _) => return Ok(None),
            (_, Some(protocol)) => return Ok(Some(protocol)),
            // What came stays, so that nothing tells when there is more.
            (_, None) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Pure: what these first bytes say; none where more are needed.
fn decide(first: &[u8]) -> Option<Protocol> {
    let telling = &PREFACE[..TELLING_BYTES];
    if first.starts_with(telling) {
        Some(Protocol::Http2)
    } else if telling.starts_with(first) {
        None
    } else {
        Some(Protocol::Http1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_preface_is_known_once_enough_of_it_is_there() {
        for bytes in 0..TELLING_BYTES {
            assert_eq!(decide(&PREFACE[..bytes]), None);
        }
        for bytes in TELLING_BYTES..PREFACE.len() {
            assert_eq!(decide(&PREFACE[..bytes]), Some(Protocol::Http2));
        }
    }

    proptest! {
        #[test]
        fn what_is_decided_stays_so_whatever_follows(bytes in "(PRI \\*|P[A-Z]{0,3} /|[A-Z]{0,5} )[a-z]{0,9}", cut in 0..9_usize) {
            let bytes = bytes.as_bytes();
            let begun = decide(&bytes[..cut.min(bytes.len())]);
            prop_assert!(begun.is_none() || begun == decide(bytes));
            let is_preface = bytes.starts_with(b"PRI ");
            prop_assert_eq!(decide(bytes) == Some(Protocol::Http2), is_preface);
        }
    }
}
