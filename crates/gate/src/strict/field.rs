//! Pure: one header line, and what the headers together say about the message's frame (RFC 9112,
//! section 6; RFC 9110, section 7).

use std::ops::Range;

use super::{BODY_BYTES_MAX, Reason, octet};

/// Headers that are for every recipient, so `Connection` must not name them: a proxy that does as
/// it says would take them away (RFC 9110, section 7.6.1).
const NEVER_FOR_ONE_HOP: [&[u8]; 9] = [
    b"authorization",
    b"content-encoding",
    b"content-length",
    b"content-type",
    b"cookie",
    b"expect",
    b"host",
    b"origin",
    b"transfer-encoding",
];

/// Names that some servers read as if they had a hyphen, and then frame the message by them.
const LOOK_ALIKE: [&[u8]; 2] = [b"content_length", b"transfer_encoding"];

/// What the headers so far say.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// How many there were.
    pub(super) count: usize,
    /// Where Host's value is, in bytes from the head's beginning.
    pub(super) host: Option<Range<usize>>,
    /// Content-Length, in bytes.
    pub(super) length: Option<u64>,
    /// Whether the transfer coding is `chunked`.
    pub(super) chunked: bool,
    /// `Connection: close`.
    pub(super) close: bool,
    /// `Connection: keep-alive`.
    pub(super) keep_alive: bool,
    /// `Connection: upgrade`.
    pub(super) connection_upgrade: bool,
    /// `Upgrade: websocket`.
    pub(super) websocket: bool,
    /// `Expect: 100-continue`.
    pub(super) expect: bool,
}

/// A header line's name and value.
///
/// # Errors
/// Why it is no header line.
pub(super) fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Reason> {
    let Some(colon) = memchr::memchr(b':', line) else {
        return Err(octet::fault(line, Reason::FieldLine));
    };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if !octet::is_token(name) {
        return Err(match name {
            [] => Reason::FieldNameEmpty,
            [rest @ .., b' ' | b'\t'] if octet::is_token(octet::trim(rest)) => {
                Reason::SpaceBeforeColon
            }
            _ => octet::fault(name, Reason::FieldName),
        });
    }
    if LOOK_ALIKE
        .iter()
        .any(|like| name.eq_ignore_ascii_case(like))
    {
        return Err(Reason::FieldName);
    }
    if !octet::is_value(value) {
        return Err(octet::fault(value, Reason::ControlByte));
    }
    Ok((name, value))
}

impl Fields {
    /// Notes a header whose untrimmed value begins `at` bytes from the head's beginning.
    ///
    /// # Errors
    /// Why it is refused.
    pub(super) fn note(&mut self, name: &[u8], value: &[u8], at: usize) -> Result<(), Reason> {
        self.count += 1;
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match name.len() {
            4 if is(b"host") => {
                let framed = framing(value)?;
                let from = at + (value.len() - framed.len());
                let earlier = self.host.replace(from..from + framed.len());
                once(earlier.is_some(), Reason::HostRepeated)?;
            }
            14 if is(b"content-length") => {
                let earlier = self.length.replace(length(framing(value)?)?);
                once(earlier.is_some(), Reason::ContentLengthRepeated)?;
            }
            17 if is(b"transfer-encoding") => {
                coding(framing(value)?)?;
                let earlier = std::mem::replace(&mut self.chunked, true);
                once(earlier, Reason::CodingRepeated)?;
            }
            10 if is(b"connection") => self.connection(value)?,
            7 if is(b"upgrade") => self.upgrade(octet::trim(value))?,
            14 if is(b"http2-settings") => return Err(Reason::H2c),
            6 if is(b"expect") => {
                let met = octet::trim(value).eq_ignore_ascii_case(b"100-continue");
                let earlier = std::mem::replace(&mut self.expect, true);
                once(!met || earlier, Reason::Expect)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) -> Result<(), Reason> {
        for option in value.split(|byte| *byte == b',').map(octet::trim) {
            let is = |known: &[u8]| option.eq_ignore_ascii_case(known);
            if !octet::is_token(option) || NEVER_FOR_ONE_HOP.iter().any(|name| is(name)) {
                return Err(Reason::Connection);
            }
            self.close |= is(b"close");
            self.keep_alive |= is(b"keep-alive");
            self.connection_upgrade |= is(b"upgrade");
        }
        Ok(())
    }

    fn upgrade(&mut self, value: &[u8]) -> Result<(), Reason> {
        let mut protocols = value.split(|byte| *byte == b',').map(octet::trim);
        if protocols.any(|protocol| protocol.eq_ignore_ascii_case(b"h2c")) {
            return Err(Reason::H2c);
        }
        let known = value.eq_ignore_ascii_case(b"websocket");
        let earlier = std::mem::replace(&mut self.websocket, true);
        once(!known || earlier, Reason::Upgrade)
    }
}

fn once(repeated: bool, reason: Reason) -> Result<(), Reason> {
    if repeated { Err(reason) } else { Ok(()) }
}

/// The value of a header that frames or routes the message: one space before it at most. Parsers
/// differ in what else they trim.
fn framing(value: &[u8]) -> Result<&[u8], Reason> {
    let value = value.strip_prefix(b" ").unwrap_or(value);
    let spaced = |byte: Option<&u8>| byte.is_some_and(|byte| octet::is_space(*byte));
    if spaced(value.first()) || spaced(value.last()) {
        return Err(Reason::FramingSpace);
    }
    Ok(value)
}

/// A Content-Length in bytes: digits, and no zero before them, which some read as octal.
pub(super) fn length(value: &[u8]) -> Result<u64, Reason> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    if !digits || (value.len() > 1 && value.starts_with(b"0")) {
        return Err(if value.contains(&b',') {
            Reason::ContentLengthRepeated
        } else {
            Reason::ContentLengthInvalid
        });
    }
    str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|length| *length <= BODY_BYTES_MAX)
        .ok_or(Reason::ContentLengthTooLarge)
}

/// Exactly `chunked`. Codings are case-insensitive (RFC 9112, section 7), but only who looks for a
/// parser that disagrees writes it otherwise.
fn coding(value: &[u8]) -> Result<(), Reason> {
    if value == b"chunked" {
        Ok(())
    } else if value.contains(&b',') {
        Err(Reason::CodingRepeated)
    } else {
        Err(Reason::CodingUnknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_token_a_colon_and_a_value() {
        assert_eq!(split(b"a: b c"), Ok((&b"a"[..], &b" b c"[..])));
        assert_eq!(split(b"a:"), Ok((&b"a"[..], &b""[..])));
        for (line, reason) in [
            (&b"abc"[..], Reason::FieldLine),
            (b"a\0c", Reason::ControlByte),
            (b": b", Reason::FieldNameEmpty),
            (b"a : b", Reason::SpaceBeforeColon),
            (b"a\t: b", Reason::SpaceBeforeColon),
            (b"a b: c", Reason::FieldName),
            (b"\xc3\xbc: c", Reason::FieldName),
            (b"(a): c", Reason::FieldName),
            (b"a\x0b: c", Reason::ControlByte),
            (b"a: b\0", Reason::ControlByte),
            (b"a: \x7f", Reason::ControlByte),
            (b"a: b\rc", Reason::BareCr),
            (b"Content_Length: 1", Reason::FieldName),
        ] {
            assert_eq!(split(line), Err(reason), "{:?}", line.escape_ascii());
        }
    }

    #[test]
    fn lengths_are_plain_digits() {
        assert_eq!(length(b"0"), Ok(0));
        assert_eq!(length(b"9223372036854775807"), Ok(BODY_BYTES_MAX));
        for (value, reason) in [
            ("", Reason::ContentLengthInvalid),
            ("+1", Reason::ContentLengthInvalid),
            ("-1", Reason::ContentLengthInvalid),
            ("0x1", Reason::ContentLengthInvalid),
            ("010", Reason::ContentLengthInvalid),
            ("1 2", Reason::ContentLengthInvalid),
            ("1_0", Reason::ContentLengthInvalid),
            ("5, 5", Reason::ContentLengthRepeated),
            ("9223372036854775808", Reason::ContentLengthTooLarge),
            ("99999999999999999999999", Reason::ContentLengthTooLarge),
        ] {
            assert_eq!(length(value.as_bytes()), Err(reason), "{value:?}");
        }
    }

    #[test]
    fn a_coding_is_exactly_chunked() {
        assert_eq!(coding(b"chunked"), Ok(()));
        for value in [
            "",
            "Chunked",
            "xchunked",
            "gzip",
            "identity",
            "chunked;a=b",
            "\"chunked\"",
        ] {
            assert_eq!(
                coding(value.as_bytes()),
                Err(Reason::CodingUnknown),
                "{value:?}"
            );
        }
        assert_eq!(coding(b"gzip, chunked"), Err(Reason::CodingRepeated));
    }
}
