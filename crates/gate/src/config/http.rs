//! `[http]` in `gate.toml`.

use serde::Deserialize;

use crate::hosts;

/// Most names that may be declared.
const HOSTS_MAX: usize = 256;

/// The port of HTTPS (RFC 9110, section 4.2.2).
const HTTPS_PORT: u16 = 443;

/// For which hosts requests are taken, and where those lead that are not encrypted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Names and addresses without a port; `*.` at the beginning stands for one label. None declared:
    /// the names of the certificates in use, and every address.
    pub hosts: Vec<String>,
    /// The port that visitors are led to who come without encryption: the one that they reach the
    /// gate on.
    pub redirect_port: u16,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            redirect_port: HTTPS_PORT,
        }
    }
}

impl Http {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.hosts.len() > HOSTS_MAX {
            return Err(format!(
                "`http.hosts` has {} names; it may have {HOSTS_MAX} at most",
                self.hosts.len()
            ));
        }
        for host in &self.hosts {
            if !hosts::is_pattern(host) {
                return Err(format!(
                    "`http.hosts` has {host:?}; it must be a name or an address without a port, such as \
                     \"shop.example\", \"*.shop.example\" or \"[2001:db8::1]\""
                ));
            }
        }
        match self.redirect_port {
            0 => Err("`http.redirect_port` is 0; it must be 1 to 65535".to_owned()),
            _ => Ok(()),
        }
    }

    /// The port as an address shows it: not at all where it goes without saying.
    pub(crate) fn shown_port(&self) -> String {
        match self.redirect_port {
            HTTPS_PORT => String::new(),
            port => format!(":{port}"),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::Config;

    #[test]
    fn hosts_are_names_without_a_port() {
        let check = |text: &str| daemon::parse::<Config>(text).unwrap().check();
        check("[http]\nhosts = [\"shop.example\", \"*.shop.example\", \"[::1]\", \"127.0.0.1\"]")
            .unwrap();
        for host in ["shop.example:443", "", "*", "a.*.example", "https://a"] {
            let error = check(&format!("[http]\nhosts = [{host:?}]")).unwrap_err();
            assert!(error.contains("`http.hosts`"), "{error}");
        }
    }
}
