//! Clients of a server behind a guard, which hear frames.

use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::runtime::Runtime;

use super::super::FrameGuard;
use crate::strict::frames::client::frame;
use crate::strict::frames::head::GOAWAY;
use crate::strict::frames::tests::PREFACE;
use crate::strict::frames::{PAYLOAD_BYTES, TABLE_BYTES};

/// How much a stream holds that nobody reads, in bytes.
pub(super) const BUFFER_BYTES: usize = 64 * 1024;

/// `GET` and `POST https://a/`.
pub(super) const GET: &[u8] = &[0x82, 0x87, 0x84, 0x01, 0x01, b'a'];
pub(super) const POST: &[u8] = &[0x83, 0x87, 0x84, 0x01, 0x01, b'a'];

/// A frame as the client hears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u8,
    pub(super) payload: Vec<u8>,
}

impl Heard {
    /// The code of a GOAWAY or of a RST_STREAM.
    pub(super) fn code(&self) -> h2::Reason {
        let before = if self.kind == GOAWAY { 4 } else { 0 };
        let code = self.payload[before..before + 4].try_into().unwrap();
        h2::Reason::from(u32::from_be_bytes(code))
    }
}

/// Takes the whole frames from the beginning of what was read.
fn take(bytes: &mut Vec<u8>) -> Vec<Heard> {
    let mut frames = Vec::new();
    while let [_, l1, l2, kind, flags, _, _, _, stream, behind @ ..] = &bytes[..] {
        let length = usize::from(u16::from_be_bytes([*l1, *l2]));
        let Some(payload) = behind.get(..length) else {
            break;
        };
        let payload = payload.to_vec();
        frames.push(Heard {
            kind: *kind,
            flags: *flags,
            stream: *stream,
            payload,
        });
        bytes.drain(..9 + length);
    }
    frames
}

/// Says how long the body was; where that is asked on `/slow`, after a while.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/slow" {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    let body = request.into_body().collect().await;
    let length = body.map_or(0, |body| body.to_bytes().len());
    Ok(Response::new(Full::from(length.to_string())))
}

fn client() -> std::net::IpAddr {
    std::net::Ipv4Addr::LOCALHOST.into()
}

/// A client of a server, whose stream is guarded or not, and holds so many bytes.
pub(super) fn served(is_guarded: bool, room: usize) -> DuplexStream {
    let (near, far) = tokio::io::duplex(room);
    let mut server = http2::Builder::new(TokioExecutor::new());
    server
        .max_frame_size(PAYLOAD_BYTES)
        .header_table_size(TABLE_BYTES);
    let service = service_fn(answer);
    if is_guarded {
        let (guard, _) = FrameGuard::new(far, client());
        tokio::spawn(server.serve_connection(TokioIo::new(guard), service));
    } else {
        tokio::spawn(server.serve_connection(TokioIo::new(far), service));
    }
    near
}

/// What a client hears that sends pieces of `size` and then listens for a minute at most.
pub(super) async fn hear(stream: DuplexStream, bytes: &[u8], size: usize) -> Vec<Heard> {
    let (mut from, mut to) = tokio::io::split(stream);
    let send = async {
        for piece in bytes.chunks(size) {
            if to.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    let mut heard = Vec::new();
    let hear = async {
        // The connection may be reset, at last.
        let read = from.read_to_end(&mut heard);
        let _ = tokio::time::timeout(Duration::from_secs(60), read).await;
    };
    tokio::join!(send, hear);
    let frames = take(&mut heard);
    assert!(heard.is_empty(), "it ends within a frame");
    frames
}

/// A runtime whose time passes at once where nothing else is to be done.
pub(super) fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

/// A client that goes on with what it heard.
pub(super) struct Visit {
    stream: DuplexStream,
    heard: Vec<u8>,
}

impl Visit {
    pub(super) async fn begin() -> Self {
        let mut visit = Self {
            stream: served(true, BUFFER_BYTES),
            heard: Vec::new(),
        };
        visit.send(&[PREFACE]).await;
        visit.send(&[&frame(4, 1, 0, &[])]).await;
        visit
    }

    pub(super) async fn send(&mut self, frames: &[&[u8]]) {
        self.stream.write_all(&frames.concat()).await.unwrap();
    }

    /// All frames up to one that is `wanted`, or to the end.
    pub(super) async fn hear(&mut self, wanted: impl Fn(&Heard) -> bool) -> Vec<Heard> {
        let mut all = Vec::new();
        loop {
            let frames = take(&mut self.heard);
            let found = frames.iter().any(&wanted);
            all.extend(frames);
            if found || self.stream.read_buf(&mut self.heard).await.unwrap() == 0 {
                return all;
            }
        }
    }

    /// Whether the connection goes on.
    pub(super) async fn is_alive(&mut self) -> bool {
        self.send(&[&frame(6, 0, 0, b"whatever")]).await;
        let is_answer = |it: &Heard| it.kind == 6 && it.payload == b"whatever" && it.flags == 1;
        self.hear(is_answer).await.iter().any(is_answer)
    }
}
