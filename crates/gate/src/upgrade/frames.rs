//! Pure: reads the frames of one direction of a WebSocket (RFC 6455, section 5) as their bytes come. It refuses what the
//! RFC forbids before a byte of it passes, and looks at headers alone: what a message says is its recipient's.

/// Longest header of a frame, in bytes: two, eight of length, four of the mask.
const HEADER_BYTES: usize = 14;

/// Longest payload of a control frame, in bytes (section 5.5).
pub const CONTROL_BYTES: u64 = 125;

/// Whose frames are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The client's, which are masked (section 5.1).
    Client,
    /// The server's, which are not.
    Server,
}

/// What a frame is (section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message that the frames before began.
    Continuation,
    /// A message of text begins.
    Text,
    /// A message of bytes begins.
    Binary,
    /// The sender closes.
    Close,
    /// The sender asks for a pong.
    Ping,
    /// The sender answers a ping, or shows that it lives.
    Pong,
}

impl Opcode {
    const fn of(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    /// Whether it is part of no message (section 5.5).
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The header of a frame that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What the frame is.
    pub opcode: Opcode,
    /// Bytes of its payload.
    pub payload: u64,
    /// Bytes of the message so far, with this frame's; of a control frame its own.
    pub message: u64,
}

/// Why a frame is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// No extension was agreed on that gives these bits a meaning (section 5.2).
    #[error("a reserved bit is set")]
    ReservedBit,
    /// The opcode has no meaning (section 5.2).
    #[error("the opcode is reserved")]
    Opcode,
    /// A client masks (section 5.1).
    #[error("the client's frame is not masked")]
    NotMasked,
    /// A server does not (section 5.1).
    #[error("the server's frame is masked")]
    Masked,
    /// A control frame is whole (section 5.5).
    #[error("a control frame is fragmented")]
    ControlFragmented,
    /// A control frame has 125 bytes at most (section 5.5).
    #[error("a control frame is longer than {CONTROL_BYTES} bytes")]
    ControlTooLong,
    /// A length is written in as few bytes as can be (section 5.2).
    #[error("the length is not written in its shortest form")]
    LengthNotMinimal,
    /// A length has 63 bits (section 5.2).
    #[error("the length has 64 bits")]
    LengthTooLarge,
    /// There is no message to continue (section 5.4).
    #[error("a frame continues a message that has not begun")]
    NothingToContinue,
    /// The message before is not whole (section 5.4).
    #[error("a message begins within another")]
    MessageWithinMessage,
    /// Nothing follows the frame that closes (section 5.5.1).
    #[error("a frame comes after the one that closes")]
    AfterClose,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The header of a frame.
    Head(Head),
    /// Payload.
    Payload,
}

/// Reads one direction. A copy goes its own way.
#[derive(Debug, Clone, Copy)]
pub struct Frames {
    sender: Sender,
    /// Bytes of the frame's payload that are to come.
    left: u64,
    /// Bytes of the message so far, where one has begun and is not whole.
    message: Option<u64>,
    closed: bool,
}

impl Frames {
    /// At the beginning of a connection.
    #[must_use]
    pub const fn of(sender: Sender) -> Self {
        Self {
            sender,
            left: 0,
            message: None,
            closed: false,
        }
    }

    /// Whether what was taken ends with a frame's end: the only place where another frame may be put in.
    #[must_use]
    pub const fn is_between(&self) -> bool {
        self.left == 0
    }

    /// Whether the frame that closes has come.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Takes the next part of `bytes`, which begin with the first byte that was not taken yet: how many bytes it has, and
    /// what it is. None when more bytes are needed. A header is taken whole.
    ///
    /// # Errors
    /// Why nothing more may pass. It does not depend on how the bytes arrive.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Option<(usize, Found)>, Violation> {
        if bytes.is_empty() {
            return Ok(None);
        }
        if self.left > 0 {
            let taken =
                usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            self.left -= taken as u64;
            return Ok(Some((taken, Found::Payload)));
        }
        let Some((bytes, opcode, fin, payload)) = self.header(bytes)? else {
            return Ok(None);
        };
        let message = if opcode.is_control() {
            payload
        } else {
            let message = self.message.unwrap_or(0).saturating_add(payload);
            self.message = (!fin).then_some(message);
            message
        };
        self.left = payload;
        self.closed = opcode == Opcode::Close;
        let head = Head {
            opcode,
            payload,
            message,
        };
        Ok(Some((bytes, Found::Head(head))))
    }

    /// A whole header: its length, the opcode, whether it is the last frame of its message, and the payload's length.
    fn header(&self, bytes: &[u8]) -> Result<Option<(usize, Opcode, bool, u64)>, Violation> {
        if self.closed {
            return Err(Violation::AfterClose);
        }
        let first = bytes[0];
        if first & 0x70 != 0 {
            return Err(Violation::ReservedBit);
        }
        let opcode = Opcode::of(first & 0x0f).ok_or(Violation::Opcode)?;
        let fin = first & 0x80 != 0;
        match (opcode, self.message) {
            _ if opcode.is_control() && !fin => return Err(Violation::ControlFragmented),
            (Opcode::Continuation, None) => return Err(Violation::NothingToContinue),
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(Violation::MessageWithinMessage);
            }
            _ => {}
        }
        let Some(second) = bytes.get(1) else {
            return Ok(None);
        };
        let mask = match (self.sender, second & 0x80 != 0) {
            (Sender::Client, true) => 4,
            (Sender::Server, false) => 0,
            (Sender::Client, false) => return Err(Violation::NotMasked),
            (Sender::Server, true) => return Err(Violation::Masked),
        };
        let short = second & 0x7f;
        if opcode.is_control() && u64::from(short) > CONTROL_BYTES {
            return Err(Violation::ControlTooLong);
        }
        let more = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(written) = bytes.get(2..2 + more) else {
            return Ok(None);
        };
        let payload = match more {
            0 => u64::from(short),
            _ => written
                .iter()
                .fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        if (more == 2 && payload <= CONTROL_BYTES) || (more == 8 && payload <= u64::from(u16::MAX))
        {
            return Err(Violation::LengthNotMinimal);
        }
        if payload >> 63 != 0 {
            return Err(Violation::LengthTooLarge);
        }
        let length = 2 + more + mask;
        debug_assert!(length <= HEADER_BYTES);
        Ok((bytes.len() >= length).then_some((length, opcode, fin, payload)))
    }
}

#[cfg(any(test, fuzzing))]
pub mod model;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
