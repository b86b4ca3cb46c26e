//! The receiving side: takes connections and reads reports off them.

use std::io;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::Interest;
use tokio::net::{UnixListener, UnixStream};

use crate::wire::{Answer, MESSAGE_BYTES, Message, WireError};
use crate::{Peer, UnitError};

/// A listening socket that those who report connect to.
#[derive(Debug)]
pub struct Receiver(UnixListener);

/// One connection of somebody who reports. It is no stream; tokio's type for one is what waits for any Unix socket.
#[derive(Debug)]
pub struct Connection(UnixStream);

/// Room for one packet, to be used again for the next.
#[derive(Debug)]
pub struct Packet([u8; MESSAGE_BYTES + 1]);

impl Default for Packet {
    fn default() -> Self {
        Self([0; MESSAGE_BYTES + 1])
    }
}

/// Why nothing more is read from a connection.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// It said what is not in the contract. It is to be closed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// It broke.
    #[error("the connection broke")]
    Broken(#[from] io::Error),
}

impl Receiver {
    /// Listens on a socket of type `SOCK_SEQPACKET` that the service manager handed over.
    #[must_use]
    pub const fn new(listener: UnixListener) -> Self {
        Self(listener)
    }

    /// The next connection, and whose it is.
    ///
    /// # Errors
    /// When none can be accepted, for instance for want of descriptors. Whoever calls has to wait a little then.
    pub async fn accept(&self) -> io::Result<(Connection, Result<Peer, UnitError>)> {
        let (accepted, _unnamed) = self.0.accept().await?;
        let peer = Peer::of(&accepted);
        Ok((Connection(accepted), peer))
    }
}

impl Connection {
    /// The next message; none where the other side has closed. May be dropped while it waits.
    ///
    /// # Errors
    /// [`ReceiveError`]
    pub async fn next<'p>(
        &self,
        packet: &'p mut Packet,
    ) -> Result<Option<Message<'p>>, ReceiveError> {
        let length = loop {
            self.0.readable().await?;
            match self.read(packet) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => break read?,
            }
        };
        match length {
            0 => Ok(None),
            length if length > MESSAGE_BYTES => Err(WireError::TooLong.into()),
            length => Ok(Some(Message::decode(&packet.0[..length])?)),
        }
    }

    /// Reads a message that is there already; none where there is none yet. For whoever judges many at once.
    ///
    /// # Errors
    /// [`ReceiveError`]
    pub fn try_next<'p>(
        &self,
        packet: &'p mut Packet,
    ) -> Result<Option<Message<'p>>, ReceiveError> {
        match self.read(packet) {
            Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(length) if length > MESSAGE_BYTES => Err(WireError::TooLong.into()),
            Ok(length) => Ok(Some(Message::decode(&packet.0[..length])?)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends an answer if there is room at once; says whether there was.
    ///
    /// # Errors
    /// When the connection broke, or the answer is too long.
    pub fn try_send(&self, answer: &Answer) -> Result<bool, ReceiveError> {
        match self.write(&answer.encode()?) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends an answer once there is room. Whoever calls bounds the time: the other side may not read.
    ///
    /// # Errors
    /// When the connection broke, or the answer is too long.
    pub async fn send(&self, answer: &Answer) -> Result<(), ReceiveError> {
        let packet = answer.encode()?;
        loop {
            self.0.writable().await?;
            match self.write(&packet) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Ok(sent?),
            }
        }
    }

    /// The packet's whole length, of which only what there is room for is kept.
    fn read(&self, packet: &mut Packet) -> io::Result<usize> {
        let read = || receive(&self.0, &mut packet.0);
        self.0.try_io(Interest::READABLE, read)
    }

    fn write(&self, packet: &[u8]) -> io::Result<()> {
        let write = || send_packet(&self.0, packet);
        self.0.try_io(Interest::WRITABLE, write)
    }
}

pub(crate) fn receive(socket: impl std::os::fd::AsFd, room: &mut [u8]) -> io::Result<usize> {
    loop {
        match recv(&socket, &mut *room, RecvFlags::TRUNC | RecvFlags::DONTWAIT) {
            Ok((_kept, length)) => return Ok(length),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

pub(crate) fn send_packet(socket: impl std::os::fd::AsFd, packet: &[u8]) -> io::Result<()> {
    loop {
        match send(&socket, packet, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
