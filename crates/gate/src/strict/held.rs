//! What a guard read and holds back.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::poll_read_buf;

/// Bytes of which a part at the beginning may pass. Where there are none it takes no memory, as an idle connection keeps
/// none for this.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: BytesMut,
    /// How much may pass, in bytes.
    ready: usize,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How much is held, in bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether anything may pass.
    pub(super) fn is_ready(&self) -> bool {
        self.ready > 0
    }

    /// What may not pass yet.
    pub(super) fn behind(&self) -> &[u8] {
        &self.bytes[self.ready..]
    }

    /// Lets so many bytes more pass.
    pub(super) fn release(&mut self, bytes: usize) {
        self.ready = self.bytes.len().min(self.ready + bytes);
    }

    /// Holds bytes back behind all others.
    pub(super) fn hold(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Puts bytes that may pass between what may and what may not.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        let behind = self.bytes.split_off(self.ready);
        self.bytes.extend_from_slice(bytes);
        self.ready = self.bytes.len();
        self.bytes.unsplit(behind);
    }

    /// Throws away so many bytes of those that may not pass yet, from their beginning.
    pub(super) fn skip(&mut self, bytes: usize) {
        let mut behind = self.bytes.split_off(self.ready);
        behind.advance(bytes);
        self.bytes.unsplit(behind);
    }

    /// Throws away all that may not pass yet.
    pub(super) fn cut(&mut self) {
        self.bytes.truncate(self.ready);
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
    }

    /// Hands over what may pass.
    pub(super) fn pass(&mut self, buf: &mut ReadBuf<'_>) {
        let bytes = self.ready.min(buf.remaining());
        buf.put_slice(&self.bytes[..bytes]);
        self.bytes.advance(bytes);
        self.ready -= bytes;
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
    }

    /// Reads more, which is held back. How many bytes; none where there are no more.
    pub(super) fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        inner: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        poll_read_buf(Pin::new(inner), cx, &mut self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Hold(Vec<u8>),
        Put(Vec<u8>),
        Release(usize),
        Skip(usize),
        Cut,
        Pass(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..20);
        prop_oneof![
            3 => bytes().prop_map(Step::Hold),
            1 => bytes().prop_map(Step::Put),
            3 => (0_usize..20).prop_map(Step::Release),
            1 => (0_usize..20).prop_map(Step::Skip),
            1 => Just(Step::Cut),
            3 => (0_usize..20).prop_map(Step::Pass),
        ]
    }

    proptest! {
        #[test]
        fn it_is_as_two_lists(steps in proptest::collection::vec(step(), 0..60)) {
            let mut held = Held::default();
            let (mut ready, mut behind) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Hold(bytes) => {
                        held.hold(&bytes);
                        behind.extend(bytes);
                    }
                    Step::Put(bytes) => {
                        held.put(&bytes);
                        ready.extend(bytes);
                    }
                    Step::Release(bytes) => {
                        held.release(bytes);
                        ready.extend(behind.drain(..bytes.min(behind.len())));
                    }
                    Step::Skip(bytes) => {
                        let bytes = bytes.min(behind.len());
                        held.skip(bytes);
                        behind.drain(..bytes);
                    }
                    Step::Cut => {
                        held.cut();
                        behind.clear();
                    }
                    Step::Pass(room) => {
                        let mut room = vec![0; room];
                        let mut buf = ReadBuf::new(&mut room);
                        held.pass(&mut buf);
                        let passed: Vec<u8> = ready.drain(..buf.filled().len()).collect();
                        prop_assert_eq!(buf.filled(), passed);
                        prop_assert!(buf.remaining() == 0 || ready.is_empty());
                    }
                }
                prop_assert_eq!(held.behind(), &behind[..]);
                prop_assert_eq!(held.len(), ready.len() + behind.len());
                prop_assert_eq!((held.is_ready(), held.is_empty()), (!ready.is_empty(), ready.is_empty() && behind.is_empty()));
            }
        }
    }
}
