//! Bodies and whole responses.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use serde::Serialize;

use crate::{BoxError, Response};

/// The body of every request and response that is sent.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A body of these bytes.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body of nothing.
#[must_use]
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body that is sent piece by piece. `pieces` may wait unread before
/// [`BodySender::send`] does; a reader that is slow slows its writer.
#[must_use]
pub fn stream(pieces: usize) -> (BodySender, Body) {
    let (sender, channel) = Channel::<Bytes, BoxError>::new(pieces);
    (BodySender(sender), channel.boxed_unsync())
}

/// The writing end of [`stream`]. Dropping it ends the body.
#[derive(Debug)]
pub struct BodySender(Sender<Bytes, BoxError>);

/// The reader has gone away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reader has gone away")]
pub struct Closed;

impl BodySender {
    /// Sends one piece, waiting while too many are unread.
    ///
    /// # Errors
    /// [`Closed`] once the reader has gone away.
    pub async fn send(&mut self, piece: impl Into<Bytes>) -> Result<(), Closed> {
        self.0.send_data(piece.into()).await.map_err(|_| Closed)
    }

    /// Ends the body as broken, so that the reader sees an error and not an end.
    pub fn abort(self, why: impl Into<BoxError>) {
        self.0.abort(why.into());
    }
}

/// A response that says no more than that it was done (RFC 9110, 15.3.5).
#[must_use]
pub fn no_content() -> Response {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A response of one JSON document (RFC 8259).
pub fn json<T: Serialize>(status: StatusCode, document: &T) -> Response {
    match serde_json::to_vec(document) {
        Ok(bytes) => typed(status, "application/json", bytes),
        Err(error) => {
            tracing::error!(
                "a response could not be written as JSON; its caller is told 500: {error}"
            );
            problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The answer could not be written.",
            )
        }
    }
}

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

/// A response that says what went wrong, for its client (RFC 9457).
pub fn problem(status: StatusCode, detail: &str) -> Response {
    let document = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail,
    };
    // Strings and a number always serialise.
    let bytes = serde_json::to_vec(&document).unwrap_or_default();
    typed(status, "application/problem+json", bytes)
}

fn typed(status: StatusCode, media_type: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(full(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
