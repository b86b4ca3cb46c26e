//! Pure: what is checked of a request that came over HTTP/2 (RFC 9113, section 8). h2 has refused
//! pseudo-headers out of place, headers for one hop, a TE other than `trailers`, and a body of another
//! length than announced; control bytes are no part of a `HeaderValue`. Here is what it takes, and
//! what a service behind could read in another way over HTTP/1.1.

use http::header::{self, HeaderMap, HeaderName};
use http::{Method, request};

use crate::upgrade;

use super::{HEADERS_MAX, METHOD_BYTES, Reason, authority, field, octet, target};

/// Headers for one hop (RFC 9113, section 8.2.2).
const HOP: [HeaderName; 6] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Checks a request.
///
/// # Errors
/// Why it is refused.
pub fn check(request: &request::Parts) -> Result<(), Reason> {
    // Only to a WebSocket is there a way (RFC 8441), and it has no body.
    if request.method == Method::CONNECT {
        let protocol = request.extensions.get();
        let has_body = request.headers.contains_key(header::CONTENT_LENGTH);
        if !upgrade::is_websocket(protocol) || has_body {
            // It has an authority, and a scheme only where it names a protocol; else it is malformed (RFC 9113, section
            // 8.5; RFC 8441, section 4).
            let (authority, scheme) = (request.uri.authority(), request.uri.scheme());
            let well_formed = authority.is_some() && scheme.is_some() == protocol.is_some();
            return Err(if well_formed {
                Reason::Connect
            } else {
                Reason::HostMissing
            });
        }
    }
    if request.method.as_str().len() > METHOD_BYTES {
        return Err(Reason::Method);
    }
    let authority = request.uri.authority().ok_or(Reason::HostMissing)?.as_str();
    if !authority::is_valid(authority.as_bytes()) {
        return Err(Reason::HostInvalid);
    }
    let path = request.uri.path_and_query().ok_or(Reason::Target)?.as_str();
    let asterisk = path == "*" && request.method == Method::OPTIONS;
    if !asterisk && !target::is_origin(path.as_bytes()) {
        return Err(octet::fault(path.as_bytes(), Reason::Target));
    }
    headers(&request.headers, authority)?;
    // Last, as another scheme is no fault of form: what is malformed is told from what is not served.
    if request.uri.scheme() != Some(&http::uri::Scheme::HTTPS) {
        return Err(Reason::Scheme);
    }
    Ok(())
}

/// Whether a request that is refused for `reason` is malformed, so that its stream must end with an error (RFC 9113,
/// section 8.1.1). Whoever reads on without one would be led to take it for a request.
#[must_use]
pub const fn is_malformed(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::ContentLengthInvalid
            | Reason::ContentLengthRepeated
            | Reason::FramingSpace
            | Reason::HopHeader
            | Reason::HostInvalid
            | Reason::HostMismatch
            | Reason::HostMissing
            | Reason::HostRepeated
    )
}

fn headers(headers: &HeaderMap, authority: &str) -> Result<(), Reason> {
    if headers.len() > HEADERS_MAX {
        return Err(Reason::TooManyHeaders);
    }
    if HOP.iter().any(|name| headers.contains_key(name)) {
        return Err(Reason::HopHeader);
    }
    for (name, value) in headers {
        // The scanner's own rules for a line; a value may have no space around it (RFC 9113, 8.2.1).
        let line = [name.as_str().as_bytes(), b":", value.as_bytes()].concat();
        field::split(&line)?;
        if octet::trim(value.as_bytes()).len() != value.len() {
            return Err(Reason::FramingSpace);
        }
    }
    if headers
        .get_all(header::TE)
        .iter()
        .any(|te| te != "trailers")
    {
        return Err(Reason::HopHeader);
    }
    if headers
        .get_all(header::EXPECT)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    {
        return Err(Reason::Expect);
    }
    if let Some(host) = only(headers, &header::HOST, Reason::HostRepeated)?
        && !host.eq_ignore_ascii_case(authority.as_bytes())
    {
        return Err(Reason::HostMismatch);
    }
    if let Some(length) = only(
        headers,
        &header::CONTENT_LENGTH,
        Reason::ContentLengthRepeated,
    )? {
        field::length(length)?;
    }
    Ok(())
}

fn only<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    repeated: Reason,
) -> Result<Option<&'a [u8]>, Reason> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(http::HeaderValue::as_bytes);
    if values.next().is_some() {
        return Err(repeated);
    }
    Ok(first)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn verdict(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<(), Reason> {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap().into_parts().0)
    }

    const A: &str = "https://a.example/x";

    #[test]
    fn what_browsers_send_is_taken() {
        assert_eq!(verdict("GET", A, &[]), Ok(()));
        assert_eq!(
            verdict("POST", A, &[("content-length", "5"), ("te", "trailers")]),
            Ok(())
        );
        assert_eq!(
            verdict(
                "GET",
                A,
                &[("host", "A.example"), ("cookie", "a"), ("cookie", "b")]
            ),
            Ok(())
        );
        assert_eq!(verdict("GET", "https://[::1]:8443/?q={}", &[]), Ok(()));
    }

    #[test]
    fn what_a_service_could_misread_is_refused() {
        for (headers, reason) in [
            (&[("connection", "close")][..], Reason::HopHeader),
            (&[("transfer-encoding", "chunked")], Reason::HopHeader),
            (&[("upgrade", "h2c")], Reason::HopHeader),
            (&[("keep-alive", "1")], Reason::HopHeader),
            (&[("proxy-connection", "close")], Reason::HopHeader),
            (&[("http2-settings", "")], Reason::HopHeader),
            (&[("te", "gzip")], Reason::HopHeader),
            (&[("host", "b.example")], Reason::HostMismatch),
            (&[("host", "a.example:443")], Reason::HostMismatch),
            (
                &[("host", "a.example"), ("host", "a.example")],
                Reason::HostRepeated,
            ),
            (
                &[("content-length", "5"), ("content-length", "5")],
                Reason::ContentLengthRepeated,
            ),
            (&[("content-length", "5, 5")], Reason::ContentLengthRepeated),
            (&[("content-length", "+5")], Reason::ContentLengthInvalid),
            (
                &[("content-length", "99999999999999999999")],
                Reason::ContentLengthTooLarge,
            ),
            (&[("transfer_encoding", "chunked")], Reason::FieldName),
            (&[("expect", "200-ok")], Reason::Expect),
            (&[("a", " b")], Reason::FramingSpace),
        ] {
            assert_eq!(verdict("POST", A, headers), Err(reason), "{headers:?}");
        }
        for (uri, reason) in [
            ("/x", Reason::HostMissing),
            ("http://a.example/", Reason::Scheme),
            ("https://user@a.example/", Reason::HostInvalid),
            ("https://a.example:/", Reason::HostInvalid),
            ("https://a.example/a\\b", Reason::Target),
            ("https://a.example/\"", Reason::Target),
        ] {
            assert_eq!(verdict("GET", uri, &[]), Err(reason), "{uri:?}");
        }
        assert_eq!(verdict("CONNECT", A, &[]), Err(Reason::HostMissing));
        assert_eq!(
            verdict("CONNECT", "a.example:443", &[]),
            Err(Reason::Connect)
        );
        // What is malformed is told first.
        let spaced = verdict("GET", "http://a.example/", &[("a", "b\t")]);
        assert_eq!(spaced, Err(Reason::FramingSpace));
        assert!(is_malformed(Reason::FramingSpace) && !is_malformed(Reason::Scheme));
        let many = vec![("a", "b"); HEADERS_MAX + 1];
        assert_eq!(verdict("GET", A, &many), Err(Reason::TooManyHeaders));
    }
}
