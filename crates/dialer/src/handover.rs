//! Gives a connected socket away.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::time::Duration;

use dialer_api::{CARRIER_BYTE, HANDOVER_TIME, READY_BYTE};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncReadExt as _, Interest};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Why a socket was not taken. It is closed then.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// The call broke before the protocols were switched.
    #[error("the caller broke off the call")]
    Upgrade(#[source] hyper::Error),
    /// Reading the caller's byte or sending the socket failed.
    #[error("the caller's stream failed")]
    Stream(#[source] io::Error),
    /// The caller sent something else.
    #[error("the caller does not keep to the contract")]
    Contract,
    /// The caller kept it waiting.
    #[error("the caller did not take the socket within {0:?}")]
    TimedOut(Duration),
}

/// Waits for the caller's byte, sends the socket and closes this process's own
/// copy. Nothing was read from the socket nor written to it.
///
/// # Errors
/// As [`HandoverError`] lists.
pub async fn give(upgrade: OnUpgrade, socket: TcpStream) -> Result<(), HandoverError> {
    timeout(HANDOVER_TIME, async {
        let stream = stream(upgrade.await.map_err(HandoverError::Upgrade)?)?;
        ready(stream, socket).await
    })
    .await
    .map_err(|_| HandoverError::TimedOut(HANDOVER_TIME))?
}

/// The plain stream, if the caller has sent nothing but what it may.
fn stream(upgraded: Upgraded) -> Result<(UnixStream, bool), HandoverError> {
    let parts = upgraded
        .downcast::<TokioIo<UnixStream>>()
        .map_err(|_| HandoverError::Contract)?;
    // The server may have read the byte ahead, together with the request.
    match &*parts.read_buf {
        [] => Ok((parts.io.into_inner(), false)),
        [READY_BYTE] => Ok((parts.io.into_inner(), true)),
        _ => Err(HandoverError::Contract),
    }
}

async fn ready(
    (mut stream, was_sent): (UnixStream, bool),
    socket: TcpStream,
) -> Result<(), HandoverError> {
    if !was_sent {
        let byte = stream.read_u8().await.map_err(HandoverError::Stream)?;
        if byte != READY_BYTE {
            return Err(HandoverError::Contract);
        }
    }
    stream
        .async_io(Interest::WRITABLE, || send(&stream, &socket))
        .await
        .map_err(HandoverError::Stream)
}

fn send(stream: &UnixStream, socket: &TcpStream) -> io::Result<()> {
    let descriptors = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(
        stream,
        &[IoSlice::new(&[CARRIER_BYTE])],
        &mut control,
        SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
    )?;
    Ok(())
}
