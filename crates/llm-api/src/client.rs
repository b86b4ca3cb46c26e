//! Calls the broker.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use ipc::{Incoming, RequestId};

use crate::{
    ANSWER_PATH, AnswerRequest, STATUS_PATH, Status,
    decode::{DecodeError, Decoder},
    limits::{EVENT_TIME, REQUEST_BYTES, STATUS_BYTES, STATUS_TIME},
    request::Invalid,
    stream::Event,
};

/// How long the end of the body may lag behind the answer's last line, so that the connection can be used again.
const CLOSE_TIME: Duration = Duration::from_millis(20);

/// Why the broker's answer did not come, or did not come whole.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request breaks a limit and was not sent.
    #[error("the question cannot be asked: {0}")]
    Invalid(#[from] Invalid),
    /// The broker could not be reached.
    #[error("the provider broker cannot be reached, so nothing is answered")]
    Unreachable(#[from] ipc::ClientError),
    /// The broker did not take the request.
    #[error("the provider broker refused the call with {status}: {detail}")]
    Refused {
        /// The status of its reply.
        status: StatusCode,
        /// What it says about it; shortened.
        detail: String,
    },
    /// Nothing came for [`EVENT_TIME`].
    #[error("the provider broker sent nothing for {} s", EVENT_TIME.as_secs())]
    Silent,
    /// The connection broke in the middle.
    #[error("the connection to the provider broker broke")]
    Broken(#[source] ipc::BoxError),
    /// What came is no answer.
    #[error("the provider broker's answer cannot be used: {0}")]
    Decode(#[from] DecodeError),
    /// The reply to a status call is no status.
    #[error("the provider broker's status cannot be read: {0}")]
    Status(#[source] ipc::BodyError),
}

impl Error {
    /// Whether the same call may succeed a little later without anyone changing anything.
    #[must_use]
    pub fn retry(&self) -> bool {
        match self {
            Self::Invalid(_) => false,
            Self::Refused { status, .. } => status.is_server_error(),
            Self::Unreachable(_)
            | Self::Silent
            | Self::Broken(_)
            | Self::Decode(_)
            | Self::Status(_) => true,
        }
    }
}

/// A client of the broker. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    ipc: ipc::Client,
    request: Option<RequestId>,
}

impl Client {
    /// A client of the broker that listens on `socket`. Connects at the first call.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            ipc: ipc::Client::new(socket),
            request: None,
        }
    }

    /// The same client for one visitor's request: what the broker logs has its id.
    #[must_use]
    pub fn for_request(&self, request: Option<RequestId>) -> Self {
        Self {
            ipc: self.ipc.clone(),
            request,
        }
    }

    /// The path of the socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.ipc.socket()
    }

    /// Asks. Returns as soon as the broker has taken the request; the answer is then read from the stream.
    ///
    /// # Errors
    /// When the request breaks a limit, or the broker is not there or does not take it.
    pub async fn answer(&self, request: &AnswerRequest) -> Result<AnswerStream, Error> {
        request.check()?;
        // Strings and enums always serialise.
        let body = serde_json::to_vec(request).unwrap_or_default();
        if body.len() > REQUEST_BYTES {
            let (bytes, limit) = (body.len(), REQUEST_BYTES);
            return Err(Invalid::TooLong {
                part: "the request",
                bytes,
                limit,
            }
            .into());
        }
        let mut call = http::Request::new(ipc::full(body));
        *call.method_mut() = Method::POST;
        *call.uri_mut() = http::Uri::from_static(ANSWER_PATH);
        call.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if let Some(request) = &self.request {
            request.put(call.headers_mut());
        }
        let reply = within(EVENT_TIME, self.ipc.send(call)).await??;
        if reply.status() != StatusCode::OK {
            return Err(refused(reply).await);
        }
        Ok(AnswerStream {
            body: Some(reply.into_body()),
            decoder: Decoder::new(),
            end: None,
        })
    }

    /// Asks how the providers fare.
    ///
    /// # Errors
    /// When the broker is not there or its reply cannot be read.
    pub async fn status(&self) -> Result<Status, Error> {
        let mut call = http::Request::new(ipc::empty());
        *call.uri_mut() = http::Uri::from_static(STATUS_PATH);
        let reply = within(STATUS_TIME, self.ipc.send(call)).await??;
        if reply.status() != StatusCode::OK {
            return Err(refused(reply).await);
        }
        ipc::read_json(reply.into_body(), STATUS_BYTES, STATUS_TIME)
            .await
            .map_err(Error::Status)
    }
}

async fn within<F: Future>(time: Duration, future: F) -> Result<F::Output, Error> {
    tokio::time::timeout(time, future)
        .await
        .map_err(|_| Error::Silent)
}

/// What a reply other than 200 says (RFC 9457).
async fn refused(reply: http::Response<Incoming>) -> Error {
    #[derive(serde::Deserialize)]
    struct Problem {
        detail: String,
    }
    let status = reply.status();
    let problem = ipc::read_json(reply.into_body(), STATUS_BYTES, STATUS_TIME).await;
    Error::Refused {
        status,
        detail: problem.map_or_else(|_| String::new(), |Problem { detail }| detail),
    }
}

/// An answer as it arrives. Dropping it before its end closes the connection, and the broker stops asking the provider.
#[derive(Debug)]
pub struct AnswerStream {
    /// Gone once the answer is over.
    body: Option<Incoming>,
    decoder: Decoder,
    /// The last event, while the end of the body is read.
    end: Option<Event>,
}

impl AnswerStream {
    /// The next event; `None` after the end, [`Event::Done`] or [`Event::Failed`]. Cancel safe: a call that is dropped
    /// half-way loses nothing, so it may stand in a `select!`.
    ///
    /// # Errors
    /// When the broker hangs, dies or sends what is no answer. There is nothing after an error.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        if self.end.is_none() {
            match self.read().await {
                Ok(Some(event)) if event.is_end() => self.end = Some(event),
                Err(error) => {
                    self.body = None;
                    return Err(error);
                }
                other => return other,
            }
        }
        self.close().await;
        Ok(self.end.take())
    }

    async fn read(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.decoder.next_event()? {
                return Ok(Some(event));
            }
            let Some(body) = &mut self.body else {
                return Ok(None);
            };
            match within(EVENT_TIME, body.frame()).await? {
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.decoder.push(bytes);
                    }
                }
                Some(Err(error)) => return Err(Error::Broken(error.into())),
                None => {
                    self.body = None;
                    self.decoder.finish()?;
                }
            }
        }
    }

    /// Reads the end of the body, which lets the connection serve the next call.
    async fn close(&mut self) {
        if let Some(body) = &mut self.body {
            let rest = async { while let Some(Ok(_)) = body.frame().await {} };
            // Late or broken: the connection is closed instead, which costs the next call a new one.
            let _ = tokio::time::timeout(CLOSE_TIME, rest).await;
            self.body = None;
        }
    }
}
