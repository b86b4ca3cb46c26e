//! `llm.toml`: the providers.

use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use serde::Deserialize;

/// Most providers.
pub const PROVIDERS: usize = 64;
/// Longest time that connecting may be given, in milliseconds.
pub const CONNECT_MS: u64 = 30_000;
/// Longest time that the first words may be given, in milliseconds.
pub const FIRST_TOKEN_MS: u64 = 60_000;
/// Longest time that a pause between words may be given, in milliseconds.
pub const IDLE_MS: u64 = 60_000;

// A connection that was kept can turn out dead and a new one be made: even so the caller must hear of a failure before it
// gives up waiting for this service.
const _: () =
    assert!((2 * CONNECT_MS + FIRST_TOKEN_MS) as u128 <= llm_api::limits::EVENT_TIME.as_millis());

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The providers; the built-in one needs no entry.
    #[serde(default)]
    pub provider: Vec<Entry>,
}

/// One provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What bots call it.
    pub name: String,
    /// Where its OpenAI-compatible interface starts, such as `https://api.openai.com/v1`.
    pub base_url: String,
    /// The model to ask for.
    pub model: String,
    /// The systemd credential that holds the key. Without it no key is sent.
    pub credential: Option<String>,
    /// Permits `http://`, for a provider in one's own network that the dialer's file declares private as well.
    #[serde(default)]
    pub private: bool,
    /// A file of certificates (PEM) that are trusted beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// Most tokens of an answer.
    pub max_tokens: Option<u32>,
    /// How freely the model chooses its words, 0 to 2.
    pub temperature: Option<f32>,
    /// Longest time to connect, in milliseconds.
    #[serde(default = "default_connect")]
    pub connect_ms: u64,
    /// Longest time until the first words, in milliseconds.
    #[serde(default = "default_first_token")]
    pub first_token_ms: u64,
    /// Longest pause between words, in milliseconds.
    #[serde(default = "default_idle")]
    pub idle_ms: u64,
}

fn default_connect() -> u64 {
    10_000
}

fn default_first_token() -> u64 {
    30_000
}

fn default_idle() -> u64 {
    20_000
}

/// Where a provider is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// A DNS name or an IP address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// What stands in the `Host` header.
    pub authority: String,
    /// The path of the call that completes a chat.
    pub path: String,
}

impl Config {
    /// Holds the file to what can be served.
    ///
    /// # Errors
    /// A sentence that names the provider, the key and what is wrong with its value.
    pub fn check(&self) -> Result<(), String> {
        if self.provider.len() > PROVIDERS {
            return Err(format!(
                "there are {} providers; the limit is {PROVIDERS}",
                self.provider.len()
            ));
        }
        for (index, entry) in self.provider.iter().enumerate() {
            entry
                .check()
                .map_err(|why| format!("provider {:?}: {why}", entry.name))?;
            if self.provider[..index]
                .iter()
                .any(|other| other.name == entry.name)
            {
                return Err(format!(
                    "provider {:?}: there are two of this name",
                    entry.name
                ));
            }
        }
        Ok(())
    }
}

impl Entry {
    fn check(&self) -> Result<(), String> {
        let plain = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
        };
        let length = 1..=llm_api::limits::NAME_BYTES;
        if !length.contains(&self.name.len()) || !self.name.bytes().all(plain) {
            return Err("name must be 1 to 64 of a-z, 0-9, '-', '_' and '.'".into());
        }
        if self.name == llm_api::BUILT_IN {
            return Err("name: this one always exists and cannot be configured".into());
        }
        if self.model.trim().is_empty() {
            return Err("model is empty".into());
        }
        if self
            .credential
            .as_ref()
            .is_some_and(|name| !name.starts_with("provider."))
        {
            return Err(
                "credential must start with \"provider.\", or the unit does not import it".into(),
            );
        }
        if self
            .temperature
            .is_some_and(|value| !(0.0..=2.0).contains(&value))
        {
            return Err("temperature must be from 0 to 2".into());
        }
        if self.max_tokens == Some(0) {
            return Err("max_tokens must be at least 1".into());
        }
        for (key, value, limit) in [
            ("connect_ms", self.connect_ms, CONNECT_MS),
            ("first_token_ms", self.first_token_ms, FIRST_TOKEN_MS),
            ("idle_ms", self.idle_ms, IDLE_MS),
        ] {
            if value == 0 || value > limit {
                return Err(format!("{key} must be from 1 to {limit}"));
            }
        }
        self.target().map(drop)
    }

    /// Where the provider is.
    ///
    /// # Errors
    /// What is wrong with `base_url`.
    pub fn target(&self) -> Result<Target, String> {
        let uri: Uri = self
            .base_url
            .parse()
            .map_err(|error| format!("base_url: {error}"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if self.private => false,
            Some("http") => {
                return Err(
                    "base_url: http:// sends the key and every question in the clear; \
                            use https://, or set private = true for a provider in your own network"
                        .into(),
                );
            }
            _ => return Err("base_url must start with https://".into()),
        };
        let authority = uri.authority().ok_or("base_url names no host")?;
        if authority.as_str().contains('@') {
            return Err(
                "base_url must not hold a user or password; a key is given by credential".into(),
            );
        }
        if uri.query().is_some() {
            return Err("base_url must not hold a query".into());
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        if host.is_empty() {
            return Err("base_url names no host".into());
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        if authority.port().is_some() && uri.port_u16().is_none_or(|port| port == 0) {
            return Err("base_url: the port must be from 1 to 65535".into());
        }
        Ok(Target {
            tls,
            host: host.to_owned(),
            port,
            authority: authority.as_str().to_owned(),
            path: format!("{}/chat/completions", uri.path().trim_end_matches('/')),
        })
    }

    /// Longest time to connect.
    #[must_use]
    pub fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_ms)
    }

    /// Longest time until the first words.
    #[must_use]
    pub fn first_token(&self) -> Duration {
        Duration::from_millis(self.first_token_ms)
    }

    /// Longest pause between words.
    #[must_use]
    pub fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn checked(lines: &str) -> Result<Target, String> {
        let text = format!("[[provider]]\nname = \"a\"\nmodel = \"m\"\n{lines}");
        let config: Config = toml::from_str(&text).map_err(|error| error.to_string())?;
        config.check()?;
        config.provider[0].target()
    }

    #[test]
    fn a_public_provider_is_reached_by_tls() {
        let target =
            checked("base_url = \"https://api.example.com/v1/\"\ncredential = \"provider.a\"")
                .unwrap();
        assert_eq!(
            (target.tls, target.host.as_str(), target.port),
            (true, "api.example.com", 443)
        );
        assert_eq!(target.path, "/v1/chat/completions");
    }

    #[test]
    fn a_private_one_may_be_plain() {
        let target = checked("base_url = \"http://[::1]:9100/v1\"\nprivate = true").unwrap();
        assert_eq!(
            (target.tls, target.host.as_str(), target.port),
            (false, "::1", 9100)
        );
        assert_eq!(target.authority, "[::1]:9100");
    }

    #[test]
    fn what_cannot_be_served_is_named() {
        let good = "base_url = \"https://a.example\"\n";
        for (lines, part) in [
            ("base_url = \"http://a.example/v1\"", "in the clear"),
            ("base_url = \"https://user:pass@a.example\"", "credential"),
            ("base_url = \"ftp://a.example\"", "https://"),
            ("base_url = \"/v1\"", "https://"),
            ("base_url = \"https://a.example?key=1\"", "query"),
            ("base_url = \"https://a.example:0/\"", "port"),
            (&format!("{good}credential = \"key\""), "provider."),
            (&format!("{good}temperature = 3.0"), "temperature"),
            (&format!("{good}max_tokens = 0"), "max_tokens"),
            (&format!("{good}idle_ms = 0"), "idle_ms"),
            (&format!("{good}first_token_ms = 999999"), "60000"),
            (&format!("{good}key = \"sk-1\""), "unknown field `key`"),
        ] {
            let why = checked(lines).unwrap_err();
            assert!(why.contains(part), "{lines}: {why}");
        }
    }

    #[test]
    fn names_are_unique_and_not_the_built_in_one() {
        let entry = |name: &str| {
            format!(
                "[[provider]]\nname = \"{name}\"\nmodel = \"m\"\nbase_url = \"https://a.example\"\n"
            )
        };
        let check = |text: &str| toml::from_str::<Config>(text).unwrap().check();
        assert!(
            check(&(entry("a") + &entry("a")))
                .unwrap_err()
                .contains("two")
        );
        assert!(
            check(&entry("built-in"))
                .unwrap_err()
                .contains("always exists")
        );
        assert!(check(&entry("My Provider")).is_err());
        assert!(check("").is_ok());
    }
}
