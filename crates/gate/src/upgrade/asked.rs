//! Pure: who asks for a WebSocket, and whether he asks as he must (RFC 6455, section 4.2.1; RFC 8441 over HTTP/2).

use chat_api::BotName;
use chat_api::visitor::SOCKET_PATH;
use http::header::{
    self, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
};
use http::{Method, StatusCode, Version, request};
use hyper::ext::Protocol;
use ipc::Body;

use crate::{Route, route};

/// The version that is spoken.
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// The protocol, as `Upgrade` and `:protocol` name it.
pub(super) const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Characters of a key: 16 bytes in base64.
const KEY_CHARS: usize = 24;

/// Whether a request asks for a WebSocket. The strict guard lets through no other protocol over HTTP/1.1, and the
/// check of HTTP/2 none there.
pub(crate) fn is_asked(request: &request::Parts) -> bool {
    if request.version == Version::HTTP_2 {
        request.method == Method::CONNECT && is_websocket(request.extensions.get())
    } else {
        request.headers.contains_key(header::UPGRADE)
    }
}

/// Whether a `:protocol` is the one that is known.
pub(crate) fn is_websocket(protocol: Option<&Protocol>) -> bool {
    protocol.is_some_and(|protocol| protocol.as_str() == "websocket")
}

/// The bot whose WebSocket a path names, and the path below the bot.
pub(crate) fn place(path: &str) -> Option<(BotName, &str)> {
    match route(path) {
        Route::Bot(bot, rest) if rest == SOCKET_PATH => Some((bot, rest)),
        _ => None,
    }
}

/// Why a request for a WebSocket is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Wrong {
    #[error("there is no WebSocket at this place")]
    Place,
    #[error("the request does not ask for a WebSocket")]
    NotAsked,
    #[error("the version is not 13")]
    Version,
    #[error("the key is not 16 bytes in base64")]
    Key,
}

/// Checks what the client says of the protocol.
pub(super) fn check(request: &request::Parts) -> Result<(), Wrong> {
    if only(&request.headers, &SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
        return Err(Wrong::Version);
    }
    // Over HTTP/2 there is no key (RFC 8441, section 5.1).
    let key = only(&request.headers, &SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
    if request.version != Version::HTTP_2 && !key.is_some_and(is_key) {
        return Err(Wrong::Key);
    }
    Ok(())
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

fn is_key(key: &[u8]) -> bool {
    let [digits @ .., last, b'=', b'='] = key else {
        return false;
    };
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    // The last digit has two bits that count.
    key.len() == KEY_CHARS
        && digits.iter().all(is_digit)
        && matches!(last, b'A' | b'Q' | b'g' | b'w')
}

impl Wrong {
    /// What the client is told (RFC 6455, sections 4.2.2 and 4.4; RFC 9110, section 15.5.22).
    pub(super) fn response(self) -> http::Response<Body> {
        let (status, detail) = match self {
            Self::Place => (StatusCode::NOT_FOUND, "There is no WebSocket here."),
            Self::NotAsked => (
                StatusCode::UPGRADE_REQUIRED,
                "This address takes WebSockets only.",
            ),
            Self::Version => (
                StatusCode::UPGRADE_REQUIRED,
                "WebSockets are spoken here in version 13 only.",
            ),
            Self::Key => (
                StatusCode::BAD_REQUEST,
                "The request for a WebSocket has no right Sec-WebSocket-Key.",
            ),
        };
        let mut response = ipc::problem(status, detail);
        if status == StatusCode::UPGRADE_REQUIRED {
            let headers = response.headers_mut();
            headers.insert(SEC_WEBSOCKET_VERSION, VERSION);
        }
        response
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parts(headers: &[(&str, &str)]) -> request::Parts {
        let mut request = http::Request::builder().uri("/b/shop/v1/socket");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    const V13: (&str, &str) = ("sec-websocket-version", "13");

    #[test]
    fn a_right_request_is_taken() {
        assert_eq!(check(&parts(&[KEY, V13])), Ok(()));
        let mut over_http2 = parts(&[V13]);
        assert_eq!(check(&over_http2), Err(Wrong::Key));
        over_http2.version = Version::HTTP_2;
        assert_eq!(check(&over_http2), Ok(()));
    }

    #[test]
    fn another_version_or_key_is_refused() {
        for headers in [
            &[KEY][..],
            &[KEY, V13, V13],
            &[KEY, ("sec-websocket-version", "8")],
            &[KEY, ("sec-websocket-version", "13, 8")],
        ] {
            assert_eq!(check(&parts(headers)), Err(Wrong::Version));
        }
        for key in [
            "",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ==x",
            "dGhlIHNhbXBsZSBub25jZR==",
            "dGhlIHNhbXBsZSBub25jZ-==",
            "dGhlIHNhbXBsZSBub25jZXg=",
            "dGhlIHNhbXBsZSB0b28gbG9uZyE=====",
        ] {
            let headers = [("sec-websocket-key", key), V13];
            assert_eq!(check(&parts(&headers)), Err(Wrong::Key), "{key}");
        }
        assert_eq!(check(&parts(&[KEY, KEY, V13])), Err(Wrong::Key));
        let response = Wrong::Version.response();
        assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
        assert_eq!(response.headers()["sec-websocket-version"], "13");
    }

    #[test]
    fn one_place_of_a_bot_is_a_websocket() {
        let (bot, rest) = place("/b/shop/v1/socket").unwrap();
        assert_eq!((bot.as_str(), rest), ("shop", "/v1/socket"));
        for path in [
            "/v1/socket",
            "/b/shop/v1/socket/",
            "/b/shop/v1/bot",
            "/b/Shop/v1/socket",
        ] {
            assert_eq!(place(path), None);
        }
    }

    #[test]
    fn over_http2_it_is_an_extended_connect() {
        let mut request = parts(&[]);
        assert!(!is_asked(&request));
        (request.version, request.method) = (Version::HTTP_2, Method::CONNECT);
        assert!(!is_asked(&request));
        request.extensions.insert(Protocol::from_static("other"));
        assert!(!is_asked(&request));
        request
            .extensions
            .insert(Protocol::from_static("websocket"));
        assert!(is_asked(&request));
        assert!(is_asked(&parts(&[("upgrade", "websocket")])));
    }
}
