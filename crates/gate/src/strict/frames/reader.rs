//! Pure: reads what a client sends on an HTTP/2 connection and says how much of it h2 may read.

use super::block::Block;
use super::head::{
    CONTINUATION, DATA, GOAWAY, HEAD_BYTES, HEADERS, Head, PING, PRIORITY, PUSH_PROMISE,
    RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use super::look::{Headers, Look, SETTING_BYTES, require};
use super::streams::{Begins, Streams};
use super::{Fault, PAYLOAD_BYTES};

/// How a client begins a connection (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is done behind the bytes that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// More is needed; what is left, if anything, is the beginning of a frame's head.
    More,
    /// So many of the bytes that follow are for nobody.
    Drop(usize),
    /// This stream ends with an error, before anything else is read.
    Reset(u32),
    /// The connection ends with an error, and nothing more passes.
    End(Fault),
}

/// What is said of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// How many of them may pass.
    pub pass: usize,
    /// What is done behind those.
    pub next: Next,
}

#[derive(Debug)]
enum At {
    /// So many bytes of how a connection begins.
    Preface(usize),
    Head,
    /// Before the rest of a payload, in bytes.
    Payload(Head, Look, usize),
    /// The same, where it ends the connection as soon as h2 has read it.
    Broken(Fault, usize),
    Ended(Fault),
    /// This is not HTTP/2, as h2 will find.
    Other,
}

/// What a client sends on one connection.
#[derive(Debug)]
pub struct Frames {
    at: At,
    had_settings: bool,
    streams: Streams,
    block: Block,
    /// The headers that a CONTINUATION must go on with.
    unfinished: Option<Headers>,
    /// A stream that must end with an error.
    reset: Option<u32>,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            at: At::Preface(0),
            had_settings: false,
            streams: Streams::default(),
            block: Block::default(),
            unfinished: None,
            reset: None,
        }
    }
}

impl Frames {
    /// Says how much of `bytes` may pass. They begin with the first byte that was neither passed nor dropped.
    pub fn scan(&mut self, bytes: &[u8]) -> Scan {
        let mut pass = 0;
        loop {
            match self.step(&bytes[pass..]) {
                Ok(more) => pass += more,
                Err(next) => return Scan { pass, next },
            }
        }
    }

    /// Whether a frame of another's may be put behind what has passed.
    #[must_use]
    pub const fn is_between(&self) -> bool {
        matches!(self.at, At::Head) && self.unfinished.is_none()
    }

    /// Whether the client has begun to say that it goes away; that is kept from h2.
    #[must_use]
    pub const fn goes_away(&self) -> bool {
        matches!(self.at, At::Payload(_, Look::Dropped, _))
    }

    fn step(&mut self, bytes: &[u8]) -> Result<usize, Next> {
        match &mut self.at {
            At::Payload(head, look, 0) => {
                let (head, look) = (*head, *look);
                self.at = At::Head;
                if let Err(fault) = self.end(head, look) {
                    self.at = At::Broken(fault, 0);
                }
                Ok(0)
            }
            At::Broken(fault, 0) | At::Ended(fault) => {
                let fault = *fault;
                self.at = At::Ended(fault);
                Err(Next::End(fault))
            }
            At::Head if self.reset.is_some() => {
                Err(self.reset.take().map_or(Next::More, Next::Reset))
            }
            _ if bytes.is_empty() => Err(Next::More),
            At::Preface(had) => {
                let expected = &PREFACE[*had..];
                let taken = expected.len().min(bytes.len());
                if bytes[..taken] != expected[..taken] {
                    self.at = At::Other;
                } else if taken < expected.len() {
                    *had += taken;
                } else {
                    self.at = At::Head;
                }
                Ok(taken)
            }
            At::Head => {
                let Some(head) = bytes.first_chunk::<HEAD_BYTES>() else {
                    return Err(Next::More);
                };
                let head = Head::read(head);
                match self.begin(head) {
                    // Most frames, and nothing to remember.
                    Ok(Look::Nothing) if bytes.len() - HEAD_BYTES >= head.length => {
                        return Ok(HEAD_BYTES + head.length);
                    }
                    Ok(look) => self.at = At::Payload(head, look, head.length),
                    Err(fault) => {
                        self.at = At::Ended(fault);
                        return Err(Next::End(fault));
                    }
                }
                if self.goes_away() {
                    return Err(Next::Drop(HEAD_BYTES));
                }
                Ok(HEAD_BYTES)
            }
            At::Payload(_, look, left) => {
                let piece = bytes.len().min(*left);
                *left -= piece;
                match look {
                    Look::Nothing => return Ok(piece),
                    Look::Dropped => return Err(Next::Drop(piece)),
                    _ => {}
                }
                let left = *left;
                if let Err(fault) = look.at(&bytes[..piece], left, &mut self.block) {
                    self.at = At::Broken(fault, left);
                }
                Ok(piece)
            }
            At::Broken(_, left) => {
                let piece = bytes.len().min(*left);
                *left -= piece;
                Ok(piece)
            }
            At::Other => Ok(bytes.len()),
        }
    }

    /// A frame begins: what is looked at in it.
    fn begin(&mut self, head: Head) -> Result<Look, Fault> {
        let Head { length, stream, .. } = head;
        if length > PAYLOAD_BYTES as usize {
            return Err(Fault::FrameSize);
        }
        if let Some(headers) = self.unfinished.take() {
            if head.kind != CONTINUATION || headers.stream != stream {
                return Err(Fault::Continuation);
            }
            return Ok(Look::Headers(Headers {
                end_here: head.ends_headers(),
                is_padded: false,
                skip: 0,
                padding: 0,
                ..headers
            }));
        }
        if !self.had_settings {
            if head.kind != SETTINGS || head.is_ack() {
                return Err(Fault::NoSettings);
            }
            self.had_settings = true;
        }
        let on_stream = || require(stream != 0, Fault::StreamIdentifier);
        let on_connection = || require(stream == 0, Fault::StreamIdentifier);
        let sized = |fits| require(fits, Fault::FrameSize);
        match head.kind {
            DATA => {
                on_stream()?;
                self.streams.data(stream)?;
                sized(length > 0 || !head.is_padded())?;
                if head.ends_stream() {
                    self.streams.end(stream);
                }
                Ok(if head.is_padded() {
                    Look::Padding
                } else {
                    Look::Nothing
                })
            }
            HEADERS => self.headers(head),
            PRIORITY => {
                on_stream()?;
                sized(length == 5)?;
                Ok(Look::Nothing)
            }
            RST_STREAM => {
                on_stream()?;
                sized(length == 4)?;
                self.streams.control(stream)?;
                self.streams.end(stream);
                Ok(Look::Nothing)
            }
            SETTINGS => {
                on_connection()?;
                sized(if head.is_ack() {
                    length == 0
                } else {
                    length % SETTING_BYTES == 0
                })?;
                Ok(Look::Number(0, 0))
            }
            PUSH_PROMISE => Err(Fault::Push),
            PING => {
                on_connection()?;
                sized(length == 8)?;
                Ok(Look::Nothing)
            }
            GOAWAY => {
                on_connection()?;
                sized(length >= 8)?;
                Ok(Look::Dropped)
            }
            WINDOW_UPDATE => {
                sized(length == 4)?;
                if stream != 0 {
                    self.streams.control(stream)?;
                }
                Ok(Look::Number(0, 0))
            }
            CONTINUATION => Err(Fault::Continuation),
            // Whoever does not know a type passes over it (section 5.5).
            _ => Ok(Look::Nothing),
        }
    }

    fn headers(&mut self, head: Head) -> Result<Look, Fault> {
        let (is_padded, skip) = (head.is_padded(), head.dependency_bytes());
        let begins = self.streams.headers(head.stream)?;
        require(
            head.length >= usize::from(is_padded) + skip,
            Fault::FrameSize,
        )?;
        if head.ends_stream() {
            self.streams.end(head.stream);
        }
        Ok(Look::Headers(Headers {
            stream: head.stream,
            end_here: head.ends_headers(),
            are_trailers: begins == Begins::Trailers,
            is_padded,
            skip,
            padding: 0,
        }))
    }

    /// A frame is over.
    fn end(&mut self, head: Head, look: Look) -> Result<(), Fault> {
        match look {
            Look::Number(_, increment) if head.kind == WINDOW_UPDATE => {
                let is_enlarged = increment & u64::from(u32::MAX >> 1) != 0;
                require(is_enlarged, Fault::WindowIncrement)
            }
            Look::Headers(headers) if !headers.end_here => {
                self.unfinished = Some(headers);
                Ok(())
            }
            Look::Headers(headers) => {
                let has_pseudo = self.block.end()?;
                if has_pseudo && headers.are_trailers {
                    self.reset = Some(headers.stream);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
