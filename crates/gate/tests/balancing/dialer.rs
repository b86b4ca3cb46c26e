//! A stand-in for the dialer: connects to what it is asked for and hands the socket over, as the contract has it.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::path::Path;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// A dialer that runs until it is aborted. Must be called within a runtime.
pub(crate) fn start(socket: &Path) -> JoinHandle<()> {
    let listener = UnixListener::bind(socket).unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(call(stream));
        }
    })
}

async fn call(mut stream: UnixStream) {
    let mut asked = Vec::new();
    while !asked.ends_with(b"}") {
        if stream.read_buf(&mut asked).await.unwrap() == 0 {
            return;
        }
    }
    let text = String::from_utf8(asked).unwrap();
    assert!(text.starts_with("POST /v1/dial "), "{text}");
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let wanted: serde_json::Value = serde_json::from_str(body).unwrap();
    let (host, port) = (
        wanted["host"].as_str().unwrap(),
        wanted["port"].as_u64().unwrap(),
    );
    let Ok(socket) = TcpStream::connect(format!("{host}:{port}")) else {
        let refused = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(refused.as_bytes()).await.unwrap();
        return;
    };
    let switching = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: casemate-descriptor\r\n\r\n";
    stream.write_all(switching.as_bytes()).await.unwrap();
    if !matches!(stream.read_u8().await, Ok(b'?')) {
        return;
    }
    let give = || {
        let given = [socket.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&given)));
        let byte = [IoSlice::new(b"!")];
        Ok(sendmsg(&stream, &byte, &mut control, SendFlags::DONTWAIT)?)
    };
    let _ = stream.async_io(Interest::WRITABLE, give).await;
}
