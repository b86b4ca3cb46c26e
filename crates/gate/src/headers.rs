//! Pure: which headers pass the gate, and which it sets.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Names the request in every log that it reaches.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers for one hop (RFC 9110, section 7.6.1) and those by which a visitor
/// could speak in the gate's name.
const NOT_FORWARDED: [HeaderName; 17] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::FORWARDED,
    HeaderName::from_static(chat_api::CONVERSATION_HEADER),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("cf-connecting-ip"),
    HeaderName::from_static("true-client-ip"),
];

/// A year, as the preload list of browsers asks for (RFC 6797).
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// What a page may do whose service says nothing of it: nothing, in no frame (CSP
/// level 3).
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
);

/// Which of a browser's devices a page may use: none.
const PERMISSIONS: HeaderValue = HeaderValue::from_static(
    "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
     magnetometer=(), microphone=(), midi=(), payment=(), usb=()",
);

/// What an answer has unless its service says otherwise. A bot does where its widget
/// needs it: the script that other sites load, and the page that they frame, are
/// `cross-origin`, and that page's policy names those sites. `Cross-Origin-Opener-Policy`
/// is about windows of their own and leaves frames alone (HTML, 7.1.3).
const DEFAULTS: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// What no answer has: who made it, and a filter that browsers gave up because it
/// could be turned against the page that it was for.
const NOT_TOLD: [HeaderName; 3] = [
    header::SERVER,
    HeaderName::from_static("x-powered-by"),
    header::X_XSS_PROTECTION,
];

/// Makes a visitor's headers fit for the service behind the gate.
pub(crate) fn to_service(headers: &mut HeaderMap, client: IpAddr) {
    strip(headers);
    headers.remove(header::EXPECT);
    headers.insert(header::FORWARDED, forwarded(client));
}

/// Makes a service's headers fit for the visitor. `named` says whether the
/// request was for a domain ([`is_domain`]).
pub(crate) fn to_visitor(headers: &mut HeaderMap, named: bool) {
    strip(headers);
    for name in NOT_TOLD {
        headers.remove(name);
    }
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(value);
    }
    if named {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
}

/// Whether a request is for a domain of its own. For `localhost` a browser would
/// hold every other service on that machine to TLS too, for a year.
pub(crate) fn is_domain(request: &http::request::Parts) -> bool {
    let host = request
        .headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    let authority = host.or_else(|| request.uri.authority().map(http::uri::Authority::as_str));
    let name = authority.map(|text| text.rsplit_once(':').map_or(text, |(name, _)| name));
    name.is_some_and(|name| {
        name.contains('.') && name.parse::<IpAddr>().is_err() && !name.ends_with(".localhost")
    })
}

/// Removes what is for one hop, and what speaks in the gate's name.
pub(crate) fn strip(headers: &mut HeaderMap) {
    // What `Connection` names is for this hop too.
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&NOT_FORWARDED) {
        headers.remove(name);
    }
}

/// RFC 7239; an IPv6 address is quoted and in brackets.
fn forwarded(client: IpAddr) -> HeaderValue {
    let text = match client {
        IpAddr::V4(address) => format!("for={address};proto=https"),
        IpAddr::V6(address) => format!("for=\"[{address}]\";proto=https"),
    };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("for=unknown;proto=https"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_cannot_speak_in_the_gates_name() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("1.2.3.4"));
        headers.insert("forwarded", HeaderValue::from_static("for=1.2.3.4"));
        headers.insert("x-request-id", HeaderValue::from_static("abc"));
        headers.insert("casemate-conversation", HeaderValue::from_static("0"));
        headers.insert("cf-connecting-ip", HeaderValue::from_static("1.2.3.4"));
        headers.insert("connection", HeaderValue::from_static("close, X-Secret"));
        headers.insert("x-secret", HeaderValue::from_static("for one hop"));
        headers.insert("accept", HeaderValue::from_static("text/html"));
        let client = "2001:db8::1".parse().unwrap();
        to_service(&mut headers, client);
        assert_eq!(headers.len(), 3, "{headers:?}");
        assert_eq!(headers["forwarded"], "for=\"[2001:db8::1]\";proto=https");
        assert_eq!(headers["x-request-id"], "abc");
        assert_eq!(headers["accept"], "text/html");
    }

    #[test]
    fn a_visitor_gets_the_security_headers() {
        let mut headers = HeaderMap::new();
        for told in ["server", "x-powered-by", "x-xss-protection"] {
            headers.insert(told, HeaderValue::from_static("1; mode=block"));
        }
        to_visitor(&mut headers, true);
        for absent in ["server", "x-powered-by", "x-xss-protection"] {
            assert!(headers.get(absent).is_none(), "{absent}");
        }
        for (name, value) in DEFAULTS {
            assert_eq!(headers[&name], value);
        }
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["strict-transport-security"], "max-age=31536000");
        let mut headers = HeaderMap::new();
        to_visitor(&mut headers, false);
        assert!(headers.get("strict-transport-security").is_none());
    }

    #[test]
    fn what_a_bot_says_of_its_own_pages_stays() {
        let mut headers = HeaderMap::new();
        let policy = "default-src 'self'; frame-ancestors 'self' https://shop.example";
        let own = [
            ("content-security-policy", policy),
            ("cross-origin-resource-policy", "cross-origin"),
            ("cross-origin-opener-policy", "unsafe-none"),
            ("referrer-policy", "same-origin"),
            ("permissions-policy", "camera=(self)"),
        ];
        for (name, value) in own {
            headers.insert(name, HeaderValue::from_static(value));
        }
        to_visitor(&mut headers, true);
        for (name, value) in own {
            assert_eq!(headers.get_all(name).iter().collect::<Vec<_>>(), [value]);
        }
    }

    #[test]
    fn localhost_and_addresses_are_no_domains() {
        let domain = |host: &str| {
            let (parts, ()) = http::Request::builder()
                .header("host", host)
                .body(())
                .unwrap()
                .into_parts();
            is_domain(&parts)
        };
        assert!(domain("chat.shop.example") && domain("shop.example:8443"));
        for host in [
            "localhost",
            "localhost:8443",
            "127.0.0.1:443",
            "[::1]:8443",
            "a.localhost",
            "",
        ] {
            assert!(!domain(host), "{host:?}");
        }
    }
}
