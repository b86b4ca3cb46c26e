//! Cuts off the answer to a client who is banned while he gets it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use ipc::Body;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::Visit;

/// A body that breaks off, as where its sender fails, when its client is banned.
pub(crate) fn cut(body: Body, visit: Arc<Visit>) -> Body {
    let banned = Box::pin(visit.token().cancelled_owned());
    let cut = Cut {
        body,
        banned,
        _visit: visit,
    };
    cut.boxed_unsync()
}

struct Cut {
    body: Body,
    banned: Pin<Box<WaitForCancellationFutureOwned>>,
    _visit: Arc<Visit>,
}

impl HttpBody for Cut {
    type Data = Bytes;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.banned.as_mut().poll(context).is_ready() {
            let banned = io::Error::new(io::ErrorKind::ConnectionAborted, "the client is banned");
            return Poll::Ready(Some(Err(banned.into())));
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
