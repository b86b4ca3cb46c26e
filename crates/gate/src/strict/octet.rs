//! Pure: which bytes may stand where (RFC 9110, section 5.6.2; RFC 3986, section 3).

use super::Reason;

/// Of a token.
const TOKEN: u8 = 1;
/// Of a target's path.
const PATH: u8 = 2;
/// Of a target's query.
const QUERY: u8 = 4;

/// What each byte may be part of.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let octet = byte as u8;
        classes[byte] = class(octet);
        byte += 1;
    }
    classes
}

const fn class(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => TOKEN | PATH | QUERY,
        b'!' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' => TOKEN | PATH | QUERY,
        // Browsers send these as they are, though RFC 3986 would have them encoded.
        b'|' | b'^' => TOKEN | PATH | QUERY,
        b'(' | b')' | b',' | b';' | b'=' | b':' | b'@' | b'/' | b'[' | b']' => PATH | QUERY,
        b'`' => TOKEN | QUERY,
        b'?' | b'{' | b'}' | b'\\' => QUERY,
        b'#' => TOKEN,
        _ => 0,
    }
}

fn all(bytes: &[u8], class: u8) -> bool {
    bytes
        .iter()
        .all(|byte| CLASSES[usize::from(*byte)] & class != 0)
}

pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && all(bytes, TOKEN)
}

/// Values are most of a head; without an early return this is done several bytes at a time.
pub(super) fn is_value(bytes: &[u8]) -> bool {
    !bytes
        .iter()
        .fold(false, |is_bad, byte| is_bad | is_control(*byte))
}

const fn is_control(byte: u8) -> bool {
    ((byte < b' ') & (byte != b'\t')) | (byte == 127)
}

pub(super) fn is_path(bytes: &[u8]) -> bool {
    all(bytes, PATH)
}

pub(super) fn is_query(bytes: &[u8]) -> bool {
    all(bytes, QUERY)
}

pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The reason for a control byte in `bytes`, if there is one; `otherwise` if not.
pub(super) fn fault(bytes: &[u8], otherwise: Reason) -> Reason {
    match bytes.iter().find(|byte| is_control(**byte)) {
        Some(b'\r') => Reason::BareCr,
        Some(_) => Reason::ControlByte,
        None => otherwise,
    }
}

/// Without spaces and tabs at both ends.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_space(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_space(*last)
    {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_values_are_those_of_the_http_crate() {
        for byte in 0..=255_u8 {
            let name = http::HeaderName::from_bytes(&[byte]);
            assert_eq!(is_token(&[byte]), name.is_ok(), "{byte:#x}");
            let value = http::HeaderValue::from_bytes(&[byte]);
            assert_eq!(is_value(&[byte]), value.is_ok(), "{byte:#x}");
        }
    }

    #[test]
    fn a_target_that_is_taken_is_read_as_it_stands() {
        for byte in (0..=255_u8).filter(|byte| is_path(&[*byte])) {
            let text = format!("/{}", char::from(byte));
            let read: http::Uri = text.parse().unwrap();
            assert_eq!(read.path(), text);
        }
        for byte in (0..=255_u8).filter(|byte| is_query(&[*byte])) {
            let text = format!("/?{}", char::from(byte));
            let read: http::Uri = text.parse().unwrap();
            assert_eq!(read.path_and_query().unwrap().as_str(), text);
        }
    }

    #[test]
    fn space_is_trimmed_at_both_ends() {
        assert_eq!(trim(b" \t a b\t "), b"a b");
        assert_eq!(trim(b" \t"), b"");
    }
}
