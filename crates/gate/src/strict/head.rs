//! Pure: the request line and the header section (RFC 9112, sections 3 and 5). Each line is looked at
//! once, when it is whole; so the verdict does not depend on how the bytes arrive.

use super::field::{self, Fields};
use super::target::{self, Form};
use super::{
    HEAD_BYTES, HEADERS_MAX, METHOD_BYTES, REQUEST_LINE_BYTES, Reason, Witness, authority, octet,
};

/// How HTTP/2 begins, up to its first line's end (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// How a message's body is told from what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// By its length in bytes.
    Length(u64),
    /// By the chunked coding.
    Chunked,
}

/// What comes behind a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The next request.
    Request,
    /// Another protocol, if the answer agrees.
    Upgrade,
    /// Nothing: the connection is closed after the answer.
    Nothing,
}

/// A head that is whole and taken.
#[derive(Debug)]
pub(super) struct Whole {
    /// Its length with the empty line, in bytes.
    pub(super) bytes: usize,
    pub(super) body: Body,
    pub(super) next: Next,
}

#[derive(Debug)]
struct RequestLine {
    form: Form,
    /// Where the target begins, in bytes from the head's beginning.
    target_at: usize,
    is_get: bool,
    is_http11: bool,
}

/// A head as far as it is there.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Where the line begins that is not yet whole, in bytes from the head's beginning.
    line_at: usize,
    /// How much of the head was searched for a line end, in bytes.
    searched: usize,
    request_line: Option<RequestLine>,
    fields: Fields,
}

impl Head {
    /// Looks at what is there of the head; `bytes` begin where the head begins and hold all that
    /// they held before. None when the head is not whole.
    ///
    /// # Errors
    /// Why it is refused.
    pub(super) fn scan(
        &mut self,
        bytes: &[u8],
        witness: &mut impl Witness,
    ) -> Result<Option<Whole>, Reason> {
        while let Some(found) = memchr::memchr(b'\n', &bytes[self.searched..]) {
            let end = self.searched + found;
            self.within_limits(end + 1)?;
            let [line @ .., b'\r'] = &bytes[self.line_at..end] else {
                return Err(Reason::BareLf);
            };
            let at = std::mem::replace(&mut self.line_at, end + 1);
            self.searched = end + 1;
            match &self.request_line {
                None => self.request_line = Some(request_line(line, witness)?),
                Some(first) if line.is_empty() => {
                    return finish(&self.fields, first, &bytes[..=end]).map(Some);
                }
                Some(_) => self.field(line, at, witness)?,
            }
        }
        self.searched = bytes.len();
        self.within_limits(bytes.len())?;
        Ok(None)
    }

    fn within_limits(&self, bytes: usize) -> Result<(), Reason> {
        if self.request_line.is_none() && bytes > REQUEST_LINE_BYTES {
            Err(Reason::RequestLineTooLong)
        } else if bytes > HEAD_BYTES {
            Err(Reason::HeadTooLarge)
        } else {
            Ok(())
        }
    }

    fn field(&mut self, line: &[u8], at: usize, witness: &mut impl Witness) -> Result<(), Reason> {
        if octet::is_space(line[0]) {
            let first = self.fields.count == 0;
            return Err(if first {
                Reason::LeadingSpace
            } else {
                Reason::ObsFold
            });
        }
        if self.fields.count == HEADERS_MAX {
            return Err(Reason::TooManyHeaders);
        }
        let (name, value) = field::split(line)?;
        self.fields.note(name, value, at + name.len() + 1)?;
        witness.field(name, octet::trim(value));
        Ok(())
    }
}

fn request_line(line: &[u8], witness: &mut impl Witness) -> Result<RequestLine, Reason> {
    if line.is_empty() {
        return Err(Reason::EmptyLine);
    }
    if line == PREFACE {
        return Err(Reason::Http2Preface);
    }
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(octet::fault(line, Reason::RequestLine));
    };
    if !octet::is_token(method) || method.len() > METHOD_BYTES {
        return Err(octet::fault(method, Reason::Method));
    }
    let is_http11 = version == b"HTTP/1.1";
    if !is_http11 && version != b"HTTP/1.0" {
        return Err(match version {
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                Reason::Version
            }
            _ => octet::fault(version, Reason::RequestLine),
        });
    }
    if method == b"CONNECT" {
        return Err(Reason::Connect);
    }
    let form = target::form(method, target)?;
    witness.line(method, target, is_http11);
    Ok(RequestLine {
        form,
        target_at: method.len() + 1,
        is_get: method == b"GET",
        is_http11,
    })
}

/// Decides about a head that is whole.
fn finish(fields: &Fields, first: &RequestLine, head: &[u8]) -> Result<Whole, Reason> {
    let host = &head[fields.host.clone().ok_or(Reason::HostMissing)?];
    if !authority::is_valid(host) {
        return Err(Reason::HostInvalid);
    }
    if let Form::Absolute(place) = &first.form {
        let named = &head[first.target_at + place.start..first.target_at + place.end];
        if !named.eq_ignore_ascii_case(host) {
            return Err(Reason::HostMismatch);
        }
    }
    if fields.chunked && !first.is_http11 {
        return Err(Reason::CodingInHttp10);
    }
    if fields.expect && !first.is_http11 {
        return Err(Reason::Expect);
    }
    let body = match (fields.chunked, fields.length) {
        (true, Some(_)) => return Err(Reason::LengthAndCoding),
        (true, None) => Body::Chunked,
        (false, length) => Body::Length(length.unwrap_or(0)),
    };
    let plain_get = first.is_http11 && first.is_get && body == Body::Length(0);
    if fields.websocket && !(plain_get && fields.connection_upgrade) {
        return Err(Reason::Upgrade);
    }
    let stays = !fields.close && (first.is_http11 || fields.keep_alive);
    Ok(Whole {
        bytes: head.len(),
        body,
        next: match stays {
            true if fields.websocket => Next::Upgrade,
            true => Next::Request,
            false if fields.websocket => return Err(Reason::Upgrade),
            false => Next::Nothing,
        },
    })
}
