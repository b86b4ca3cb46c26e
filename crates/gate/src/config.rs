//! `gate.toml`.

mod http;
mod tls;

pub use http::Http;

use std::time::Duration;

use serde::Deserialize;

use crate::{access, balance, client, honeypots, limits, peers};

pub(crate) use tls::Tls;

/// Connections that are open at most. More are told to come again, or closed.
const CONNECTIONS: usize = 8192;
/// The most that `connections` may be: each takes two of the unit's 32768 descriptors.
const CONNECTIONS_MAX: usize = 15_000;
/// Milliseconds for a TLS handshake.
const HANDSHAKE_MS: u64 = 10_000;
/// Milliseconds for a request's head, and for the next one on an idle connection.
const HEAD_MS: u64 = 30_000;
/// Milliseconds until a bot has begun to answer.
const ANSWER_MS: u64 = 60_000;
/// Shortest and longest time that may be set, in milliseconds.
const MS_RANGE: std::ops::RangeInclusive<u64> = 100..=600_000;

/// What `gate.toml` may say. Everything has a default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Connections that are open at most.
    pub connections: usize,
    /// Milliseconds for a TLS handshake.
    pub handshake_ms: u64,
    /// Milliseconds for a request's head, and for the next one on an idle connection.
    pub head_ms: u64,
    /// Milliseconds until a bot has begun to answer.
    pub answer_ms: u64,
    /// How much a client may ask for.
    pub limits: limits::Settings,
    /// Who may say for whom he speaks.
    pub proxies: client::Settings,
    /// What is written down of requests.
    pub log: access::Settings,
    /// How connections are encrypted.
    pub tls: Tls,
    /// How it is found out which instances of a bot answer.
    pub balance: balance::Settings,
    /// This appliance, where others serve the same bots.
    pub appliance: peers::Own,
    /// The others.
    pub appliances: Vec<peers::Other>,
    /// For which hosts requests are taken, and where those lead that are not encrypted.
    pub http: Http,
    /// Which paths betray a scanner.
    pub honeypots: honeypots::Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS,
            handshake_ms: HANDSHAKE_MS,
            head_ms: HEAD_MS,
            answer_ms: ANSWER_MS,
            limits: limits::Settings::default(),
            proxies: client::Settings::default(),
            log: access::Settings::default(),
            tls: Tls::default(),
            balance: balance::Settings::default(),
            appliance: peers::Own::default(),
            appliances: Vec::new(),
            http: Http::default(),
            honeypots: honeypots::Settings::default(),
        }
    }
}

impl Config {
    /// Rejects values that the gate could not serve with.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=CONNECTIONS_MAX).contains(&self.connections) {
            return Err(format!(
                "`connections` is {}; it must be 1 to {CONNECTIONS_MAX}",
                self.connections
            ));
        }
        for (key, value) in [
            ("handshake_ms", self.handshake_ms),
            ("head_ms", self.head_ms),
            ("answer_ms", self.answer_ms),
        ] {
            if !MS_RANGE.contains(&value) {
                let (least, most) = (MS_RANGE.start(), MS_RANGE.end());
                return Err(format!(
                    "`{key}` is {value}; it must be {least} to {most} milliseconds"
                ));
            }
        }
        self.limits.check()?;
        self.proxies.check()?;
        self.log.check()?;
        self.tls.check()?;
        self.balance.check()?;
        peers::check(&self.appliance, &self.appliances)?;
        self.http.check()?;
        self.honeypots.check()
    }

    /// Time for a TLS handshake.
    #[must_use]
    pub const fn handshake_time(&self) -> Duration {
        Duration::from_millis(self.handshake_ms)
    }

    /// Time for a request's head.
    #[must_use]
    pub const fn head_time(&self) -> Duration {
        Duration::from_millis(self.head_ms)
    }

    /// Time until a bot has begun to answer.
    #[must_use]
    pub const fn answer_time(&self) -> Duration {
        Duration::from_millis(self.answer_ms)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        let config: Config = daemon::parse("").unwrap();
        assert_eq!(config.connections, CONNECTIONS);
        config.check().unwrap();
    }

    #[test]
    fn a_misspelt_key_names_the_right_one() {
        let error = daemon::parse::<Config>("conections = 3").unwrap_err();
        assert!(error.contains("did you mean `connections`?"), "{error}");
    }

    #[test]
    fn values_out_of_range_name_their_key() {
        let config: Config = daemon::parse("connections = 0").unwrap();
        assert!(config.check().unwrap_err().contains("`connections`"));
        let config: Config = daemon::parse("head_ms = 5").unwrap();
        assert!(config.check().unwrap_err().contains("`head_ms`"));
        for (text, key) in [
            ("[limits]\nstreams = 0", "`limits.streams`"),
            ("[proxies]\nproxy_protocol = true", "`proxies.networks`"),
            ("[honeypots]\npaths = ['/b/shop']", "`honeypots.paths`"),
        ] {
            let config: Config = daemon::parse(text).unwrap();
            assert!(config.check().unwrap_err().contains(key), "{text}");
        }
        let config: Config = daemon::parse("[tls]\nclient_ca = 'origin.pem'").unwrap();
        assert!(config.check().unwrap_err().contains("`tls.client_ca`"));
        let config: Config = daemon::parse("[http]\nredirect_port = 0").unwrap();
        assert!(config.check().unwrap_err().contains("`http.redirect_port`"));
    }
}
