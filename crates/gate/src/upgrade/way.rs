//! One direction of a WebSocket: what was read, what of it may pass, and where the gate may say something itself.

use std::future::pending;
use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::cause::Cause;
use super::frames::{Found, Frames, Head, Sender};

/// How much is read at once, in bytes. It waits here until it is written, so a recipient that is slow slows its sender.
const CHUNK_BYTES: usize = 4096;

/// One direction.
#[derive(Debug)]
pub(super) struct Way {
    frames: Frames,
    sender: Sender,
    /// What was read and not taken yet: less than a header, unless it is being looked at.
    held: BytesMut,
    /// What may be written.
    out: BytesMut,
    /// Whether something was written that may not be on its way yet.
    dirty: bool,
    /// The gate's last words, until the frame before them is whole.
    last: Option<Bytes>,
    /// Whether the gate said its last words: nothing else passes.
    sealed: bool,
    /// Whether what is read can't be understood any more.
    broken: bool,
    /// Whether the sender has ended, or is gone.
    pub(super) ended: bool,
    /// Whether the recipient is to be told that nothing follows, once all is written.
    pub(super) finish: bool,
    /// Whether it was told, or is gone.
    pub(super) finished: bool,
}

/// What a turn did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// So many bytes were written, perhaps none.
    Wrote(usize),
    /// There is something to look at.
    Read,
    /// The sender has ended, or is gone.
    Ended,
}

impl Way {
    pub(super) fn from(sender: Sender) -> Self {
        Self {
            frames: Frames::of(sender),
            sender,
            held: BytesMut::new(),
            out: BytesMut::new(),
            dirty: false,
            last: None,
            sealed: false,
            broken: false,
            ended: false,
            finish: false,
            finished: false,
        }
    }

    /// Whether something waits for its recipient.
    pub(super) fn is_writing(&self) -> bool {
        !self.finished && (!self.out.is_empty() || self.dirty)
    }

    /// Whether the recipient was told to close, by the sender or by the gate.
    pub(super) fn is_told(&self) -> bool {
        (self.frames.is_closed() && self.frames.is_between()) || self.sealed
    }

    /// Whether the sender said that it closes.
    pub(super) fn is_closed(&self) -> bool {
        self.frames.is_closed()
    }

    /// Whether all that the sender will ever say was read.
    pub(super) fn is_over(&self) -> bool {
        self.ended || (self.frames.is_closed() && self.frames.is_between())
    }

    /// Whether the sender can say nothing more that counts.
    pub(super) fn is_done(&self) -> bool {
        self.frames.is_closed() || self.broken || self.ended
    }

    /// Whether the gate spoke the last words.
    pub(super) fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// Writes what there is to write, else reads. Nothing is lost when it is given up.
    pub(super) async fn turn<R, W>(&mut self, from: &mut R, to: &mut W) -> Turn
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        if !self.finished {
            match self.write(to).await {
                Ok(Some(bytes)) => return Turn::Wrote(bytes),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(
                        "a WebSocket's {:?} can't be told more: {error}",
                        self.sender
                    );
                    self.finished = true;
                    self.out = BytesMut::new();
                    return Turn::Wrote(0);
                }
            }
        }
        if self.ended {
            return pending().await;
        }
        self.held.reserve(CHUNK_BYTES);
        match from.read_buf(&mut self.held).await {
            Ok(bytes) if bytes > 0 => Turn::Read,
            Ok(_) | Err(_) => {
                self.ended = true;
                self.held = BytesMut::new();
                Turn::Ended
            }
        }
    }

    /// Does the next thing that there is to write; none where there is nothing.
    async fn write<W: AsyncWrite + Unpin>(&mut self, to: &mut W) -> io::Result<Option<usize>> {
        if !self.out.is_empty() {
            let written = to.write_buf(&mut self.out).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.dirty = true;
            if self.out.is_empty() {
                // So that the memory can be read into again.
                self.out = BytesMut::new();
            }
            return Ok(Some(written));
        }
        if self.dirty {
            to.flush().await?;
            self.dirty = false;
            return Ok(Some(0));
        }
        if self.finish {
            to.shutdown().await?;
            self.finished = true;
            return Ok(Some(0));
        }
        Ok(None)
    }

    /// Looks at what was read, and lets pass what may. `check` is asked about each header before it passes.
    ///
    /// # Errors
    /// Why nothing more may pass. What came before the frame in question does.
    pub(super) fn take(
        &mut self,
        mut check: impl FnMut(&Head) -> Result<(), Cause>,
    ) -> Result<(), Cause> {
        let mut taken = 0;
        let verdict = loop {
            if self.frames.is_between() && (self.frames.is_closed() || self.broken) {
                self.held.truncate(taken);
                break Ok(());
            }
            let before = self.frames;
            match self.frames.next(&self.held[taken..]) {
                Ok(None) => break Ok(()),
                Ok(Some((bytes, found))) => {
                    if let Found::Head(head) = found
                        && !self.sealed
                        && let Err(cause) = check(&head)
                    {
                        self.frames = before;
                        break Err(cause);
                    }
                    taken += bytes;
                    if self.frames.is_between()
                        && let Some(last) = self.last.take()
                    {
                        self.pass(taken);
                        taken = 0;
                        self.out.extend_from_slice(&last);
                        self.sealed = true;
                    }
                }
                Err(violation) => break Err(Cause::malformed(self.sender, violation)),
            }
        };
        self.pass(taken);
        if verdict.is_err() {
            self.broken = true;
            self.held = BytesMut::new();
        }
        verdict
    }

    fn pass(&mut self, bytes: usize) {
        let taken = self.held.split_to(bytes);
        if !self.sealed {
            self.out.unsplit(taken);
        }
    }

    /// Puts a frame in between those that pass; whether it could be.
    pub(super) fn put_in(&mut self, frame: &[u8]) -> bool {
        let can = self.frames.is_between() && !self.is_told();
        if can {
            self.out.extend_from_slice(frame);
        }
        can
    }

    /// Makes `frame` the last that passes, as soon as the one before it is whole. Where the sender has closed, or ended
    /// within a frame, it stays at that.
    pub(super) fn end_with(&mut self, frame: Bytes) {
        if self.put_in(&frame) {
            self.sealed = true;
        } else if !self.is_closed() && !self.sealed {
            self.last = Some(frame);
        }
    }
}
