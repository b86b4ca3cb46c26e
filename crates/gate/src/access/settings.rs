//! `[log]` in `gate.toml`: what is written down of requests.

use serde::Deserialize;

/// What is written down.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whether each request is.
    pub access: bool,
    /// How its client is.
    pub client: ClientShown,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access: true,
            client: ClientShown::Truncated,
        }
    }
}

/// How a client is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientShown {
    /// His address.
    Full,
    /// The network of his address: 24 bits of IPv4, 48 of IPv6.
    Truncated,
    /// A hash of his address that is the same until the gate is started anew, and
    /// that nobody can turn back: its key is never stored.
    Hashed,
    /// Not at all.
    None,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn clients_are_truncated_unless_asked_for_otherwise() {
        let read = |text: &str| daemon::parse::<Settings>(text).unwrap();
        assert!(read("").access && !read("access = false").access);
        assert_eq!(read("").client, ClientShown::Truncated);
        for (text, shown) in [
            ("full", ClientShown::Full),
            ("truncated", ClientShown::Truncated),
            ("hashed", ClientShown::Hashed),
            ("none", ClientShown::None),
        ] {
            assert_eq!(read(&format!("client = '{text}'")).client, shown);
        }
        assert!(daemon::parse::<Settings>("client = 'half'").is_err());
    }
}
