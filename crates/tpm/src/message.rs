//! Pure: the commands and responses that counters take (TPM 2.0 Library, Part 3, section 31),
//! to the byte. Whatever the other side says is read without trust.

use std::fmt;

use crate::label::{LABEL_BYTES, Label};

/// Longest message in bytes that Linux passes on (`TPM_BUFSIZE`).
pub const MESSAGE_BYTES: usize = 4096;
/// Bytes before a message's own part: tag, length, and command or response code.
pub const HEADER_BYTES: usize = 10;

// Part 2: TPM_ST, TPM_CC, TPM_RH, TPM_RS_PW, TPM_ALG_ID.
const NO_SESSIONS: u16 = 0x8001;
const SESSIONS: u16 = 0x8002;
const NV_UNDEFINE_SPACE: u32 = 0x0000_0122;
const NV_DEFINE_SPACE: u32 = 0x0000_012a;
const NV_INCREMENT: u32 = 0x0000_0134;
const NV_READ: u32 = 0x0000_014e;
const NV_READ_PUBLIC: u32 = 0x0000_0169;
const OWNER: u32 = 0x4000_0001;
const PASSWORD_SESSION: u32 = 0x4000_0009;
const SHA256: u16 = 0x000b;

/// Bytes of a counter.
const COUNTER_BYTES: u16 = 8;
/// A counter that whoever may open the device may read and move, and nobody may write or set back;
/// a wrong password for it locks nothing. Not orderly: each step is durable. (Part 2, TPMA_NV.)
const ATTRIBUTES: u32 = COUNTER | AUTHWRITE | AUTHREAD | NO_DA;
const AUTHWRITE: u32 = 1 << 2;
const COUNTER: u32 = 1 << 4;
const AUTHREAD: u32 = 1 << 18;
const NO_DA: u32 = 1 << 25;
/// Set by the TPM once the counter has a value.
const WRITTEN: u32 = 1 << 29;

/// A response code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(pub u32);

impl Code {
    const SUCCESS: Self = Self(0);
    /// No room for another index.
    pub const NV_SPACE: Self = Self(0x14b);
    /// There is such an index already.
    pub const NV_DEFINED: Self = Self(0x14c);
    /// `TPM_RC_HANDLE`.
    const HANDLE: u32 = 0x08b;
    /// `TPM_RC_YIELDED`, `TPM_RC_TESTING`, `TPM_RC_NV_RATE` and `TPM_RC_RETRY`.
    const PASSING: [u32; 4] = [0x908, 0x90a, 0x920, 0x922];

    /// Whether there is no such index.
    #[must_use]
    pub fn is_no_handle(self) -> bool {
        // Which handle or parameter is meant stands in the bits that are left out (Part 2, TPM_RC).
        self.0 & 0xbf == Self::HANDLE
    }

    /// Whether the same command may do later: the TPM is busy, or spares its memory.
    #[must_use]
    pub fn is_passing(self) -> bool {
        Self::PASSING.contains(&self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// Bytes that are no response to the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It ends before it is whole.
    #[error("it is cut off")]
    Short,
    /// More follows than there should be, or a length within is wrong.
    #[error("its lengths do not agree")]
    Length,
    /// The tag is neither of the two.
    #[error("its tag is {0:#06x}")]
    Tag(u16),
    /// It speaks of another index.
    #[error("it is about another index")]
    Index,
}

/// What is known of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Public {
    /// It is made as counters are made here.
    Counter {
        /// What it says whose it is.
        label: Label,
        /// Whether it has a value.
        written: bool,
    },
    /// Somebody else's.
    Foreign,
}

/// `TPM2_NV_ReadPublic`.
#[must_use]
pub fn read_public(index: u32) -> Vec<u8> {
    command(NO_SESSIONS, NV_READ_PUBLIC, &[index], &[])
}

/// `TPM2_NV_DefineSpace` by the owner, whose password is empty.
#[must_use]
pub fn define(index: u32, label: &Label) -> Vec<u8> {
    let mut public = Vec::new();
    public.extend(index.to_be_bytes());
    public.extend(SHA256.to_be_bytes());
    public.extend(ATTRIBUTES.to_be_bytes());
    public.extend(length(LABEL_BYTES));
    public.extend(label.to_bytes());
    public.extend(COUNTER_BYTES.to_be_bytes());
    // The index's own password: none.
    let mut parameters = vec![0, 0];
    parameters.extend(length(public.len()));
    parameters.extend(public);
    command(SESSIONS, NV_DEFINE_SPACE, &[OWNER], &parameters)
}

/// `TPM2_NV_UndefineSpace` by the owner.
#[must_use]
pub fn undefine(index: u32) -> Vec<u8> {
    command(SESSIONS, NV_UNDEFINE_SPACE, &[OWNER, index], &[])
}

/// `TPM2_NV_Increment`.
#[must_use]
pub fn increment(index: u32) -> Vec<u8> {
    command(SESSIONS, NV_INCREMENT, &[index, index], &[])
}

/// `TPM2_NV_Read` of a counter's value.
#[must_use]
pub fn read(index: u32) -> Vec<u8> {
    let [high, low] = COUNTER_BYTES.to_be_bytes();
    command(SESSIONS, NV_READ, &[index, index], &[high, low, 0, 0])
}

fn command(tag: u16, code: u32, handles: &[u32], parameters: &[u8]) -> Vec<u8> {
    let mut body: Vec<u8> = handles.iter().flat_map(|it| it.to_be_bytes()).collect();
    if tag == SESSIONS {
        // One session, by an empty password: its length, handle, nonce, attributes and password.
        body.extend(9_u32.to_be_bytes());
        body.extend(PASSWORD_SESSION.to_be_bytes());
        body.extend([0; 5]);
    }
    body.extend(parameters);
    let whole = u32::try_from(HEADER_BYTES + body.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(HEADER_BYTES + body.len());
    message.extend(tag.to_be_bytes());
    message.extend(whole.to_be_bytes());
    message.extend(code.to_be_bytes());
    message.extend(body);
    message
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

/// How long a response is that begins so, in bytes.
///
/// # Errors
/// Where it says that it is shorter than its beginning, or longer than [`MESSAGE_BYTES`].
pub fn response_length(header: &[u8; HEADER_BYTES]) -> Result<usize, Malformed> {
    let mut reader = Reader(header);
    reader.u16()?;
    let whole = usize::try_from(reader.u32()?).map_err(|_| Malformed::Length)?;
    if (HEADER_BYTES..=MESSAGE_BYTES).contains(&whole) {
        Ok(whole)
    } else {
        Err(Malformed::Length)
    }
}

/// A response's own part: what follows its header, without its sessions. Gives the TPM's code
/// where it refused.
///
/// # Errors
/// Where it is no response.
pub fn response(bytes: &[u8]) -> Result<Result<&[u8], Code>, Malformed> {
    let header = bytes.first_chunk().ok_or(Malformed::Short)?;
    let whole = response_length(header)?;
    match bytes.len() {
        there if there < whole => return Err(Malformed::Short),
        there if there > whole => return Err(Malformed::Length),
        _ => {}
    }
    let mut reader = Reader(bytes);
    let tag = reader.u16()?;
    reader.u32()?;
    let code = Code(reader.u32()?);
    if code != Code::SUCCESS {
        return Ok(Err(code));
    }
    match tag {
        NO_SESSIONS => Ok(Ok(reader.0)),
        SESSIONS => {
            let parameters = usize::try_from(reader.u32()?).map_err(|_| Malformed::Length)?;
            Ok(Ok(reader.take(parameters)?))
        }
        other => Err(Malformed::Tag(other)),
    }
}

/// The own part of a response to [`read_public`].
///
/// # Errors
/// Where it is none, or is about another index.
pub fn public(index: u32, body: &[u8]) -> Result<Public, Malformed> {
    let mut body = Reader(body);
    let mut public = Reader(body.sized()?);
    body.sized()?;
    body.end()?;
    if public.u32()? != index {
        return Err(Malformed::Index);
    }
    let algorithm = public.u16()?;
    let attributes = public.u32()?;
    let policy = public.sized()?;
    let size = public.u16()?;
    public.end()?;
    let made_here = (algorithm, attributes & !WRITTEN, size) == (SHA256, ATTRIBUTES, COUNTER_BYTES);
    Ok(match <&[u8; LABEL_BYTES]>::try_from(policy) {
        Ok(label) if made_here => Public::Counter {
            label: Label::from_bytes(label),
            written: attributes & WRITTEN != 0,
        },
        _ => Public::Foreign,
    })
}

/// The own part of a response to [`read`].
///
/// # Errors
/// Where it is none.
pub fn value(body: &[u8]) -> Result<u64, Malformed> {
    let mut body = Reader(body);
    let value = body.sized()?;
    body.end()?;
    let value = value.try_into().map_err(|_| Malformed::Length)?;
    Ok(u64::from_be_bytes(value))
}

/// Takes numbers off the front, highest byte first.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed::Short)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Bytes with their length before them.
    fn sized(&mut self) -> Result<&'a [u8], Malformed> {
        let count = self.u16()?;
        self.take(count.into())
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Length)
        }
    }
}

#[cfg(test)]
mod tests;
