//! Ends connections and streams of events when the gate is about to stop.

use std::pin::Pin;
use std::task::{Context, Poll};

use chat_api::visitor::EVENT_STREAM;
use http::{Response, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use ipc::Body;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Lets a stream of events end, as if all had been said, once `over` is cancelled: the
/// widget then asks for the rest on a new connection. A stream that is cut off would be an
/// error to it, and any other body would look whole though it is not.
pub(crate) fn ends_with(response: Response<Body>, over: &CancellationToken) -> Response<Body> {
    let media_type = response.headers().get(header::CONTENT_TYPE);
    if media_type.is_none_or(|value| !value.as_bytes().starts_with(EVENT_STREAM.as_bytes())) {
        return response;
    }
    let over = Box::pin(over.clone().cancelled_owned());
    response.map(|body| Ending { body, over }.boxed_unsync())
}

/// Marks an answer on HTTP/1.1 as the last of its connection (RFC 9112, section 9.6), so that the visitor asks what is
/// next on another. One that switches protocols is no connection of HTTP any more.
pub(crate) fn told_to_come_again(response: &mut Response<Body>, version: Version) {
    if version == Version::HTTP_11 && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let close = header::HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
}

struct Ending {
    body: Body,
    over: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl HttpBody for Ending {
    type Data = Bytes;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        // What is there is sent first, so that no event is lost that was said.
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending => self.over.as_mut().poll(context).map(|()| None),
            ready => ready,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // It may end before.
        SizeHint::default()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use http_body_util::Channel;

    use super::*;

    fn response(media_type: &'static str, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        let value = header::HeaderValue::from_static(media_type);
        response.headers_mut().insert(header::CONTENT_TYPE, value);
        response
    }

    #[tokio::test]
    async fn events_that_were_said_are_sent_and_then_it_ends() {
        let (mut sender, body) = Channel::<Bytes, ipc::BoxError>::new(2);
        let over = CancellationToken::new();
        let mut ending =
            ends_with(response("text/event-stream", body.boxed_unsync()), &over).into_body();
        sender.send_data(Bytes::from_static(b"one")).await.unwrap();
        over.cancel();
        let frame = ending.frame().await.unwrap().unwrap();
        assert_eq!(&frame.into_data().unwrap()[..], b"one");
        assert!(ending.frame().await.is_none());
    }

    #[test]
    fn the_last_answer_says_so_on_http1_alone() {
        let told = |status, version| {
            let mut response =
                Response::new(Channel::<Bytes, ipc::BoxError>::new(1).1.boxed_unsync());
            *response.status_mut() = status;
            told_to_come_again(&mut response, version);
            response.headers().contains_key(header::CONNECTION)
        };
        assert!(told(StatusCode::OK, Version::HTTP_11));
        assert!(!told(StatusCode::SWITCHING_PROTOCOLS, Version::HTTP_11));
        assert!(!told(StatusCode::OK, Version::HTTP_2));
    }

    #[tokio::test]
    async fn no_other_body_ends_before_its_end() {
        let (mut sender, body) = Channel::<Bytes, ipc::BoxError>::new(2);
        let over = CancellationToken::new();
        over.cancel();
        let body = ends_with(response("text/html", body.boxed_unsync()), &over).into_body();
        let send = async {
            tokio::task::yield_now().await;
            sender
                .send_data(Bytes::from_static(b"whole"))
                .await
                .unwrap();
            drop(sender);
        };
        let (read, ()) = tokio::join!(body.collect(), send);
        assert_eq!(read.unwrap().to_bytes(), "whole");
    }
}
