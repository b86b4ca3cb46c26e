//! Netlink (netlink(7)): messages, attributes and the socket. It knows nothing of what they mean.

mod read;
mod socket;
mod write;

pub use read::{Attribute, Malformed, Message, attributes, messages};
pub use socket::{Socket, SocketError};
pub use write::{Header, Writer};

/// Bytes of `struct nlmsghdr`.
pub const HEADER_BYTES: usize = 16;

/// Bytes of `struct nlattr`.
pub const ATTRIBUTE_BYTES: usize = 4;

/// `NLMSG_ERROR`: an error, or an acknowledgement where its number is 0.
pub const ERROR: u16 = 2;

/// `NLMSG_DONE`: the end of a dump.
pub const DONE: u16 = 3;

/// `NLM_F_REQUEST`.
pub const REQUEST: u16 = 0x01;

/// `NLM_F_ACK`.
pub const ACK: u16 = 0x04;

/// `NLM_F_DUMP_INTR`: what is dumped changed meanwhile.
pub const DUMP_INTERRUPTED: u16 = 0x10;

/// `NLM_F_DUMP`.
pub const DUMP: u16 = 0x300;

/// `NLM_F_CREATE`.
pub const CREATE: u16 = 0x400;

/// `NLM_F_APPEND`.
pub const APPEND: u16 = 0x800;

/// The kernel aligns messages and attributes to this many bytes.
const ALIGNMENT: usize = 4;

const fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT)
}
