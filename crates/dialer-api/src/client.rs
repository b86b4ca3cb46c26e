//! Calls the dialer.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::{
    DIAL_PATH, DIAL_TIME, DialError, DialRequest, HANDOVER_TIME, PROBLEM_BYTES, PROTOCOL,
    READY_BYTE, Refusal, descriptor,
};

/// Longest detail of a refusal that is kept, in characters.
const DETAIL_CHARS: usize = 300;

/// A client of the dialer behind one socket. Every call has a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    socket: Arc<Path>,
}

impl Client {
    /// A client of the dialer behind `socket`, the caller's own. Nothing is opened yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into().into(),
        }
    }

    /// The path of the socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Has the dialer connect to `host` and returns the connected socket,
    /// non-blocking, ready for `tokio::net::TcpStream::from_std`. Takes at
    /// most [`DIAL_TIME`]. Dropping the future closes everything.
    ///
    /// # Errors
    /// As [`DialError`] lists.
    pub async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        timeout(DIAL_TIME, self.call(host, port))
            .await
            .map_err(|_| DialError::Silent(DIAL_TIME))?
    }

    async fn call(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let request = request(host, port);
        let stream =
            UnixStream::connect(&*self.socket)
                .await
                .map_err(|source| DialError::Absent {
                    path: self.socket.to_path_buf(),
                    source,
                })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(DialError::Call)?;
        let mut connection = pin!(connection.with_upgrades());
        let mut exchange = pin!(async {
            let response = sender
                .send_request(request)
                .await
                .map_err(DialError::Call)?;
            answered(response).await
        });
        // Both are driven here and not in a task, so that dropping this
        // future leaves nothing behind.
        let stream = tokio::select! {
            stream = &mut exchange => stream?,
            _ = &mut connection => exchange.await?,
        };
        timeout(HANDOVER_TIME, take(stream))
            .await
            .map_err(|_| DialError::Silent(HANDOVER_TIME))?
    }
}

fn request(host: &str, port: u16) -> Request<Full<Bytes>> {
    let wanted = DialRequest {
        host: host.to_owned(),
        port,
    };
    // A string and a number always serialise.
    let body = serde_json::to_vec(&wanted).unwrap_or_default();
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static(DIAL_PATH);
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("dialer"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static(PROTOCOL));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    request
}

/// The stream after the switch of protocols, or why there was none.
async fn answered(response: Response<Incoming>) -> Result<UnixStream, DialError> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refused(response).await);
    }
    let protocol = response.headers().get(header::UPGRADE);
    if protocol.is_none_or(|name| name != PROTOCOL) {
        return Err(DialError::Contract("it switched to another protocol"));
    }
    let upgraded = hyper::upgrade::on(response)
        .await
        .map_err(DialError::Call)?;
    let parts = upgraded
        .downcast::<TokioIo<UnixStream>>()
        .map_err(|_| DialError::Contract("the stream is not the one that was opened"))?;
    if !parts.read_buf.is_empty() {
        return Err(DialError::Contract(
            "it sent something before it was asked to",
        ));
    }
    Ok(parts.io.into_inner())
}

async fn take(mut stream: UnixStream) -> Result<TcpStream, DialError> {
    stream
        .write_all(&[READY_BYTE])
        .await
        .map_err(DialError::Handover)?;
    descriptor::take(&stream).await
}

async fn refused(response: Response<Incoming>) -> DialError {
    let Some(kind) = Refusal::from_status(response.status()) else {
        return DialError::Contract("it answered with a status that says nothing");
    };
    let body = Limited::new(response.into_body(), PROBLEM_BYTES)
        .collect()
        .await;
    let detail = body.map_or_else(|_| String::new(), |body| detail(&body.to_bytes()));
    DialError::Refused { kind, detail }
}

/// The `detail` of a problem document (RFC 9457), in one line and bounded; empty if there is none.
fn detail(document: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }
    serde_json::from_slice::<Problem>(document).map_or_else(
        |_| String::new(),
        |problem| {
            let line = problem
                .detail
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c });
            line.take(DETAIL_CHARS).collect()
        },
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_detail_is_read() {
        assert_eq!(
            detail(br#"{"status":403,"detail":"Not declared."}"#),
            "Not declared."
        );
        assert_eq!(detail(b"not JSON"), "");
    }

    proptest! {
        #[test]
        fn any_document_gives_one_bounded_line(
            document in proptest::collection::vec(any::<u8>(), 0..2048),
            text in "\\PC*|(.|\n){0,600}",
        ) {
            for document in [document, serde_json::json!({ "detail": text }).to_string().into_bytes()] {
                let line = detail(&document);
                prop_assert!(line.chars().count() <= DETAIL_CHARS);
                prop_assert!(!line.contains(char::is_control));
            }
        }
    }
}
