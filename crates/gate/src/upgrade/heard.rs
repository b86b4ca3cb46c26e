//! Hears a client out only once he is judged.

use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A judgement that is waited for.
type Judgement = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// What a client says, read only when all that was reported of him is judged: whoever is banned for it is gone by then,
/// and nobody behind the gate heard him.
pub(super) struct Heard<S> {
    inner: S,
    client: IpAddr,
    judgement: Option<Judgement>,
}

impl<S> Heard<S> {
    pub(super) fn of(inner: S, client: IpAddr) -> Self {
        Self {
            inner,
            client,
            judgement: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.judgement.is_none() {
            this.judgement =
                event::judgement(this.client).map(|judgement| Box::pin(judgement) as _);
        }
        if let Some(judgement) = &mut this.judgement {
            ready!(judgement.as_mut().poll(context));
            this.judgement = None;
            // Whoever watches for a ban looks first.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut this.inner).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
