//! Few connections for many answers that take long.
//!
//! HTTP/2 with prior knowledge (RFC 9113, section 3.3). An answer that says nothing costs a stream then, and not a
//! connection with its descriptor and its buffers at both ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http2;
use tokio::sync::OnceCell;

use crate::idle::Uses;

/// Answers at once on one connection.
pub const STREAMS_PER_CONNECTION: u32 = 128;

/// Bytes of one answer, or of one request, that wait for a reader who is slow to take them.
pub(crate) const STREAM_WINDOW: u32 = 16 * 1024;

/// Bytes that wait on one connection: what all its streams may leave waiting, so that readers who are slow never hold up
/// another.
pub(crate) const CONNECTION_WINDOW: u32 = STREAMS_PER_CONNECTION * STREAM_WINDOW;

/// What sends requests over one connection.
pub(crate) type Sender = http2::SendRequest<Full<Bytes>>;

/// A connection, which may still have to be opened.
#[derive(Debug)]
pub(crate) struct Line {
    /// Lines that were made later have a greater one.
    number: u64,
    /// The streams.
    pub(crate) uses: Uses,
    pub(crate) sender: OnceCell<Sender>,
}

impl Line {
    fn new(number: u64) -> Self {
        Self {
            number,
            uses: Uses::default(),
            sender: OnceCell::new(),
        }
    }

    fn is_closed(&self) -> bool {
        self.sender.get().is_some_and(Sender::is_closed)
    }
}

/// The connections of one thread.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<Arc<Line>>);

impl Lines {
    /// A place on the first line that has one, so that the last ones fall idle; where none has, on a new one.
    pub(crate) fn take(&mut self, number: u64) -> Place {
        self.0.retain(|line| !line.is_closed());
        let free = |line: &&Arc<Line>| line.uses.now() < STREAMS_PER_CONNECTION;
        let line = match self.0.iter().find(free) {
            Some(line) => Arc::clone(line),
            None => {
                let line = Arc::new(Line::new(number));
                self.0.push(Arc::clone(&line));
                line
            }
        };
        line.uses.begin();
        Place(line)
    }

    /// Opens nothing more on those that were made before `number`; what is open there goes on.
    pub(crate) fn forget(&mut self, number: u64) {
        self.0.retain(|line| line.number >= number);
    }
}

/// A place on a line, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Line>);

impl Place {
    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.uses.end();
    }
}

/// Whether a service that broke off has provably not seen a request: it refused the stream, or was going away and said
/// which ones it still takes (RFC 9113, sections 6.8 and 8.7).
pub(crate) fn was_not_taken(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut errors = causes.filter_map(|error| error.downcast_ref::<h2::Error>());
    errors.any(|error| {
        let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        // Of the streams that a service still takes, none ends with the error of its going away.
        error.is_remote() && (refused || error.is_go_away())
    })
}

/// The body of an answer that came over a shared connection. Dropping it resets the stream, and the service notices.
#[derive(Debug)]
pub struct Streamed {
    body: Incoming,
    _place: Place,
}

impl Streamed {
    pub(crate) const fn new(body: Incoming, place: Place) -> Self {
        Self {
            body,
            _place: place,
        }
    }
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_filled_before_another_is_made() {
        let mut lines = Lines::default();
        let mut places: Vec<_> = (0..STREAMS_PER_CONNECTION).map(|_| lines.take(0)).collect();
        let second = lines.take(1);
        assert_eq!((lines.0.len(), second.line().number), (2, 1));
        // The first has a place again.
        places.truncate(5);
        assert_eq!(lines.take(2).line().number, 0);
    }

    #[test]
    fn what_was_there_before_is_forgotten_and_what_came_since_is_kept() {
        let mut lines = Lines::default();
        let places: Vec<_> = (0..=STREAMS_PER_CONNECTION)
            .map(|number| lines.take(u64::from(number)))
            .collect();
        lines.forget(1);
        let later = u64::from(STREAMS_PER_CONNECTION);
        assert_eq!(lines.take(1000).line().number, later);
        drop(places);
        lines.forget(1000);
        assert_eq!(lines.take(1000).line().number, 1000);
    }
}
