//! Takes a connected TCP socket out of a Unix stream.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::OwnedFd;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SocketType,
    ipproto, recvmsg, sockopt,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::{CARRIER_BYTE, DialError};

/// Room for more descriptors than the one that is expected, so that a peer
/// that sends several is noticed and each is closed. The kernel closes what
/// does not fit and says so (`MSG_CTRUNC`, recvmsg(2)).
const DESCRIPTORS: usize = 4;

/// Waits for the carrier byte and returns the socket that comes with it,
/// non-blocking. Whatever else comes is closed and is an error.
pub(crate) async fn take(stream: &UnixStream) -> Result<TcpStream, DialError> {
    let received = stream
        .async_io(Interest::READABLE, || receive(stream))
        .await
        .map_err(DialError::Handover)?;
    let Received {
        byte,
        mut descriptors,
        whole,
    } = received;
    match byte {
        None => {
            return Err(DialError::Contract(
                "it closed the call before it sent the socket",
            ));
        }
        Some(CARRIER_BYTE) => {}
        Some(_) => {
            return Err(DialError::Contract(
                "another byte came in place of the carrier",
            ));
        }
    }
    let Some(descriptor) = descriptors.pop() else {
        return Err(DialError::Contract("its byte carried no socket"));
    };
    if !whole || !descriptors.is_empty() {
        return Err(DialError::Contract(
            "its byte carried more than one descriptor",
        ));
    }
    connected(descriptor)
}

struct Received {
    byte: Option<u8>,
    descriptors: Vec<OwnedFd>,
    whole: bool,
}

fn receive(stream: &UnixStream) -> io::Result<Received> {
    let mut byte = [0_u8; 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(
        stream,
        &mut [IoSliceMut::new(&mut byte)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT,
    )?;
    let mut descriptors = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            descriptors.extend(rights);
        }
    }
    Ok(Received {
        byte: (message.bytes == 1).then_some(byte[0]),
        descriptors,
        whole: !message.flags.contains(ReturnFlags::CTRUNC),
    })
}

/// Accepts a descriptor only if it is a connected TCP socket: a listener, a
/// file or a datagram socket in its place would be used without being one.
fn connected(descriptor: OwnedFd) -> Result<TcpStream, DialError> {
    const OTHER: DialError = DialError::Contract("it sent something that is not a TCP connection");
    let family = sockopt::socket_domain(&descriptor).map_err(|_| OTHER)?;
    let kind = sockopt::socket_type(&descriptor).map_err(|_| OTHER)?;
    let protocol = sockopt::socket_protocol(&descriptor).map_err(|_| OTHER)?;
    let internet = family == AddressFamily::INET || family == AddressFamily::INET6;
    if !internet || kind != SocketType::STREAM || protocol != Some(ipproto::TCP) {
        return Err(OTHER);
    }
    // Whether a descriptor blocks belongs to what both processes share, so it
    // is set here whatever the dialer did.
    let flags = fcntl_getfl(&descriptor).map_err(|error| DialError::Handover(error.into()))?;
    if !flags.contains(OFlags::NONBLOCK) {
        fcntl_setfl(&descriptor, flags | OFlags::NONBLOCK)
            .map_err(|error| DialError::Handover(error.into()))?;
    }
    let stream = TcpStream::from(descriptor);
    stream.peer_addr().map_err(|_| OTHER)?;
    Ok(stream)
}
