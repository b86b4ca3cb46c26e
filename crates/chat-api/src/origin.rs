//! The origin of a site that may embed a bot.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use serde::{Deserialize, Serialize};

use crate::limits::ORIGIN_BYTES;

/// A web origin (RFC 6454): scheme, host and port, as it stands in a `frame-ancestors` directive. `https` only, but for
/// `http://localhost`, where a site is tried out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

/// What is not such an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It is too long.
    #[error("an origin has at most {ORIGIN_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// It is not scheme, host and perhaps port.
    #[error("{0:?} is not an origin; write it like \"https://shop.example\", with no path")]
    Malformed(String),
    /// It is not protected by TLS.
    #[error(
        "{0:?} is not https, so anyone on the way could read the conversations; only http://localhost may do without"
    )]
    NotSecure(String),
}

impl Origin {
    /// The origin as browsers write it, in lower case and without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name that can stand in a header without changing what it means: no `*`, `;`, `,`, quote or space.
fn plain_host(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    host.split('.').all(label)
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text.len() > ORIGIN_BYTES {
            return Err(OriginError::TooLong(text.len()));
        }
        let malformed = || OriginError::Malformed(text.to_owned());
        let lower = text.to_ascii_lowercase();
        let (scheme, rest) = lower.split_once("://").ok_or_else(malformed)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let uri: Uri = format!("{scheme}://{authority}")
            .parse()
            .map_err(|_| malformed())?;
        let host = uri.host().ok_or_else(malformed)?;
        if uri.path() != "/"
            || uri.query().is_some()
            || authority.contains(['/', '@', '#', '?'])
            || !plain_host(host)
        {
            return Err(malformed());
        }
        let port = match uri.port() {
            None if authority.len() == host.len() => None,
            None => return Err(malformed()),
            Some(port) => Some(port.as_u16()),
        };
        match scheme {
            "https" => {}
            "http" if host == "localhost" || host == "127.0.0.1" => {}
            "http" => return Err(OriginError::NotSecure(text.to_owned())),
            _ => return Err(malformed()),
        }
        // Browsers leave the scheme's own port out.
        let default = if scheme == "https" { 443 } else { 80 };
        Ok(Self(match port {
            Some(port) if port != default => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        }))
    }
}

impl TryFrom<String> for Origin {
    type Error = OriginError;

    fn try_from(text: String) -> Result<Self, OriginError> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<String, OriginError> {
        text.parse::<Origin>().map(String::from)
    }

    #[test]
    fn origins_are_written_as_browsers_do() {
        for (given, kept) in [
            ("https://shop.example", "https://shop.example"),
            ("HTTPS://Shop.Example/", "https://shop.example"),
            ("https://shop.example:443", "https://shop.example"),
            ("https://shop.example:8443", "https://shop.example:8443"),
            ("http://localhost:3000", "http://localhost:3000"),
        ] {
            assert_eq!(read(given), Ok(kept.to_owned()));
        }
    }

    #[test]
    fn what_is_not_an_origin_is_refused() {
        for text in [
            "",
            "shop.example",
            "https://",
            "https://shop.example/path",
            "https://shop.example?a",
            "https://user@shop.example",
            "https://*.example",
            "https://a b",
            "https://a; script-src *",
            "https://a.example:port",
            "https://a.example:",
            "ftp://shop.example",
            "null",
            "*",
        ] {
            assert!(
                matches!(read(text), Err(OriginError::Malformed(_))),
                "{text:?} gives {:?}",
                read(text)
            );
        }
        assert!(matches!(
            read("http://shop.example"),
            Err(OriginError::NotSecure(_))
        ));
        assert!(matches!(
            read("http://localhost.evil.example"),
            Err(OriginError::NotSecure(_))
        ));
        assert!(matches!(
            read(&format!("https://{}", "a".repeat(300))),
            Err(OriginError::TooLong(308))
        ));
    }

    proptest! {
        #[test]
        fn no_origin_can_add_to_a_header(text in "(https?://)?[ -~]{0,40}") {
            if let Ok(origin) = text.parse::<Origin>() {
                prop_assert!(!origin.as_str().contains([' ', ';', ',', '\'', '"', '*', '\r', '\n']));
                prop_assert_eq!(origin.as_str().parse::<Origin>(), Ok(origin.clone()));
            }
        }
    }
}
