//! Pure: writes messages.

use std::fmt::Display;
use std::io::Write as _;

use super::{ATTRIBUTE_BYTES, HEADER_BYTES, aligned};

/// A bit in an attribute's type: it holds attributes (`NLA_F_NESTED`).
const NESTED: u16 = 0x8000;

/// The head of a message, without its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: u16,
    /// `NLM_F_…`.
    pub flags: u16,
    /// A number that answers repeat.
    pub sequence: u32,
}

/// Messages, one behind the other, as the kernel takes them.
#[derive(Debug, Default, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
    /// Where the message begins that is being written.
    message: usize,
}

impl Writer {
    /// Begins a message. `fixed` is what follows its head, such as `struct nfgenmsg`.
    pub fn begin(&mut self, header: Header, fixed: &[u8]) {
        self.message = self.bytes.len();
        self.bytes.extend([0; 4]);
        self.bytes.extend(header.kind.to_ne_bytes());
        self.bytes.extend(header.flags.to_ne_bytes());
        self.bytes.extend(header.sequence.to_ne_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.extend(fixed);
        self.pad();
        self.lengthen();
    }

    /// Adds an attribute to the message.
    pub fn put(&mut self, kind: u16, value: &[u8]) {
        let length = ATTRIBUTE_BYTES + value.len();
        self.bytes
            .extend(u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.pad();
        self.lengthen();
    }

    /// A number in the network's order, as nf_tables has all of them.
    pub fn put_u32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_be_bytes());
    }

    /// As [`Self::put_u32`].
    pub fn put_u64(&mut self, kind: u16, value: u64) {
        self.put(kind, &value.to_be_bytes());
    }

    /// A text with the NUL that ends it.
    pub fn put_text(&mut self, kind: u16, value: impl Display) {
        let start = self.bytes.len();
        self.bytes.extend([0; 2]);
        self.bytes.extend(kind.to_ne_bytes());
        // To a vector everything can be written.
        let _ = write!(self.bytes, "{value}\0");
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.pad();
        self.lengthen();
    }

    /// Adds an attribute that holds those that `inside` adds. Its length has 16 bits: what is more than 65,535 bytes
    /// has to be divided by the caller.
    pub fn nest(&mut self, kind: u16, inside: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend([0; 2]);
        self.bytes.extend((kind | NESTED).to_ne_bytes());
        inside(self);
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.lengthen();
    }

    /// Adds flags to the message.
    pub fn flag(&mut self, flags: u16) {
        if let Some(before) = self.bytes.get_mut(self.message + 6..self.message + 8) {
            before.copy_from_slice(
                &(u16::from_ne_bytes([before[0], before[1]]) | flags).to_ne_bytes(),
            );
        }
    }

    /// What was written.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// As [`Self::bytes`].
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn pad(&mut self) {
        self.bytes.resize(aligned(self.bytes.len()), 0);
    }

    fn lengthen(&mut self) {
        let length = u32::try_from(self.bytes.len() - self.message).unwrap_or(u32::MAX);
        self.bytes[self.message..self.message + 4].copy_from_slice(&length.to_ne_bytes());
    }
}

/// The shortest message: a head alone.
const _: () = assert!(HEADER_BYTES == 16);
