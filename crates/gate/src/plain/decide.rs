//! Pure: what is answered where the connection is not encrypted.

use http::{Method, Version};

use crate::tls::Host;

/// Below this, authorities fetch the answers to their challenges (RFC 8555, section 8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// Longest token in bytes. It has at least 128 bits in base64url; authorities use 43.
const TOKEN_BYTES: usize = 128;

/// The name of a challenge: base64url without padding, so that it is the name of one file
/// in its folder (RFC 8555, section 8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a>(&'a str);

impl<'a> Token<'a> {
    fn new(text: &'a str) -> Option<Self> {
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let good = (1..=TOKEN_BYTES).contains(&text.len()) && text.bytes().all(is_base64url);
        good.then_some(Self(text))
    }

    pub(super) fn as_str(self) -> &'a str {
        self.0
    }
}

/// What was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) version: Version,
    pub(super) method: &'a Method,
    /// The host that it is for; none where none is named, or more than one.
    pub(super) authority: Option<&'a str>,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) has_body: bool,
}

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    /// The answer to this challenge, if there is one.
    Challenge(Token<'a>),
    /// Ask there.
    Elsewhere(String),
    /// There is nothing.
    NotFound,
    /// This is no host of this gate.
    Misdirected,
    /// This method is not taken.
    Method,
    /// Bodies are not taken.
    Body,
    /// It cannot be told what is asked for.
    Malformed,
    /// HTTP/1.1 alone.
    Version,
}

/// Decides. `port` is that of HTTPS as it is shown in an address; `covers` tells whether
/// there is a certificate for a host, so that nobody is led to another's.
pub(super) fn decide<'a>(
    asked: &Asked<'a>,
    port: &str,
    covers: impl FnOnce(&Host) -> bool,
) -> Answer<'a> {
    if asked.version != Version::HTTP_11 {
        return Answer::Version;
    }
    if asked.has_body {
        return Answer::Body;
    }
    if matches!(*asked.method, Method::CONNECT | Method::TRACE) {
        return Answer::Method;
    }
    let Some(authority) = asked.authority else {
        return Answer::Malformed;
    };
    if let Some(token) = asked.path.strip_prefix(CHALLENGES) {
        // An authority asks before there is a certificate, so for any host.
        return match (asked.method, Token::new(token)) {
            (&Method::GET | &Method::HEAD, Some(token)) => Answer::Challenge(token),
            (&Method::GET | &Method::HEAD, None) => Answer::NotFound,
            _ => Answer::Method,
        };
    }
    // `OPTIONS *` asks for no place that could be elsewhere.
    if !asked.path.starts_with('/') {
        return Answer::NotFound;
    }
    match Host::of_authority(authority) {
        Some(host) if covers(&host) => {
            let query = asked
                .query
                .map(|query| format!("?{query}"))
                .unwrap_or_default();
            Answer::Elsewhere(format!("https://{host}{port}{}{query}", asked.path))
        }
        Some(_) => Answer::Misdirected,
        None => Answer::Malformed,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHOP: Asked<'_> = Asked {
        version: Version::HTTP_11,
        method: &Method::GET,
        authority: Some("shop.example"),
        path: "/b/shop/",
        query: None,
        has_body: false,
    };

    fn answer(asked: &Asked<'static>) -> Answer<'static> {
        decide(asked, "", |host| host.to_string() == "shop.example")
    }

    #[test]
    fn visitors_are_led_to_https() {
        let there = |text: &str| Answer::Elsewhere(text.to_owned());
        assert_eq!(answer(&SHOP), there("https://shop.example/b/shop/"));
        let asked = Asked {
            authority: Some("Shop.Example:80"),
            query: Some("a=%2f&b"),
            ..SHOP
        };
        assert_eq!(
            answer(&asked),
            there("https://shop.example/b/shop/?a=%2f&b")
        );
        assert_eq!(
            decide(&SHOP, ":8443", |_| true),
            there("https://shop.example:8443/b/shop/")
        );
        let asked = Asked {
            path: "//evil.example/",
            method: &Method::POST,
            ..SHOP
        };
        assert_eq!(answer(&asked), there("https://shop.example//evil.example/"));
    }

    #[test]
    fn nobody_is_led_to_anothers_host() {
        for host in ["evil.example", "a.shop.example", "192.0.2.1", "[::1]"] {
            assert_eq!(
                answer(&Asked {
                    authority: Some(host),
                    ..SHOP
                }),
                Answer::Misdirected,
                "{host}"
            );
        }
        for host in [
            "",
            "shop.example@evil.example",
            "shop.example/",
            "shop.example\\evil",
            "a b",
            "shop.example:x",
        ] {
            assert_eq!(
                answer(&Asked {
                    authority: Some(host),
                    ..SHOP
                }),
                Answer::Malformed,
                "{host}"
            );
        }
        assert_eq!(
            answer(&Asked {
                authority: None,
                ..SHOP
            }),
            Answer::Malformed
        );
    }

    #[test]
    fn a_challenge_is_answered_for_any_host_and_only_by_its_name() {
        let asked = |path, method| Asked {
            authority: Some("new.example"),
            path,
            method,
            ..SHOP
        };
        let (get, post) = (&Method::GET, &Method::POST);
        let token = "/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-o_A";
        assert!(matches!(answer(&asked(token, get)), Answer::Challenge(_)));
        assert!(matches!(
            answer(&asked(token, &Method::HEAD)),
            Answer::Challenge(_)
        ));
        assert_eq!(answer(&asked(token, post)), Answer::Method);
        for path in ["", "a/b", "..", "../x", "%2e%2e", "a.pem", "a+b", "ä"] {
            let path: &'static str = format!("/.well-known/acme-challenge/{path}").leak();
            assert_eq!(answer(&asked(path, get)), Answer::NotFound, "{path}");
        }
    }

    #[test]
    fn what_is_not_for_here_is_refused() {
        assert_eq!(
            answer(&Asked {
                has_body: true,
                ..SHOP
            }),
            Answer::Body
        );
        assert_eq!(
            answer(&Asked {
                version: Version::HTTP_10,
                ..SHOP
            }),
            Answer::Version
        );
        for method in [&Method::CONNECT, &Method::TRACE] {
            assert_eq!(answer(&Asked { method, ..SHOP }), Answer::Method);
        }
        assert_eq!(
            answer(&Asked {
                path: "*",
                method: &Method::OPTIONS,
                ..SHOP
            }),
            Answer::NotFound
        );
    }

    proptest! {
        #[test]
        fn a_redirect_leads_to_a_host_of_this_gate_and_is_one_line(
            authority in "\\PC{0,40}|(shop\\.example|evil\\.example)?[.:@/\\\\#?\\[\\]a-z0-9]{0,12}",
            path in "/[!-~]{0,40}", query in proptest::option::of("[!-~]{0,20}"),
        ) {
            let asked = Asked { authority: Some(&authority), path: &path, query: query.as_deref(), ..SHOP };
            match decide(&asked, "", |host| host.to_string() == "shop.example") {
                Answer::Elsewhere(there) => {
                    prop_assert!(there.starts_with("https://shop.example/"), "{}", there);
                    prop_assert!(http::HeaderValue::from_str(&there).is_ok());
                }
                Answer::Challenge(token) => prop_assert!(!token.as_str().contains(['.', '/', '%'])),
                _ => {}
            }
        }

        #[test]
        fn a_token_is_one_file_in_its_folder(text in "\\PC{0,140}|[A-Za-z0-9_./-]{0,140}") {
            if let Some(token) = Token::new(&text) {
                let folder = std::path::Path::new("/folder");
                let joined = folder.join(token.as_str());
                prop_assert_eq!(joined.parent(), Some(folder));
                prop_assert_eq!(joined.file_name().unwrap().to_str(), Some(text.as_str()));
            }
        }
    }
}
