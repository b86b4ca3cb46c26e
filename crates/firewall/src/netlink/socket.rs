//! A netlink socket. The kernel answers before `sendmsg(2)` returns, so every call here is short and blocks nobody.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{
    Timeout, set_socket_recv_buffer_size, set_socket_recv_buffer_size_force,
    set_socket_send_buffer_size, set_socket_send_buffer_size_force, set_socket_timeout,
    socket_send_buffer_size,
};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recvfrom, sendto,
    socket_with,
};

use super::{DONE, DUMP_INTERRUPTED, ERROR, Malformed, Message, messages};

/// Room for one answer, in bytes: as much as the kernel ever puts into one of a dump (`netlink_dump` in the kernel).
const ANSWER_BYTES: usize = 32 * 1024;

/// Room for what waits to be sent or read, in bytes.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// What the kernel keeps of the buffer for itself, in bytes (`netlink_sendmsg` in the kernel).
const KEPT_BYTES: usize = 32;

/// How long to wait for an answer that the kernel gives at once.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The socket failed.
    #[error("the netlink socket failed")]
    Io(#[from] io::Error),
    /// The kernel refused one of the messages.
    #[error("the kernel refused message {sequence}: {source}")]
    Refused {
        /// Its number.
        sequence: u32,
        /// Why.
        source: Errno,
    },
    /// What it sent cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It said nothing about what it was asked.
    #[error("the kernel did not acknowledge the change")]
    Silent,
    /// What was dumped changed meanwhile.
    #[error("the kernel's table changed while it was read")]
    Interrupted,
}

impl SocketError {
    /// The kernel's reason, where it gave one.
    #[must_use]
    pub const fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused { source, .. } => Some(*source),
            _ => None,
        }
    }

    /// Whether something was lost because too much was said at once. The socket goes on hearing.
    #[must_use]
    pub fn is_overrun(&self) -> bool {
        matches!(self, Self::Io(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()))
    }
}

impl From<Errno> for SocketError {
    fn from(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

/// A socket to one of the kernel's subsystems.
#[derive(Debug)]
pub struct Socket {
    descriptor: OwnedFd,
    answer: Vec<u8>,
    /// The number of the last request.
    sequence: u32,
    /// Of the last request's answer something may be left: it was not read to its end.
    unread: bool,
}

impl Socket {
    /// Opens one to `protocol` (`None`: `NETLINK_ROUTE`) that hears the groups in the mask `groups`.
    ///
    /// # Errors
    /// Whatever the kernel says to it.
    pub fn open(protocol: Option<Protocol>, groups: u32) -> Result<Self, SocketError> {
        let descriptor = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            protocol,
        )?;
        bind(&descriptor, &SocketAddrNetlink::new(0, groups))?;
        // More than the system's limit is permitted to whoever has CAP_NET_ADMIN over the whole machine; in a container of
        // its own users the limit applies, which suffices for all but the largest answers.
        if set_socket_send_buffer_size_force(&descriptor, BUFFER_BYTES).is_err() {
            set_socket_send_buffer_size(&descriptor, BUFFER_BYTES)?;
        }
        if set_socket_recv_buffer_size_force(&descriptor, BUFFER_BYTES).is_err() {
            set_socket_recv_buffer_size(&descriptor, BUFFER_BYTES)?;
        }
        set_socket_timeout(&descriptor, Timeout::Recv, Some(ANSWER_TIME))?;
        Ok(Self {
            descriptor,
            answer: vec![0; ANSWER_BYTES],
            sequence: 0,
            unread: false,
        })
    }

    /// The port that the kernel knows it by.
    ///
    /// # Errors
    /// Whatever the kernel says to it.
    pub fn port(&self) -> Result<u32, SocketError> {
        let address = rustix::net::getsockname(&self.descriptor)?;
        Ok(SocketAddrNetlink::try_from(address)?.pid())
    }

    /// Bytes of the longest batch that it takes.
    ///
    /// # Errors
    /// Whatever the kernel says to it.
    pub fn capacity(&self) -> Result<usize, SocketError> {
        Ok(socket_send_buffer_size(&self.descriptor)?.saturating_sub(KEPT_BYTES))
    }

    /// Sends a batch and takes all that the kernel says to it. It succeeds only where `sequence` is acknowledged.
    ///
    /// # Errors
    /// [`SocketError::Refused`] with the first refusal; then nothing of the batch was done.
    pub fn commit(&mut self, batch: &[u8], sequence: u32) -> Result<(), SocketError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.send(batch)?;
        let mut acknowledged = false;
        let mut refused = None;
        // Whatever is refused is told of before what comes last is acknowledged.
        while !acknowledged {
            let length = match self.receive()? {
                Some(length) => length,
                None if refused.is_some() => break,
                None => return Err(SocketError::Silent),
            };
            for message in messages(&self.answer[..length]) {
                let message = message?;
                if message.kind != ERROR {
                    continue;
                }
                match error(&message)? {
                    None => acknowledged |= message.sequence == sequence,
                    Some(source) => {
                        refused.get_or_insert(SocketError::Refused {
                            sequence: message.sequence,
                            source,
                        });
                    }
                }
            }
        }
        self.unread = false;
        refused.map_or(Ok(()), Err)
    }

    /// Sends the request that `request` makes with its number, and hands its answers to `each`, up to the end of the dump or the acknowledgement.
    ///
    /// # Errors
    /// [`SocketError::Interrupted`] where a dump is not of one moment; `each` has had all of it.
    pub fn ask<E: From<SocketError>>(
        &mut self,
        request: impl FnOnce(u32) -> Vec<u8>,
        mut each: impl FnMut(&Message<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        self.send(&request(sequence))?;
        let mut interrupted = false;
        loop {
            let length = self.receive()?.ok_or(SocketError::Silent)?;
            for message in messages(&self.answer[..length]) {
                let message = message.map_err(SocketError::from)?;
                if message.sequence != sequence {
                    continue;
                }
                interrupted |= message.flags & DUMP_INTERRUPTED != 0;
                match message.kind {
                    ERROR | DONE => {
                        self.unread = false;
                        return match error(&message)? {
                            Some(source) => Err(SocketError::Refused { sequence, source }.into()),
                            None if interrupted => Err(SocketError::Interrupted.into()),
                            None => Ok(()),
                        };
                    }
                    _ => each(&message)?,
                }
            }
        }
    }

    /// What has come to the groups that it hears, all of it; nothing where there is nothing.
    ///
    /// # Errors
    /// `ENOBUFS` in [`SocketError::Io`] where something was lost.
    pub fn heard(&mut self, mut each: impl FnMut(&Message<'_>)) -> Result<(), SocketError> {
        while let Some(length) = self.receive()? {
            for message in messages(&self.answer[..length]) {
                each(&message?);
            }
        }
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), SocketError> {
        // A dump that was broken off goes on, and keeps the kernel from beginning another.
        while self.unread {
            match self.receive() {
                Ok(Some(_)) => {}
                Ok(None) => self.unread = false,
                Err(error) if error.is_overrun() => {}
                Err(error) => return Err(error),
            }
        }
        let kernel = SocketAddrNetlink::new(0, 0);
        let sent = sendto(&self.descriptor, bytes, SendFlags::empty(), &kernel)?;
        self.unread = true;
        if sent == bytes.len() {
            Ok(())
        } else {
            Err(SocketError::Silent)
        }
    }

    /// The next datagram of the kernel's; `None` where there is none. Any process may send to a netlink socket.
    fn receive(&mut self) -> Result<Option<usize>, SocketError> {
        loop {
            let flags = RecvFlags::TRUNC | RecvFlags::DONTWAIT;
            match recvfrom(&self.descriptor, &mut self.answer[..], flags) {
                Ok((length, whole, sender)) => {
                    let sender = sender.map(SocketAddrNetlink::try_from).transpose()?;
                    if sender.is_none_or(|sender| sender.pid() != 0) {
                        continue;
                    }
                    if whole > length {
                        return Err(Malformed.into());
                    }
                    return Ok(Some(length));
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The error in `struct nlmsgerr`, or in what ends a dump; none where its number is 0 or there is none.
fn error(message: &Message<'_>) -> Result<Option<Errno>, SocketError> {
    let Some(number) = message.body.get(..4) else {
        return if message.kind == DONE {
            Ok(None)
        } else {
            Err(Malformed.into())
        };
    };
    let number = i32::from_ne_bytes(number.try_into().map_err(|_| Malformed)?);
    Ok((number != 0).then(|| Errno::from_raw_os_error(number.saturating_neg())))
}
