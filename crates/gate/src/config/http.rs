//! `[http]` in `gate.toml`.

use serde::Deserialize;

use crate::hosts;

/// Most names that may be declared.
const HOSTS_MAX: usize = 256;

/// For which hosts requests are taken.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Names and addresses without a port; `*.` at the beginning stands for one label. None declared:
    /// those that the gate is given with its certificate.
    pub hosts: Vec<String>,
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
        Ok(())
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
