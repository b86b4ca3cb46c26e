//! Hears a client out that was refused. A connection that is closed while bytes of the client are unread is reset, and the
//! client may lose what it was told.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

/// How long a client may take to hear why it was refused.
pub(super) const LINGER_TIME: Duration = Duration::from_secs(2);

/// How much of what a client still sends is thrown away meanwhile, in bytes.
const LINGER_BYTES: usize = 256 * 1024;

/// How much is read at once to be thrown away, in bytes.
const SCRATCH_BYTES: usize = 4096;

/// How far a client was heard out.
#[derive(Debug, Default)]
pub(super) struct Linger {
    /// How much was thrown away, in bytes.
    discarded: usize,
    is_shut: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Linger {
    /// Throws away what the client sends, so that its end is seen.
    pub(super) fn poll_discard<S: AsyncRead + Unpin>(
        &mut self,
        inner: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut scratch = [0; SCRATCH_BYTES];
        while self.discarded < LINGER_BYTES {
            let mut buf = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut *inner).poll_read(cx, &mut buf))?;
            if buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.discarded += buf.filled().len();
        }
        // Hyper ends the connection by its answer; there is nothing to be woken for.
        Poll::Pending
    }

    /// Whether [`Self::shut`] was told.
    pub(super) const fn is_shut(&self) -> bool {
        self.is_shut
    }

    /// All was sent that will be.
    pub(super) const fn shut(&mut self) {
        self.is_shut = true;
        self.discarded = 0;
    }

    /// Ends when the client has heard it, is gone, or had its time.
    pub(super) fn poll_end<S: AsyncRead + Unpin>(
        &mut self,
        inner: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER_TIME)));
        if timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match self.poll_discard(inner, cx) {
            Poll::Pending if self.discarded < LINGER_BYTES => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }
}
