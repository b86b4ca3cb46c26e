//! The id of a visitor's request, in the records of every service that it reaches.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use tracing::Span;

/// Longest id, in bytes.
const ID_BYTES: usize = 64;

/// An id, fit for a header and for the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The header that has it on every call.
    pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

    /// The id of a call; none where it has none, or none of 1 to 64 letters, digits,
    /// hyphens or underscores.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(Self::HEADER)?;
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let bytes = value.as_bytes();
        let fit = (1..=ID_BYTES).contains(&bytes.len()) && bytes.iter().all(plain);
        fit.then(|| Self(value.clone()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// Puts it on a call.
    pub fn put(&self, headers: &mut HeaderMap) {
        headers.insert(Self::HEADER, self.0.clone());
    }

    /// A span in which every record has it, as the field `request`.
    pub(crate) fn span(&self) -> Span {
        tracing::info_span!("request", request = self.as_str())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<RequestId> {
        let mut headers = HeaderMap::new();
        headers.insert(RequestId::HEADER, text.parse().unwrap());
        RequestId::of(&headers)
    }

    #[test]
    fn an_id_is_passed_on_as_it_came() {
        let id = of("0190a1b2c3d4e5f6").unwrap();
        assert_eq!(id.as_str(), "0190a1b2c3d4e5f6");
        let mut headers = HeaderMap::new();
        headers.insert(RequestId::HEADER, HeaderValue::from_static("other"));
        id.put(&mut headers);
        assert_eq!(RequestId::of(&headers), Some(id));
        assert_eq!(headers.len(), 1);
    }

    #[test]
    fn what_is_no_id_is_none() {
        assert_eq!(RequestId::of(&HeaderMap::new()), None);
        for text in ["", "a b", "a\"b", "a;b", &"a".repeat(65)] {
            assert_eq!(of(text), None, "{text:?}");
        }
        assert!(of(&"a".repeat(64)).is_some());
    }
}
