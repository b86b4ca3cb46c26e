//! A hyper server as the gate runs it, on bytes in memory.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::{Guard, HEAD_BYTES, HEADERS_MAX, Watch};
use super::Seen;

/// What a client sends, and what it gets.
#[derive(Default)]
struct Pipe {
    pieces: VecDeque<Vec<u8>>,
    got: Vec<u8>,
    ended: bool,
}

#[derive(Clone, Default)]
struct End(Rc<RefCell<Pipe>>);

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut pipe = self.0.borrow_mut();
        let Some(mut piece) = pipe.pieces.pop_front() else {
            return if pipe.ended {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            };
        };
        let rest = piece.split_off(piece.len().min(buf.remaining()));
        buf.put_slice(&piece);
        if !rest.is_empty() {
            pipe.pieces.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().got.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

thread_local! {
    /// For the guard's timer, which needs a clock.
    static CLOCK: tokio::runtime::Runtime = clock();
}

#[expect(clippy::expect_used, reason = "tests and fuzzing alone")]
fn clock() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().expect("a runtime")
}

/// The requests that hyper reads from `pieces`, and the bytes that it answers with.
pub(super) fn hyper(pieces: &[&[u8]], guarded: bool) -> (Vec<Seen>, Vec<u8>) {
    let end = End::default();
    end.0.borrow_mut().pieces = pieces.iter().map(|piece| piece.to_vec()).collect();
    let requests = Rc::new(RefCell::new(Vec::new()));
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    if guarded {
        let (stream, watch) = Guard::http1(end.clone(), client);
        serve(stream, &watch, &end, &requests);
    } else {
        serve(end.clone(), &Arc::default(), &end, &requests);
    }
    let got = std::mem::take(&mut end.0.borrow_mut().got);
    let requests = requests.borrow().clone();
    (requests, got)
}

/// Serves all that `end` has on `stream`.
fn serve<S>(stream: S, watch: &Arc<Watch>, end: &End, requests: &Rc<RefCell<Vec<Seen>>>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let service = service_fn(|request| answer(Rc::clone(requests), Arc::clone(watch), request));
    CLOCK.with(|clock| {
        let _entered = clock.enter();
        let mut server = http1::Builder::new();
        server.max_headers(HEADERS_MAX).max_buf_size(2 * HEAD_BYTES);
        let mut served = pin!(server.serve_connection(TokioIo::new(stream), service));
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        for ended in [false, true] {
            end.0.borrow_mut().ended = ended;
            woken.0.store(true, Ordering::Relaxed);
            while woken.0.swap(false, Ordering::Relaxed) {
                if served.as_mut().poll(&mut cx).is_ready() {
                    return;
                }
            }
        }
    });
}

async fn answer(
    requests: Rc<RefCell<Vec<Seen>>>,
    watch: Arc<Watch>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, mut body) = request.into_parts();
    if !parts.headers.contains_key("host") {
        return Ok(refusal(watch.refused_head()));
    }
    let mut seen = Seen {
        method: parts.method.as_str().into(),
        target: parts.uri.to_string().into_bytes(),
        is_http11: parts.version == Version::HTTP_11,
        ..Seen::default()
    };
    for (name, value) in &parts.headers {
        let values = seen.fields.entry(name.as_str().into()).or_default();
        values.push(value.as_bytes().into());
    }
    let place = requests.borrow().len();
    requests.borrow_mut().push(seen);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Ok(refusal(watch.refused_body()));
        };
        let data = frame.into_data().unwrap_or_default();
        requests.borrow_mut()[place].body.extend_from_slice(&data);
    }
    requests.borrow_mut()[place].is_whole = true;
    if parts.headers.contains_key("upgrade") {
        watch.upgrade_answered(http::StatusCode::OK);
    }
    Ok(Response::default())
}

/// What the gate answers; 500 where a request broke off for another reason.
fn refusal(reason: Option<super::Reason>) -> Response<Full<Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = reason.map_or(http::StatusCode::INTERNAL_SERVER_ERROR, |reason| {
        reason.status()
    });
    response
}
