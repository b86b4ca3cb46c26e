//! Stands between a TLS stream and hyper on an HTTP/1.1 connection.
//!
//! Bytes pass once the scanner took them. They are read into hyper's own buffer and copied only where
//! a head or a line is not whole yet.
//!
//! A refused head is answered in its turn, behind the answers to the requests before it: hyper reads a
//! request without a host in its place, which no client gets through, and whoever answers asks the
//! [`Watch`] for the reason. A body that is refused breaks off with an error.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::held::Held;
use super::linger::Linger;
use super::{HEAD_BYTES, Reason, Scanner, Watch};

/// What hyper reads in place of a head that was refused.
const IN_PLACE: &[u8] = b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    Head,
    Body(Reason),
}

/// A stream of which hyper reads only what a [`Scanner`] took.
#[derive(Debug)]
pub struct Guard<S> {
    inner: S,
    client: IpAddr,
    scanner: Scanner,
    watch: Arc<Watch>,
    /// What was read and did not pass yet.
    held: Held,
    refused: Option<Refused>,
    linger: Linger,
}

impl<S> Guard<S> {
    /// Guards a connection on which HTTP/1.1 is spoken with `client`.
    pub fn http1(inner: S, client: IpAddr) -> (Self, Arc<Watch>) {
        let watch = Arc::new(Watch::default());
        let guard = Self {
            inner,
            client,
            scanner: Scanner::new(),
            watch: Arc::clone(&watch),
            held: Held::default(),
            refused: None,
            linger: Linger::default(),
        };
        (guard, watch)
    }

    /// Shows the scanner what is held, of which nothing may pass yet.
    fn scan_held(&mut self) {
        let scan = self.scanner.scan(self.held.behind(), &mut ());
        self.held.release(scan.taken);
        if let Some(reason) = scan.refused {
            self.held.cut();
            self.refuse(reason);
        }
    }

    /// Refuses what comes behind that which is held, all of which may pass.
    fn refuse(&mut self, reason: Reason) {
        super::report(reason, self.client);
        if self.scanner.is_in_body() {
            self.refused = Some(Refused::Body(reason));
        } else {
            self.watch.refuse_head(reason);
            self.refused = Some(Refused::Head);
            self.held.put(IN_PLACE);
        }
    }
}

impl<S: AsyncRead + Unpin> Guard<S> {
    /// Reads more behind what is held, and shows the scanner all of it. Whether the client has ended.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let read = ready!(self.held.poll_read(&mut self.inner, cx))?;
        if read > 0 {
            self.scan_held();
        }
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
        let scan = self.scanner.scan(fresh, &mut ());
        if scan.refused.is_none() {
            self.held.hold(&fresh[scan.taken..]);
        }
        buf.set_filled(before + scan.taken);
        if let Some(reason) = scan.refused {
            self.refuse(reason);
        }
        Poll::Ready(Ok(false))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        loop {
            if this.held.is_ready() {
                this.held.pass(buf);
                return Poll::Ready(Ok(()));
            }
            match this.refused {
                Some(Refused::Body(reason)) => {
                    this.watch.refuse_body(reason);
                    let error = io::Error::new(io::ErrorKind::InvalidData, reason);
                    return Poll::Ready(Err(error));
                }
                Some(Refused::Head) => return this.linger.poll_discard(&mut this.inner, cx),
                None => {}
            }
            if this.scanner.is_finished() {
                // Behind the last request.
                this.held.cut();
                return this.linger.poll_discard(&mut this.inner, cx);
            }
            if this.scanner.is_waiting() {
                match this.watch.take_answer(cx.waker()) {
                    Some(switched) => {
                        this.scanner.answered(switched);
                        this.scan_held();
                        continue;
                    }
                    None if this.held.len() >= HEAD_BYTES => return Poll::Pending,
                    None => {}
                }
            }
            let ended = if this.held.is_empty() && !this.scanner.is_waiting() {
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bytes)
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
        if this.refused.is_some() {
            ready!(this.linger.poll_end(&mut this.inner, cx));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
