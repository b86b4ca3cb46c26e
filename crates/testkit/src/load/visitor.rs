//! One visitor: a connection, and turns over it.

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::Options;
use super::dial::{Dial, Protocol};
use super::seek::Seek;

/// How long a connection or a turn may take.
const TURN: Duration = Duration::from_secs(30);
/// How much of a refusal is told, in bytes.
const REFUSAL_BYTES: usize = 200;

/// A turn that was done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// From the request to the first words.
    pub(super) first: Duration,
    /// From the request to the end of the stream.
    pub(super) whole: Duration,
    /// Length of the stream.
    pub(super) bytes: u64,
}

/// Whom visitors ask, and how they know an answer.
pub(super) struct Target {
    dial: Dial,
    host: HeaderValue,
    path: String,
    first: String,
    done: String,
}

impl Target {
    pub(super) fn new(options: &Options) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            dial: Dial::new(options.connect, &options.host, Protocol::Http1)?,
            host: HeaderValue::from_str(&options.host)?,
            path: options.path.clone(),
            first: options.first.clone(),
            done: options.done.clone(),
        })
    }
}

/// A connection.
pub(super) struct Visitor(SendRequest<Full<Bytes>>);

impl Visitor {
    /// Connects.
    pub(super) async fn connect(target: &Target) -> Result<Self, String> {
        let connecting = async {
            let stream = target.dial.connect().await?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            // What ends a connection is seen by the turn that it ends.
            tokio::spawn(async move { drop(connection.await) });
            Ok::<_, Box<dyn Error + Send + Sync>>(Self(sender))
        };
        match timeout(TURN, connecting).await {
            Ok(connected) => connected.map_err(|error| format!("cannot connect: {error}")),
            Err(_) => Err(format!("cannot connect within {TURN:?}")),
        }
    }

    /// Posts `body` and reads the answer to its end.
    pub(super) async fn turn(&mut self, target: &Target, body: String) -> Result<Turn, String> {
        match timeout(TURN, self.ask(target, body)).await {
            Ok(turn) => turn.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no whole answer within {TURN:?}")),
        }
    }

    async fn ask(
        &mut self,
        target: &Target,
        body: String,
    ) -> Result<Turn, Box<dyn Error + Send + Sync>> {
        let started = Instant::now();
        let request = Request::post(&target.path)
            .header(header::HOST, &target.host)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream")
            .body(Full::from(body))?;
        self.0.ready().await?;
        let mut response = self.0.send_request(request).await?;
        if response.status() != StatusCode::OK {
            let status = response.status();
            let said = response.into_body().collect().await?.to_bytes();
            let said = String::from_utf8_lossy(&said[..said.len().min(REFUSAL_BYTES)]);
            return Err(format!("answered {status}: {said}").into());
        }
        let (mut first, mut done) = (Seek::new(&target.first), Seek::new(&target.done));
        let mut first_came = None;
        let mut bytes = 0;
        let mut last = Bytes::new();
        while let Some(frame) = response.frame().await {
            let Ok(piece) = frame?.into_data() else {
                continue;
            };
            bytes += piece.len() as u64;
            if first_came.is_none() && first.feed(&piece) {
                first_came = Some(started.elapsed());
            }
            done.feed(&piece);
            last = piece;
        }
        match first_came {
            Some(first) if done.found() => Ok(Turn {
                first,
                whole: started.elapsed(),
                bytes,
            }),
            _ => {
                let said = String::from_utf8_lossy(&last[..last.len().min(REFUSAL_BYTES)]);
                Err(format!("an answer that is not whole ended with: {said}").into())
            }
        }
    }
}
