//! One connection over HTTP/1.1 or HTTP/2, and requests over it.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::dial::{Dial, Protocol};

/// How long a connection or an answer's beginning may take: longer than any replacement of a service.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request with all of its body.
type Whole = Request<Full<Bytes>>;

/// A connection.
pub(super) struct Caller {
    pub(super) sender: Sender,
    /// Ends with the connection.
    pub(super) ended: JoinHandle<()>,
}

pub(super) enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    H2(http2::SendRequest<Full<Bytes>>),
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The connection was closing, as the client knew: nothing was sent, and another may take the request.
    Unsent,
    /// The request was sent, or could not even be tried.
    Failed(String),
}

impl Caller {
    /// Connects.
    pub(super) async fn connect(dial: &Dial) -> Result<Self, String> {
        let connecting = async {
            let stream = TokioIo::new(dial.connect().await?);
            Ok::<_, Box<dyn Error + Send + Sync>>(match dial.protocol() {
                Protocol::Http1 => {
                    let (sender, connection) = http1::handshake(stream).await?;
                    Self {
                        sender: Sender::Http1(sender),
                        ended: tokio::spawn(async move { drop(connection.await) }),
                    }
                }
                Protocol::H2 => {
                    let (sender, connection) =
                        http2::handshake(TokioExecutor::new(), stream).await?;
                    Self {
                        sender: Sender::H2(sender),
                        ended: tokio::spawn(async move { drop(connection.await) }),
                    }
                }
            })
        };
        match timeout(PATIENCE, connecting).await {
            Ok(connected) => connected.map_err(|error| format!("cannot connect: {error}")),
            Err(_) => Err(format!("cannot connect within {PATIENCE:?}")),
        }
    }

    /// Whether it has ended, or was told to.
    pub(super) fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::H2(sender) => sender.is_closed(),
        }
    }

    /// Sends a request and awaits the head of the answer.
    pub(super) async fn ask(&mut self, request: Whole) -> Result<Response<Incoming>, Unanswered> {
        let answering = async {
            match &mut self.sender {
                Sender::Http1(sender) => {
                    sender.ready().await.map_err(|_| Unanswered::Unsent)?;
                    let sent = sender.try_send_request(request).await;
                    sent.map_err(|mut error| unanswered(error.take_message(), error.into_error()))
                }
                Sender::H2(sender) => {
                    sender.ready().await.map_err(|_| Unanswered::Unsent)?;
                    let sent = sender.try_send_request(request).await;
                    sent.map_err(|mut error| unanswered(error.take_message(), error.into_error()))
                }
            }
        };
        timeout(PATIENCE, answering)
            .await
            .unwrap_or_else(|_| Err(Unanswered::Failed(format!("no answer within {PATIENCE:?}"))))
    }
}

fn unanswered(unsent: Option<Whole>, error: hyper::Error) -> Unanswered {
    match unsent {
        Some(_) => Unanswered::Unsent,
        None => Unanswered::Failed(chain(&error)),
    }
}

/// An error with all that led to it.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(&format!(": {error}"));
        next = error.source();
    }
    text
}

/// What is asked.
pub(super) struct Question {
    uri: String,
    host: HeaderValue,
    protocol: Protocol,
    body: Option<String>,
}

impl Question {
    /// A `GET` of a path, or with a body a `POST` of JSON.
    ///
    /// # Errors
    /// When the host can't be one.
    pub(super) fn new(
        host: &str,
        path: &str,
        protocol: Protocol,
        body: Option<String>,
    ) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            // HTTP/2 names the whole address, HTTP/1.1 the path.
            uri: match protocol {
                Protocol::Http1 => path.to_owned(),
                Protocol::H2 => format!("https://{host}{path}"),
            },
            host: HeaderValue::from_str(host)?,
            protocol,
            body,
        })
    }

    /// Whether its answer is a stream.
    pub(super) fn is_stream(&self) -> bool {
        self.body.is_some()
    }

    /// It as a request; {n} in its body becomes `number`.
    ///
    /// # Errors
    /// When the path can't be one.
    pub(super) fn request(&self, number: u64) -> Result<Whole, String> {
        let mut request = Request::builder().uri(&self.uri);
        if self.protocol == Protocol::Http1 {
            request = request.header(header::HOST, &self.host);
        }
        let body = match &self.body {
            Some(body) => {
                request = request
                    .method(Method::POST)
                    .header(header::CONTENT_TYPE, "application/json");
                Full::from(body.replace("{n}", &number.to_string()))
            }
            None => Full::default(),
        };
        request.body(body).map_err(|error| error.to_string())
    }
}
