//! The opening handshake as a server (RFC 6455, section 4.2).

use http::StatusCode;
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use ipc::Response;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::error::Error;

/// The value of `Sec-WebSocket-Accept` for a client that asks for a WebSocket.
///
/// # Errors
/// [`Error::Upgrade`] where it does not, or not as it must.
pub(super) fn accept(headers: &HeaderMap) -> Result<String, Error> {
    let names = |name: &HeaderName, word: &str| {
        let values = headers.get_all(name).iter();
        let mut words = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        words.any(|named| named.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    let version = headers.get(SEC_WEBSOCKET_VERSION);
    if !names(&UPGRADE, "websocket")
        || !names(&CONNECTION, "upgrade")
        || version.is_none_or(|version| version != "13")
    {
        return Err(Error::Upgrade);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(Error::Upgrade)?;
    Ok(derive_accept_key(key.as_bytes()))
}

/// The answer that agrees.
pub(super) fn response(accept: String) -> Response {
    let mut response = Response::new(ipc::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    agree(response.headers_mut());
    if let Ok(accept) = HeaderValue::try_from(accept) {
        response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

/// Names the protocol that is spoken, or should be.
pub(crate) fn agree(headers: &mut HeaderMap) {
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = all.iter();
        pairs
            .map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect()
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted_and_less_is_not() {
        let all = [
            ("upgrade", "websocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", "13"),
        ];
        let accepted = accept(&headers(&all)).unwrap();
        assert_eq!(accepted, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for missing in 0..all.len() {
            let mut less = all.to_vec();
            less.remove(missing);
            assert!(matches!(accept(&headers(&less)), Err(Error::Upgrade)));
        }
    }
}
