//! Pure: the head of a frame (RFC 9113, section 4.1).

/// Bytes of a frame's head.
pub(super) const HEAD_BYTES: usize = 9;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

const ACK: u8 = 0x01;
const END_STREAM: u8 = 0x01;
const END_HEADERS: u8 = 0x04;
const PADDED: u8 = 0x08;
const DEPENDS: u8 = 0x20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Length of the payload, in bytes.
    pub(super) length: usize,
    pub(super) kind: u8,
    flags: u8,
    pub(super) stream: u32,
}

impl Head {
    pub(super) const fn read(bytes: &[u8; HEAD_BYTES]) -> Self {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *bytes;
        Self {
            length: u32::from_be_bytes([0, l0, l1, l2]) as usize,
            kind,
            flags,
            // The first bit means nothing.
            stream: u32::from_be_bytes([s0, s1, s2, s3]) & (u32::MAX >> 1),
        }
    }

    pub(super) const fn is_ack(self) -> bool {
        self.flags & ACK != 0
    }

    /// Of DATA and HEADERS.
    pub(super) const fn ends_stream(self) -> bool {
        self.flags & END_STREAM != 0
    }

    /// Of HEADERS and CONTINUATION.
    pub(super) const fn ends_headers(self) -> bool {
        self.flags & END_HEADERS != 0
    }

    /// Of DATA and HEADERS.
    pub(super) const fn is_padded(self) -> bool {
        self.flags & PADDED != 0
    }

    /// Bytes before the headers of HEADERS that say which stream it depends on.
    pub(super) const fn dependency_bytes(self) -> usize {
        if self.flags & DEPENDS != 0 { 5 } else { 0 }
    }
}
