//! `[log]` in `gate.toml`: what is written down of requests.

use serde::Deserialize;

/// Requests that are written down in a second. The unit's `LogRateLimitBurst=` has
/// room for these and for the security events.
const PER_SECOND: u32 = 1000;
/// The most that this may be set to.
const PER_SECOND_MAX: u32 = 100_000;

/// What is written down.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whether each request is.
    pub access: bool,
    /// How its client is.
    pub client: ClientShown,
    /// Of how many requests in a second; of more, only their number is.
    pub per_second: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access: true,
            client: ClientShown::Truncated,
            per_second: PER_SECOND,
        }
    }
}

impl Settings {
    /// Rejects a number that would leave out all, or that the journal cannot take.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub fn check(&self) -> Result<(), String> {
        if (1..=PER_SECOND_MAX).contains(&self.per_second) {
            return Ok(());
        }
        Err(format!(
            "`log.per_second` is {}; it must be 1 to {PER_SECOND_MAX}; `log.access` turns the log off",
            self.per_second
        ))
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
        assert!(read("").check().is_ok());
        let none = read("per_second = 0").check();
        assert!(none.is_err_and(|why| why.contains("`log.per_second`")));
    }
}
