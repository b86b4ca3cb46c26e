//! The access log: one structured journal record for each request.
//!
//! `TARGET=access`, and in fields (the journal puts `CASEMATE_` before their names)
//! METHOD, PATH, STATUS (where there was an answer), BYTES (of its body), MS (until all of it was
//! sent), WHOLE (whether all of it was), PROTOCOL, REQUEST (the id that every
//! service's records of this request have too), BOT and CLIENT where there are any,
//! and LEFT_OUT: how many requests before this one were not written down, because
//! there were more than may be in a second.

mod budget;
mod settings;
mod shown;

pub use settings::{ClientShown, Settings};

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use event::Shown;
use http::header::HeaderValue;
use http::{StatusCode, Version};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, SizeHint};
use ipc::{Body, BoxError};
use secret::Key;

use crate::Error;
use budget::Budget;

/// How requests are written down.
#[derive(Debug)]
pub(crate) struct AccessLog {
    access: bool,
    client: ClientShown,
    /// For hashes of clients. It is made at start and forgotten at the end.
    key: Key,
    budget: Mutex<Budget>,
    begun: Instant,
}

impl AccessLog {
    /// # Errors
    /// When there are no random bytes.
    pub(crate) fn new(settings: &Settings) -> Result<Self, Error> {
        let mut key = [0; secret::KEY_BYTES];
        secret::fill_random(&mut key).map_err(Error::Randomness)?;
        Ok(Self {
            access: settings.access,
            client: settings.client,
            key: Key::new(key),
            budget: Mutex::new(Budget::of(settings.per_second)),
            begun: Instant::now(),
        })
    }

    /// A record of a request that has just come; none where none is to be written.
    pub(crate) fn record(
        &self,
        request: &http::request::Parts,
        client: IpAddr,
        bot: Option<&str>,
        id: &HeaderValue,
        begun: Instant,
    ) -> Option<Record> {
        if !self.access {
            return None;
        }
        let second = begun.saturating_duration_since(self.begun).as_secs();
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = budget.take(second)?;
        drop(budget);
        Some(Record {
            method: request.method.as_str().to_owned(),
            path: shown::path(request.uri.path()),
            bot: bot.map(str::to_owned),
            protocol: protocol(request.version),
            client: shown::client(client, self.client, &self.key),
            id: id.clone(),
            begun,
            left_out: (left_out > 0).then_some(left_out),
            status: None,
            bytes: 0,
            whole: false,
        })
    }
}

const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP",
    }
}

/// What is known of a request. It is written when this is dropped: also where the
/// client went away before there was an answer, which then has no status.
#[derive(Debug)]
pub(crate) struct Record {
    method: String,
    path: String,
    bot: Option<String>,
    protocol: &'static str,
    client: Option<String>,
    id: HeaderValue,
    begun: Instant,
    left_out: Option<u64>,
    status: Option<u16>,
    bytes: u64,
    whole: bool,
}

impl Drop for Record {
    fn drop(&mut self) {
        let (method, path) = (Shown(&self.method), Shown(&self.path));
        let ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Self { bytes, whole, .. } = *self;
        tracing::info!(
            target: "access",
            %method,
            %path,
            status = self.status,
            bytes,
            ms,
            whole,
            protocol = self.protocol,
            request = self.id.to_str().unwrap_or_default(),
            bot = self.bot.as_deref(),
            client = self.client.as_deref(),
            left_out = self.left_out,
            "{method} {path} {} {bytes} B {ms} ms",
            self.status.unwrap_or_default()
        );
    }
}

/// A record in the hands of whoever goes on with the connection after the answer. It is written when the last of them
/// drops it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Handed(Arc<Mutex<Option<Record>>>);

impl Handed {
    /// Hands it over, with the status of the answer.
    pub(crate) fn over(&self, record: Option<Record>, status: StatusCode) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *held = record.map(|mut record| {
            record.status = Some(status.as_u16());
            record
        });
    }

    /// Writes it: so many bytes were sent, and whether it ended as it should.
    pub(crate) fn end(&self, bytes: u64, whole: bool) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut record) = held.take() {
            (record.bytes, record.whole) = (bytes, whole);
        }
    }
}

/// A body that is written down when it ends or is given up, and holds something
/// until then.
pub(crate) struct Recorded<H> {
    body: Body,
    record: Option<Record>,
    ended: bool,
    _held: H,
}

impl<H: Send + Unpin + 'static> Recorded<H> {
    pub(crate) fn body(
        body: Body,
        mut record: Option<Record>,
        status: StatusCode,
        held: H,
    ) -> Body {
        if let Some(record) = &mut record {
            record.status = Some(status.as_u16());
        }
        let recorded = Self {
            body,
            record,
            ended: false,
            _held: held,
        };
        recorded.boxed_unsync()
    }
}

impl<H: Unpin> hyper::body::Body for Recorded<H> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(record) = &mut self.record {
                    record.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
                }
            }
            Poll::Ready(None) => self.ended = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<H> Drop for Recorded<H> {
    fn drop(&mut self) {
        if let Some(record) = &mut self.record {
            record.whole = self.ended || self.body.is_end_stream();
        }
    }
}
