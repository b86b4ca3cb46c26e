//! Pure: the frames that the gate itself puts into a WebSocket.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Longest reason in a frame that closes, in bytes: what a control frame holds beside the code.
const REASON_BYTES: usize = 123;

/// Asks the client whether it lives.
pub(super) const PING: &[u8] = &[0x89, 0];

/// Why a WebSocket is closed (RFC 6455, section 7.4.1, and the registry that it opens).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Code {
    /// Nothing is said any more.
    GoingAway = 1001,
    /// What came is no WebSocket's.
    Protocol = 1002,
    /// It is against the rules of this server.
    Policy = 1008,
    /// A message is too long.
    TooBig = 1009,
    /// The server can't go on.
    Internal = 1011,
    /// The server starts anew; come again.
    Restart = 1012,
}

/// A frame that closes, for a client.
pub(super) fn close(code: Code, reason: &str) -> Bytes {
    frame(code, reason, None)
}

/// A frame that closes, for a server: masked, as all that a client sends.
pub(super) fn masked_close(code: Code, reason: &str, mask: [u8; 4]) -> Bytes {
    frame(code, reason, Some(mask))
}

fn frame(code: Code, reason: &str, mask: Option<[u8; 4]>) -> Bytes {
    let mut end = reason.len().min(REASON_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let reason = &reason[..end];
    let length = 2 + u8::try_from(reason.len()).unwrap_or_default();
    let mut frame = BytesMut::with_capacity(usize::from(length) + 6);
    frame.put_u8(0x88);
    frame.put_u8(length | if mask.is_some() { 0x80 } else { 0 });
    frame.put_slice(&mask.unwrap_or_default()[..if mask.is_some() { 4 } else { 0 }]);
    let at = frame.len();
    frame.put_u16(code as u16);
    frame.put_slice(reason.as_bytes());
    if let Some(mask) = mask {
        let payload = frame[at..].iter_mut().zip(mask.iter().cycle());
        payload.for_each(|(byte, key)| *byte ^= key);
    }
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_has_its_code_and_a_reason_that_fits() {
        assert_eq!(&close(Code::Restart, "a")[..], [0x88, 3, 0x03, 0xf4, b'a']);
        let masked = masked_close(Code::Policy, "abc", [1, 2, 3, 4]);
        assert_eq!(
            &masked[..],
            [
                0x88,
                0x85,
                1,
                2,
                3,
                4,
                0x03 ^ 1,
                0xf0 ^ 2,
                b'a' ^ 3,
                b'b' ^ 4,
                b'c' ^ 1
            ]
        );
        let long = close(Code::TooBig, &"é".repeat(100));
        assert_eq!((long.len(), long[1]), (126, 124));
    }
}
