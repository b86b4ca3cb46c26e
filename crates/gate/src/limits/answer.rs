//! Pure: what clients are told of limits (draft-ietf-httpapi-ratelimit-headers-10,
//! as structured fields of RFC 9651).

use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use ipc::Body;

use super::bucket::seconds;
use super::{Class, Limit, Standing};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// What a client is told to wait where streams are to end first, in seconds.
const STREAM_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// Says how the client stands: the quota of a window (`q`, `w`), what is left (`r`)
/// and in how many seconds all of it is there again (`t`).
pub(crate) fn tell(headers: &mut HeaderMap, standing: &Standing) {
    let (name, quota) = (standing.limit.name(), standing.quota);
    let (most, window) = (quota.requests(), quota.window().as_secs());
    let policy = format!("\"{name}\";q={most};w={window}");
    let state = format!("\"{name}\";r={};t={}", standing.left, standing.full_s);
    for (header, text) in [(POLICY, policy), (STATE, state)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(header, value);
        }
    }
}

/// Whether an answer within the limits says how the client stands. Pages and files
/// need no more bytes.
pub(crate) const fn is_told(class: Class) -> bool {
    matches!(class, Class::Chat | Class::Admin)
}

/// The answer to a request over a limit (RFC 6585, section 4).
pub(crate) fn refusal(standing: &Standing, wait: Duration) -> Response<Body> {
    let detail = match standing.limit {
        Limit::Chat => "You have sent many messages in a short time. Please wait a moment.",
        Limit::Admin | Limit::General => {
            "You have asked for much in a short time. Please wait a moment."
        }
        Limit::Bot | Limit::All => {
            "Many people are asking the assistant just now. Please try again in a moment."
        }
    };
    let mut response = ipc::problem(StatusCode::TOO_MANY_REQUESTS, detail);
    let headers = response.headers_mut();
    tell(headers, standing);
    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait).max(1)));
    response
}

/// The answer to a request that would be one too many at once.
pub(crate) fn too_many_streams() -> Response<Body> {
    let detail = "Too many of your requests are still being answered. Please wait a moment.";
    let mut response = ipc::problem(StatusCode::TOO_MANY_REQUESTS, detail);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, STREAM_SECONDS);
    response
}

/// The answer where as many requests are being answered as there is room for, of all clients.
pub(crate) fn no_room() -> Response<Body> {
    let detail = "There are too many visitors at the moment. Please try again.";
    let mut response = ipc::problem(StatusCode::SERVICE_UNAVAILABLE, detail);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, STREAM_SECONDS);
    response
}

/// The answer to a WebSocket that would be one too many at once.
pub(crate) fn too_many_sockets() -> Response<Body> {
    let detail = "Too many of your connections to the assistant are open. Please close one.";
    let mut response = ipc::problem(StatusCode::TOO_MANY_REQUESTS, detail);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, STREAM_SECONDS);
    response
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    fn standing(left: u32) -> Standing {
        Standing {
            limit: Limit::Chat,
            quota: Settings::default().chat(),
            left,
            full_s: 60,
        }
    }

    #[test]
    fn a_client_reads_how_he_stands() {
        let mut headers = HeaderMap::new();
        tell(&mut headers, &standing(99));
        assert_eq!(headers["ratelimit-policy"], "\"chat\";q=100;w=60");
        assert_eq!(headers["ratelimit"], "\"chat\";r=99;t=60");
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let response = refusal(&standing(0), Duration::from_millis(600));
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(response.headers()["ratelimit"], "\"chat\";r=0;t=60");
        let response = refusal(&standing(0), Duration::from_millis(5_100));
        assert_eq!(response.headers()["retry-after"], "6");
        assert_eq!(too_many_streams().headers()["retry-after"], "5");
    }
}
