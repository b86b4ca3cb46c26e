//! Reads bodies within bounds.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;

use crate::{BoxError, Response, problem};

/// Why a body was not taken.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// More bytes than this reader takes.
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    /// It did not arrive in time.
    #[error("the body did not arrive within {0:?}")]
    Slow(Duration),
    /// The connection broke.
    #[error("the body broke off")]
    Broken(#[source] BoxError),
    /// It is not the document that was expected.
    #[error("the body is not what was expected: {0}")]
    Malformed(String),
}

impl BodyError {
    /// The status that says this to a client.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) | Self::Malformed(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// The response that says this to a client.
    #[must_use]
    pub fn response(&self) -> Response {
        problem(self.status(), &format!("{self}."))
    }
}

/// How much of a body that is too long is read all the same, in bytes: many
/// clients hear an answer only once they have sent all.
pub const DISCARD_BYTES: usize = 16 * 1024 * 1024;

/// Reads a whole body of at most `bytes` bytes within `time`. Of a longer one
/// nothing is kept, but as much as [`DISCARD_BYTES`] of it is read.
///
/// # Errors
/// As [`BodyError`] lists, but never [`BodyError::Malformed`].
pub async fn read_body<B>(mut body: B, bytes: usize, time: Duration) -> Result<Bytes, BodyError>
where
    B: hyper::body::Body<Data = Bytes> + Send + Unpin,
    B::Error: Into<BoxError>,
{
    let until = tokio::time::Instant::now() + time;
    let read = async {
        if body.size_hint().lower() > bytes as u64 {
            return Err(BodyError::TooLarge(bytes));
        }
        collect(&mut body, bytes).await
    };
    let read = tokio::time::timeout_at(until, read)
        .await
        .map_err(|_| BodyError::Slow(time))?;
    if matches!(read, Err(BodyError::TooLarge(_))) {
        // Whether it ended or ran out of time, the error is the same.
        let _ = tokio::time::timeout_at(until, discard(&mut body)).await;
    }
    read
}

async fn discard<B>(body: &mut B)
where
    B: hyper::body::Body<Data = Bytes> + Send + Unpin,
{
    let mut length = 0_usize;
    while let Some(Ok(frame)) = body.frame().await {
        length += frame.data_ref().map_or(0, Bytes::len);
        if length > DISCARD_BYTES {
            break;
        }
    }
}

async fn collect<B>(body: &mut B, bytes: usize) -> Result<Bytes, BodyError>
where
    B: hyper::body::Body<Data = Bytes> + Send + Unpin,
    B::Error: Into<BoxError>,
{
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError::Broken(error.into()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length > bytes {
            return Err(BodyError::TooLarge(bytes));
        }
        // Most bodies come in one piece and need no copy.
        match first.take() {
            None if rest.is_empty() => first = Some(data),
            None => rest.extend_from_slice(&data),
            Some(earlier) => {
                rest.extend_from_slice(&earlier);
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok(first.unwrap_or_else(|| rest.freeze()))
}

/// Reads a JSON document of at most `bytes` bytes within `time`.
///
/// # Errors
/// As [`BodyError`] lists; [`BodyError::Malformed`] names the line and column.
pub async fn read_json<T, B>(body: B, bytes: usize, time: Duration) -> Result<T, BodyError>
where
    T: DeserializeOwned,
    B: hyper::body::Body<Data = Bytes> + Send + Unpin,
    B::Error: Into<BoxError>,
{
    parse(&read_body(body, bytes, time).await?)
}

/// As [`read_json`], of a JSON object alone: serde takes an array of a struct's
/// values for the struct, which no caller means.
///
/// # Errors
/// As [`read_json`].
pub async fn read_object<T, B>(body: B, bytes: usize, time: Duration) -> Result<T, BodyError>
where
    T: DeserializeOwned,
    B: hyper::body::Body<Data = Bytes> + Send + Unpin,
    B::Error: Into<BoxError>,
{
    let bytes = read_body(body, bytes, time).await?;
    if bytes
        .trim_ascii_start()
        .first()
        .is_some_and(|first| *first != b'{')
    {
        // What is not JSON at all is told so.
        parse::<serde::de::IgnoredAny>(&bytes)?;
        return Err(BodyError::Malformed("it is not a JSON object".to_owned()));
    }
    parse(&bytes)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BodyError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| BodyError::Malformed(format!("it is not UTF-8 ({error})")))?;
    serde_json::from_str(text).map_err(|error| BodyError::Malformed(error.to_string()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{full, stream};

    const TIME: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn a_body_within_its_bounds_is_whole() {
        let (mut sender, body) = stream(4);
        for piece in ["one ", "two ", "three"] {
            sender.send(piece).await.unwrap();
        }
        drop(sender);
        assert_eq!(read_body(body, 13, TIME).await.unwrap(), "one two three");
    }

    #[tokio::test]
    async fn one_byte_too_many_is_refused() {
        let refused = read_body(full("12345"), 4, TIME).await.unwrap_err();
        assert!(matches!(refused, BodyError::TooLarge(4)));
        let (mut sender, body) = stream(4);
        sender.send("123").await.unwrap();
        sender.send("45").await.unwrap();
        drop(sender);
        let refused = read_body(body, 4, TIME).await.unwrap_err();
        assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn a_client_may_send_to_the_end_what_is_not_kept() {
        let (mut sender, body) = stream(1);
        let send = async {
            for _ in 0..64 {
                sender.send(vec![b'a'; 4096]).await.unwrap();
            }
            drop(sender);
        };
        let (refused, ()) = tokio::join!(read_body(body, 4, TIME), send);
        assert!(matches!(refused, Err(BodyError::TooLarge(4))));
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let (_sender, body) = stream(1);
        assert!(matches!(
            read_body(body, 9, TIME).await,
            Err(BodyError::Slow(_))
        ));
    }

    #[tokio::test]
    async fn an_array_is_no_object() {
        #[derive(Debug, serde::Deserialize)]
        struct Named {
            name: String,
        }
        let object = read_object::<Named, _>(full(" {\"name\":\"a\"}"), 99, TIME).await;
        assert_eq!(object.unwrap().name, "a");
        for text in ["[\"a\"]", "[]", "null", "\"a\"", "[", "x", ""] {
            let refused = read_object::<Named, _>(full(text), 99, TIME).await;
            assert!(matches!(refused, Err(BodyError::Malformed(_))), "{text:?}");
        }
    }

    #[tokio::test]
    async fn what_is_not_utf8_is_malformed() {
        let refused = read_json::<String, _>(full(&b"\"\xff\""[..]), 9, TIME).await;
        assert!(matches!(refused, Err(BodyError::Malformed(why)) if why.contains("UTF-8")));
    }
}
