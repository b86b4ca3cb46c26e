//! Pure: why a request is refused.

use http::StatusCode;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $status:ident, $detail:literal;)+) => {
        /// Why a request is refused. Names are stable: they are in the journal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[doc = $doc])+ $variant,)+ }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name, as it is in the journal.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What a client is answered.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// What a client is told.
            #[must_use]
            pub const fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail,)+ }
            }
        }
    };
}

reasons! {
    /// A line that ends with LF alone (RFC 9112, section 2.2 would allow to take it).
    BareLf = "bare-lf", BAD_REQUEST, "A line ends without a carriage return.";
    /// CR without LF behind it.
    BareCr = "bare-cr", BAD_REQUEST, "A carriage return stands alone.";
    /// NUL or another control byte.
    ControlByte = "control-byte", BAD_REQUEST, "There is a control byte in the request's head.";
    /// An empty line before the request line.
    EmptyLine = "empty-line", BAD_REQUEST, "There is an empty line before the request.";
    /// A request line that is not three words with one space between.
    RequestLine = "request-line", BAD_REQUEST, "The request line cannot be read.";
    /// A request line longer than [`super::REQUEST_LINE_BYTES`].
    RequestLineTooLong = "request-line-too-long", URI_TOO_LONG, "The address is too long.";
    /// A method that is no token, or is too long.
    Method = "method", BAD_REQUEST, "The method cannot be read.";
    /// CONNECT: the gate is no such proxy.
    Connect = "connect", METHOD_NOT_ALLOWED, "This is no proxy.";
    /// A version that is neither HTTP/1.1 nor HTTP/1.0.
    Version = "version", HTTP_VERSION_NOT_SUPPORTED, "This version of HTTP is not spoken here.";
    /// The beginning of HTTP/2, where the handshake chose HTTP/1.1.
    Http2Preface = "http2-preface", BAD_REQUEST, "HTTP/2 must be agreed upon in the TLS handshake.";
    /// A target with bytes or a form that are not taken.
    Target = "target", BAD_REQUEST, "The address cannot be read.";
    /// Whitespace before the first header.
    LeadingSpace = "leading-space", BAD_REQUEST, "There is whitespace before the first header.";
    /// A header over several lines (RFC 9112, section 5.2).
    ObsFold = "obs-fold", BAD_REQUEST, "A header goes over several lines.";
    /// A header line without a colon.
    FieldLine = "field-line", BAD_REQUEST, "A header has no colon.";
    /// A header without a name.
    FieldNameEmpty = "field-name-empty", BAD_REQUEST, "A header has no name.";
    /// Whitespace between a header's name and the colon.
    SpaceBeforeColon = "space-before-colon", BAD_REQUEST, "There is whitespace before a header's colon.";
    /// A header's name that is no token, or that others read as one that frames the message.
    FieldName = "field-name", BAD_REQUEST, "A header's name cannot be read.";
    /// More than [`super::HEADERS_MAX`] headers.
    TooManyHeaders = "too-many-headers", REQUEST_HEADER_FIELDS_TOO_LARGE, "There are too many headers.";
    /// A head longer than [`super::HEAD_BYTES`].
    HeadTooLarge = "head-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too long.";
    /// A framing header with more whitespace around its value than one space before it.
    FramingSpace = "framing-space", BAD_REQUEST, "There is needless whitespace in a header that frames the request.";
    /// No Host.
    HostMissing = "host-missing", BAD_REQUEST, "The host is missing.";
    /// More than one Host.
    HostRepeated = "host-repeated", BAD_REQUEST, "There is more than one host.";
    /// A Host or `:authority` that is no name or address with an optional port.
    HostInvalid = "host-invalid", BAD_REQUEST, "The host cannot be read.";
    /// A Host that differs from the target's or from `:authority`.
    HostMismatch = "host-mismatch", BAD_REQUEST, "The address names another host than the headers.";
    /// A Content-Length that is not plain digits.
    ContentLengthInvalid = "content-length-invalid", BAD_REQUEST, "The content's length cannot be read.";
    /// A Content-Length above [`super::BODY_BYTES_MAX`].
    ContentLengthTooLarge = "content-length-too-large", BAD_REQUEST, "The content's length is too large.";
    /// More than one Content-Length, or a list.
    ContentLengthRepeated = "content-length-repeated", BAD_REQUEST, "There is more than one length of the content.";
    /// Content-Length and Transfer-Encoding.
    LengthAndCoding = "length-and-coding", BAD_REQUEST, "The content has a length and a transfer coding.";
    /// A transfer coding that is unknown, or written unlike `chunked`.
    CodingUnknown = "coding-unknown", NOT_IMPLEMENTED, "This transfer coding is not known here.";
    /// More than one Transfer-Encoding, or a list.
    CodingRepeated = "coding-repeated", BAD_REQUEST, "There is more than one transfer coding.";
    /// A Transfer-Encoding in HTTP/1.0.
    CodingInHttp10 = "coding-in-http10", BAD_REQUEST, "This version of HTTP has no transfer codings.";
    /// An Expect other than one `100-continue`.
    Expect = "expect", EXPECTATION_FAILED, "What is expected cannot be met.";
    /// A Connection that is no list of tokens, or names a header that is not for one hop.
    Connection = "connection", BAD_REQUEST, "The connection header cannot be read.";
    /// An Upgrade other than to a WebSocket, or one with content.
    Upgrade = "upgrade", BAD_REQUEST, "This upgrade is not taken here.";
    /// An Upgrade to HTTP/2 in the clear (taken away by RFC 9113).
    H2c = "h2c", BAD_REQUEST, "HTTP/2 must be agreed upon in the TLS handshake.";
    /// A chunk's size that is not hexadecimal.
    ChunkSize = "chunk-size", BAD_REQUEST, "A chunk's size cannot be read.";
    /// A chunk's size that is too large.
    ChunkSizeTooLarge = "chunk-size-too-large", BAD_REQUEST, "A chunk is too large.";
    /// A chunk extension.
    ChunkExtension = "chunk-extension", BAD_REQUEST, "Chunk extensions are not taken here.";
    /// A chunk's line or data that does not end with CR LF.
    ChunkEnd = "chunk-end", BAD_REQUEST, "A chunk does not end where it should.";
    /// A trailer field.
    Trailer = "trailer", BAD_REQUEST, "Trailers are not taken here.";
    /// A header for one hop, on HTTP/2 (RFC 9113, section 8.2.2).
    HopHeader = "hop-header", BAD_REQUEST, "There is a header that HTTP/2 does not have.";
    /// A scheme other than `https`, on HTTP/2.
    Scheme = "scheme", BAD_REQUEST, "The address has another scheme.";
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for Reason {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_answers_are_refusals() {
        let names: HashSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            let status = reason.status();
            assert!(
                status.is_client_error() || status.is_server_error(),
                "{reason}"
            );
        }
    }
}
