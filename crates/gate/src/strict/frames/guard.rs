//! Stands between a TLS stream and hyper on an HTTP/2 connection.
//!
//! Bytes are read into hyper's own buffer and stay there; what is held back is the beginning of a frame's head that is not
//! whole yet, and, seldom, what came behind a frame that is kept from h2 or that another goes behind.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::head::{GOAWAY, PRIORITY, SETTINGS};
use super::{Fault, Frames, Next, Sent, ended_with};
use crate::strict::Watch;
use crate::strict::held::Held;
use crate::strict::linger::Linger;

/// What h2 reads in place of a frame that ends the connection: settings of a stream, which there are none of.
const IN_PLACE: [u8; 9] = [0, 0, 0, SETTINGS, 0, 0, 0, 0, 1];

/// What h2 reads when the client goes away: an answer to that, and to nothing else.
const AWAY: [u8; 17] = [0, 0, 8, GOAWAY, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// How long a client that goes away is still listened to before h2 hears of it. Where nothing is under way h2 would end
/// the connection at once, and leave unanswered what came a moment later, as a PING.
const AWAY_TIME: Duration = Duration::from_secs(1);

/// Whether the client goes away (GOAWAY; RFC 9113, section 6.8).
#[derive(Debug)]
enum Leaving {
    No,
    Soon(Pin<Box<Sleep>>),
    Told,
}

/// A stream of which h2 reads only what [`Frames`] let pass.
#[derive(Debug)]
pub struct FrameGuard<S> {
    inner: S,
    client: IpAddr,
    frames: Frames,
    sent: Sent,
    /// What was read and did not pass yet.
    held: Held,
    leaving: Leaving,
    /// Why the connection ends.
    fault: Option<Fault>,
    /// Whether h2 ends it with an error.
    is_failed: bool,
    linger: Linger,
}

impl<S> FrameGuard<S> {
    /// Guards a connection on which HTTP/2 is spoken with `client`. Nothing is told by the [`Watch`].
    pub fn new(inner: S, client: IpAddr) -> (Self, Arc<Watch>) {
        let guard = Self {
            inner,
            client,
            frames: Frames::default(),
            sent: Sent::default(),
            held: Held::default(),
            leaving: Leaving::No,
            fault: None,
            is_failed: false,
            linger: Linger::default(),
        };
        (guard, Arc::default())
    }

    fn report(&self, reason: &str) {
        let client = self.client;
        event::report(&event::Event::RequestMalformed { client, reason });
    }

    /// Reads on in what is held, of which the part that is ready was read, until more is needed.
    fn scan_held(&mut self) {
        while self.fault.is_none() {
            let scan = self.frames.scan(self.held.behind());
            self.held.release(scan.pass);
            if !self.follow(scan.next) {
                break;
            }
        }
    }

    /// Does what is done behind that which is ready. Whether there may be more to do.
    fn follow(&mut self, next: Next) -> bool {
        match next {
            Next::More => return false,
            Next::Drop(bytes) => {
                self.held.skip(bytes);
                if matches!(self.leaving, Leaving::No) {
                    self.leaving = Leaving::Soon(Box::pin(tokio::time::sleep(AWAY_TIME)));
                }
            }
            Next::Reset(stream) => {
                self.report(Fault::TrailerPseudoHeader.name());
                let [s0, s1, s2, s3] = stream.to_be_bytes();
                // A stream that depends on itself ends with just this error (RFC 7540, section 5.3.1).
                self.held
                    .put(&[0, 0, 5, PRIORITY, 0, s0, s1, s2, s3, s0, s1, s2, s3, 0]);
            }
            Next::End(fault) => {
                self.report(fault.name());
                self.fault = Some(fault);
                self.held.cut();
                self.held.put(&IN_PLACE);
            }
        }
        true
    }

    /// Tells h2 that the client goes away, once it is time and between two frames.
    fn poll_leaving(&mut self, cx: &mut Context<'_>) {
        if let Leaving::Soon(timer) = &mut self.leaving
            && self.frames.is_between()
            && timer.as_mut().poll(cx).is_ready()
        {
            self.leaving = Leaving::Told;
            self.held.put(&AWAY);
        }
    }

    /// Looks at what was sent. h2 ends connections also for what is not seen here.
    fn follow_sent(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let followed = self.sent.follow(bytes);
            bytes = &bytes[followed.bytes..];
            if let Some(code) = followed.code.filter(|code| *code != 0) {
                self.is_failed = true;
                if self.fault.is_none() {
                    self.report(ended_with(h2::Reason::from(u32::from(code))));
                }
            }
        }
    }
}

impl<S: AsyncRead + Unpin> FrameGuard<S> {
    /// Reads more behind what is held. Whether the client has ended.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let read = ready!(self.held.poll_read(&mut self.inner, cx))?;
        self.scan_held();
        Poll::Ready(Ok(read == 0))
    }

    /// Reads into hyper's buffer, and holds back what may not pass yet. Whether the client has ended.
    fn poll_through(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<bool>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let fresh = &buf.filled()[before..];
        if fresh.is_empty() {
            return Poll::Ready(Ok(true));
        }
        let scan = self.frames.scan(fresh);
        if scan.pass < fresh.len() || scan.next != Next::More {
            self.held.hold(&fresh[scan.pass..]);
            buf.set_filled(before + scan.pass);
            if self.follow(scan.next) {
                self.scan_held();
            }
        }
        Poll::Ready(Ok(false))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FrameGuard<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        loop {
            this.poll_leaving(cx);
            if this.held.is_ready() {
                this.held.pass(buf);
                return Poll::Ready(Ok(()));
            }
            if this.fault.is_some() {
                return this.linger.poll_discard(&mut this.inner, cx);
            }
            let ended = if this.held.is_empty() {
                ready!(this.poll_through(cx, buf))?
            } else {
                ready!(this.poll_more(cx))?
            };
            if ended || buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> FrameGuard<S> {
    /// Writes while the connection ends for `fault`: up to the code that h2 ends it with, and then the right one.
    fn poll_write_code(
        &mut self,
        fault: Fault,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let ahead = self.sent.clone().follow(bytes);
        let inner = Pin::new(&mut self.inner);
        let written = match ahead.code.map(u32::from).map(h2::Reason::from) {
            // `IN_PLACE` ends it with this one.
            Some(h2::Reason::PROTOCOL_ERROR) if ahead.bytes == 1 => {
                let [.., code] = u32::from(fault.code()).to_be_bytes();
                inner.poll_write(cx, &[code])
            }
            Some(h2::Reason::PROTOCOL_ERROR) => inner.poll_write(cx, &bytes[..ahead.bytes - 1]),
            _ => inner.poll_write(cx, &bytes[..ahead.bytes]),
        };
        let written = ready!(written)?;
        self.follow_sent(&bytes[..written]);
        Poll::Ready(Ok(written))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for FrameGuard<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Some(fault) = this.fault {
            return this.poll_write_code(fault, cx, bytes);
        }
        let written = ready!(Pin::new(&mut this.inner).poll_write(cx, bytes))?;
        this.follow_sent(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Some(fault) = this.fault {
            let first = pieces.iter().find(|piece| !piece.is_empty());
            return this.poll_write_code(fault, cx, first.map_or(&[], |piece| piece));
        }
        let written = ready!(Pin::new(&mut this.inner).poll_write_vectored(cx, pieces))?;
        let mut left = written;
        for piece in pieces {
            let bytes = piece.len().min(left);
            this.follow_sent(&piece[..bytes]);
            left -= bytes;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.linger.is_shut() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            this.linger.shut();
        }
        if this.is_failed {
            ready!(this.linger.poll_end(&mut this.inner, cx));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
