//! Pure: reads what a client sends on an HTTP/1.1 connection and says how much of it may pass.

use super::Reason;
use super::chunk::Chunk;
use super::head::{Body, Head, Next};

/// Sees what a [`Scanner`] takes, in order. What it sees of a head counts only once `head` was called.
pub trait Witness {
    /// A request line.
    fn line(&mut self, _method: &[u8], _target: &[u8], _is_http11: bool) {}
    /// A header, its value without whitespace around it.
    fn field(&mut self, _name: &[u8], _value: &[u8]) {}
    /// The head is whole and taken.
    fn head(&mut self) {}
    /// A piece of the body.
    fn body(&mut self, _piece: &[u8]) {}
    /// The request is whole.
    fn end(&mut self) {}
}

/// Sees nothing.
impl Witness for () {}

/// What a scanner says of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// How many of them may pass.
    pub taken: usize,
    /// Why none behind those may, ever.
    pub refused: Option<Reason>,
}

/// Where on a connection a scanner is.
#[derive(Debug)]
enum State {
    Head(Head),
    /// In a body with this many bytes to come.
    Length(u64, Next),
    Chunked(Chunk, Next),
    /// Behind a request to upgrade that was not answered yet.
    Waiting,
    /// Another protocol is spoken.
    Opaque,
    /// Behind the last request.
    Finished,
    /// Why, and whether it was inside of a body.
    Refused(Reason, bool),
}

/// Reads one HTTP/1.1 connection (RFC 9112).
#[derive(Debug)]
pub struct Scanner {
    state: State,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// At the beginning of a connection.
    #[must_use]
    pub fn new() -> Self {
        let state = State::Head(Head::default());
        Self { state }
    }

    /// Says how much of `bytes` may pass. They begin with the first byte that did not pass yet, and
    /// hold all that was shown before and did not pass. A head passes whole or not at all.
    pub fn scan(&mut self, bytes: &[u8], witness: &mut impl Witness) -> Scan {
        let mut taken = 0;
        let mut refused = None;
        loop {
            match self.step(&bytes[taken..], witness) {
                Ok(Some(more)) => taken += more,
                Ok(None) => break,
                Err(reason) => {
                    self.state = State::Refused(reason, self.is_in_body());
                    refused = Some(reason);
                    break;
                }
            }
        }
        Scan { taken, refused }
    }

    /// Takes the next part; none when more bytes are needed.
    fn step(&mut self, bytes: &[u8], witness: &mut impl Witness) -> Result<Option<usize>, Reason> {
        if bytes.is_empty() {
            return Ok(None);
        }
        match &mut self.state {
            State::Head(head) => {
                let Some(whole) = head.scan(bytes, witness)? else {
                    return Ok(None);
                };
                witness.head();
                match whole.body {
                    Body::Length(0) => self.end(whole.next, witness),
                    Body::Length(left) => self.state = State::Length(left, whole.next),
                    Body::Chunked => self.state = State::Chunked(Chunk::Size, whole.next),
                }
                Ok(Some(whole.bytes))
            }
            State::Length(left, next) => {
                let taken = usize::try_from(*left).map_or(bytes.len(), |n| n.min(bytes.len()));
                witness.body(&bytes[..taken]);
                *left -= taken as u64;
                let (left, next) = (*left, *next);
                if left == 0 {
                    self.end(next, witness);
                }
                Ok(Some(taken))
            }
            State::Chunked(chunk, next) => {
                let taken = chunk.step(bytes, witness)?;
                let (ended, next) = (*chunk == Chunk::End, *next);
                if ended {
                    self.end(next, witness);
                }
                Ok((taken > 0).then_some(taken))
            }
            State::Opaque => Ok(Some(bytes.len())),
            State::Waiting | State::Finished => Ok(None),
            State::Refused(reason, _) => Err(*reason),
        }
    }

    fn end(&mut self, next: Next, witness: &mut impl Witness) {
        witness.end();
        self.state = match next {
            Next::Request => State::Head(Head::default()),
            Next::Upgrade => State::Waiting,
            Next::Nothing => State::Finished,
        };
    }

    /// Whether it takes nothing until [`Self::answered`] says how a request to upgrade was answered.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }

    /// Whether a request ended the connection: what follows is no request.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished)
    }

    /// Whether another protocol is spoken.
    #[must_use]
    pub const fn is_opaque(&self) -> bool {
        matches!(self.state, State::Opaque)
    }

    /// Whether it is inside of a body, or refused what it found there.
    #[must_use]
    pub const fn is_in_body(&self) -> bool {
        matches!(
            self.state,
            State::Length(..) | State::Chunked(..) | State::Refused(_, true)
        )
    }

    /// How the request to upgrade that it is waiting for was answered: with 101, and the client's
    /// bytes are another protocol's from here on, or not, and the next request follows (RFC 9110,
    /// section 7.8). Does nothing where it is not waiting.
    pub fn answered(&mut self, switched: bool) {
        if self.is_waiting() {
            self.state = if switched {
                State::Opaque
            } else {
                State::Head(Head::default())
            };
        }
    }
}
