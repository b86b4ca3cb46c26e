//! `firewall.toml`: what is open, and what is never banned.

use std::collections::BTreeSet;
use std::path::Path;

use firewall_api::Prefix;
use serde::Deserialize;

use crate::judge::{Policy, is_private};
use crate::nft::Ports;

/// The folder of the configuration: a file alone would not follow its replacement.
pub const FOLDER: &str = "/etc/casemate";

/// The configuration.
pub const FILE: &str = "/etc/casemate/firewall.toml";

/// Where this file is, the gate takes what other appliances hand on (systemd/casemate-gate-peers.socket).
const PEERS_AUTHORITY: &str = "/etc/casemate/peers.pem";

/// The port on which it does.
const PEERS_PORT: u16 = 9443;

/// Open where nothing else is said: SSH, HTTP, HTTPS.
const TCP: [u16; 3] = [22, 80, 443];

/// Most ports of either protocol: each is a rule that a new connection passes.
const PORTS_MAX: usize = 64;

/// Most prefixes in either list.
const PREFIXES_MAX: usize = 256;

/// The file as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// TCP ports that anybody may connect to. Port 9443 is open besides where `peers.pem` is there.
    tcp: BTreeSet<u16>,
    /// UDP ports that anybody may send to.
    udp: BTreeSet<u16>,
    /// Prefixes that are never banned or blocked, such as the operators' own.
    never: Vec<Prefix>,
    /// Private prefixes that may be banned; no other private address may.
    bannable: Vec<Prefix>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tcp: TCP.into(),
            udp: BTreeSet::new(),
            never: Vec::new(),
            bannable: Vec::new(),
        }
    }
}

impl Config {
    /// Checks what can be read and yet not be served.
    ///
    /// # Errors
    /// A sentence that names the key and what is wrong with its value.
    pub fn check(&self) -> Result<(), String> {
        for (key, ports) in [("tcp", &self.tcp), ("udp", &self.udp)] {
            if ports.contains(&0) {
                return Err(format!("`{key}` has port 0, which nobody can connect to"));
            }
            if ports.len() > PORTS_MAX {
                return Err(format!(
                    "`{key}` has {} ports, at most {PORTS_MAX} are open",
                    ports.len()
                ));
            }
        }
        for (key, prefixes) in [("never", &self.never), ("bannable", &self.bannable)] {
            if prefixes.len() > PREFIXES_MAX {
                return Err(format!(
                    "`{key}` has {} prefixes, at most {PREFIXES_MAX} are read",
                    prefixes.len()
                ));
            }
        }
        match self.bannable.iter().find(|prefix| !is_private(prefix)) {
            Some(other) => Err(format!(
                "`bannable` has {other}, which is not within a private network; others may be banned without being listed"
            )),
            None => Ok(()),
        }
    }

    /// The ports that are to be open now.
    #[must_use]
    pub fn ports(&self) -> Ports {
        self.ports_with(Path::new(PEERS_AUTHORITY).exists())
    }

    fn ports_with(&self, peers: bool) -> Ports {
        let mut tcp = self.tcp.clone();
        tcp.extend(peers.then_some(PEERS_PORT));
        Ports {
            tcp,
            udp: self.udp.clone(),
        }
    }

    /// What is never banned, and what may be although it is private.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            never: self.never.clone(),
            bannable: self.bannable.clone(),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let config: Config = daemon::parse(text)?;
        config.check().map(|()| config)
    }

    #[test]
    fn without_a_file_visitors_and_operators_get_in() {
        let config = read("").unwrap();
        assert_eq!(config.ports_with(false).tcp, [22, 80, 443].into());
        assert_eq!(config.ports_with(true).tcp, [22, 80, 443, 9443].into());
        assert!(config.ports_with(true).udp.is_empty());
    }

    #[test]
    fn what_is_written_counts() {
        let config =
            read("tcp = [443]\nudp = [51820]\nnever = ['203.0.113.7']\nbannable = ['10.1.0.0/16']")
                .unwrap();
        assert_eq!(
            config.ports_with(false),
            Ports {
                tcp: [443].into(),
                udp: [51820].into()
            }
        );
        assert_eq!(config.policy().bannable, ["10.1.0.0/16".parse().unwrap()]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(
            read("nevre = []")
                .unwrap_err()
                .ends_with("did you mean `never`?")
        );
        assert!(read("tcp = [0]").unwrap_err().contains("port 0"));
        assert!(read("tcp = [65536]").is_err());
        assert!(
            read("never = ['10.0.0.0/33']")
                .unwrap_err()
                .contains("no prefix")
        );
        assert!(
            read("bannable = ['203.0.113.0/24']")
                .unwrap_err()
                .contains("`bannable`")
        );
    }
}
