//! Calls the firewall.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use ipc::{Body, Incoming};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::{ANSWER_BYTES, BANS_PER_CALL, BLOCK_TIME, CALL_TIME, LINE_BYTES};
use crate::{
    Applied, BANS_PATH, BLOCKS_PATH, Ban, BlockName, Header, Loaded, Prefix, STATE_PATH, Standing,
    State, Unban,
};

/// Why a call did not succeed. Unless the call was about a block list, nothing of it is in force.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More than [`BANS_PER_CALL`] in one call; nothing was sent.
    #[error("{0} bans are too many for one call, which takes {BANS_PER_CALL}")]
    TooMany(usize),
    /// The firewall could not be reached, so its rules stay as they are.
    #[error("the firewall cannot be reached; its rules stay as they are")]
    Unreachable(#[from] ipc::ClientError),
    /// It did not take the call.
    #[error("the firewall refused the call with {status}: {detail}")]
    Refused {
        /// The status of its reply.
        status: StatusCode,
        /// What it says about it.
        detail: String,
    },
    /// It took longer than that.
    #[error("the firewall did not answer within {0:?}")]
    Silent(Duration),
    /// The connection broke before the answer's end.
    #[error("the firewall broke off its answer")]
    Broken(#[source] ipc::BoxError),
    /// The answer is not what the contract says.
    #[error("the firewall's answer cannot be read: {0}")]
    Answer(String),
}

impl Error {
    /// Whether the same call may succeed a little later without anyone changing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::TooMany(_) => false,
            Self::Refused { status, .. } => status.is_server_error(),
            Self::Unreachable(_) | Self::Silent(_) | Self::Broken(_) | Self::Answer(_) => true,
        }
    }
}

/// A client of the firewall. Clones share their connections, which stay open between calls.
#[derive(Clone, Debug)]
pub struct Client {
    ipc: ipc::Client,
}

impl Client {
    /// A client of the firewall that listens on `socket`. Connects at the first call.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            ipc: ipc::Client::new(socket),
        }
    }

    /// The path of the socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.ipc.socket()
    }

    /// Has bans begin, or last longer. They are in force when this returns.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn ban(&self, bans: &[Ban]) -> Result<Applied, Error> {
        self.change(Method::POST, bans).await
    }

    /// Ends bans. What is not banned is left out of [`Applied::changed`] and is no error.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn unban(&self, prefixes: &[Prefix]) -> Result<Applied, Error> {
        let bans: Vec<Unban> = prefixes.iter().map(|&prefix| Unban { prefix }).collect();
        self.change(Method::DELETE, &bans).await
    }

    async fn change<T: Serialize>(&self, method: Method, list: &[T]) -> Result<Applied, Error> {
        if list.len() > BANS_PER_CALL {
            return Err(Error::TooMany(list.len()));
        }
        // Strings and numbers always serialise.
        let body = serde_json::to_vec(list).unwrap_or_default();
        let call = request(method, BANS_PATH, ipc::full(body), "application/json");
        self.call(call, CALL_TIME).await
    }

    /// All bans in force, in no order, handed to `each` one by one as they arrive.
    ///
    /// # Errors
    /// As [`Error`] lists; `each` may have had some by then.
    pub async fn bans(&self, mut each: impl FnMut(Standing)) -> Result<Header, Error> {
        let call = request(Method::GET, BANS_PATH, ipc::empty(), "application/json");
        let reply = self.reply(call, CALL_TIME).await?;
        let mut body = reply.into_body();
        let mut lines = BytesMut::new();
        let mut header = None;
        while let Some(frame) = within(CALL_TIME, body.frame()).await? {
            let frame = frame.map_err(|error| Error::Broken(error.into()))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            lines.extend_from_slice(&data);
            while let Some(end) = lines.iter().position(|byte| *byte == b'\n') {
                let line = lines.split_to(end + 1);
                if header.is_none() {
                    header = Some(read(&line)?);
                } else {
                    each(read(&line)?);
                }
            }
            if lines.len() > LINE_BYTES {
                return Err(Error::Answer("a line is too long".to_owned()));
            }
        }
        header.ok_or_else(|| Error::Answer("it is empty".to_owned()))
    }

    /// Replaces a block list by the prefixes in `body`, one a line. Until the whole is read and in force, and when
    /// this fails, the one before is.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn put_block(&self, name: &BlockName, body: Body) -> Result<Loaded, Error> {
        let path = format!("{BLOCKS_PATH}{name}");
        let call = request(Method::PUT, &path, body, "text/plain");
        self.call(call, BLOCK_TIME).await
    }

    /// Ends a block list. One that is not there is no error.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn remove_block(&self, name: &BlockName) -> Result<Applied, Error> {
        let path = format!("{BLOCKS_PATH}{name}");
        let call = request(Method::DELETE, &path, ipc::empty(), "text/plain");
        self.call(call, CALL_TIME).await
    }

    /// What is in force, in figures.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn state(&self) -> Result<State, Error> {
        let call = request(Method::GET, STATE_PATH, ipc::empty(), "application/json");
        self.call(call, CALL_TIME).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        call: http::Request<Body>,
        time: Duration,
    ) -> Result<T, Error> {
        let reply = self.reply(call, time).await?;
        ipc::read_json(reply.into_body(), ANSWER_BYTES, CALL_TIME)
            .await
            .map_err(|error| Error::Answer(error.to_string()))
    }

    async fn reply(
        &self,
        call: http::Request<Body>,
        time: Duration,
    ) -> Result<http::Response<Incoming>, Error> {
        let reply = within(time, self.ipc.send(call)).await??;
        if reply.status() == StatusCode::OK {
            return Ok(reply);
        }
        Err(refused(reply).await)
    }
}

fn request(method: Method, path: &str, body: Body, media: &'static str) -> http::Request<Body> {
    let mut request = http::Request::new(body);
    *request.method_mut() = method;
    // Paths are constants and names of letters, digits and hyphens.
    *request.uri_mut() = path.parse().unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    request
}

async fn within<F: Future>(time: Duration, future: F) -> Result<F::Output, Error> {
    tokio::time::timeout(time, future)
        .await
        .map_err(|_| Error::Silent(time))
}

fn read<T: DeserializeOwned>(line: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(line).map_err(|error| Error::Answer(error.to_string()))
}

/// What a reply other than 200 says (RFC 9457).
async fn refused(reply: http::Response<Incoming>) -> Error {
    #[derive(serde::Deserialize)]
    struct Problem {
        detail: String,
    }
    let status = reply.status();
    let problem = ipc::read_json(reply.into_body(), ANSWER_BYTES, CALL_TIME).await;
    Error::Refused {
        status,
        detail: problem.map_or_else(|_| String::new(), |Problem { detail }| detail),
    }
}
