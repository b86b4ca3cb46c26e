//! A client's connection, which is reset once he is banned.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::Visit;

/// A connection. Where it is closed when its client is banned already, the kernel throws away what it has not sent yet,
/// and resets it: else up to megabytes would still follow, as the firewall sees a proxy's address and not his.
#[derive(Debug)]
pub(crate) struct Line {
    stream: TcpStream,
    /// None where it is a proxy's, who stands for many.
    banned: Option<CancellationToken>,
}

impl Line {
    pub(crate) fn new(stream: TcpStream, visit: Option<&Visit>) -> Self {
        let banned = visit.map(Visit::token);
        Self { stream, banned }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let banned = self.banned.as_ref();
        if banned.is_some_and(CancellationToken::is_cancelled)
            && let Err(error) = self.stream.set_zero_linger()
        {
            tracing::debug!("a client who is banned may get what was on its way: {error}");
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
