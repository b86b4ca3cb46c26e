//! `dialer.toml`: who may reach what.

use serde::Deserialize;

use crate::address::{Kind, kind};
use crate::host::Host;

/// Most `[[reach]]` entries in a file.
const ENTRIES_MAX: usize = 1024;

/// Most ports in one entry.
const PORTS_MAX: usize = 64;

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    reach: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    unit: String,
    host: String,
    ports: Vec<u16>,
    #[serde(default)]
    private: bool,
}

/// What one caller may reach: some ports of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The caller: the stem of its unit, which is the name of its socket.
    pub unit: String,
    /// The host, in canonical form.
    pub host: Host,
    /// TCP ports.
    pub ports: Vec<u16>,
    /// Whether the host may be on this machine or a private network.
    pub private: bool,
}

impl Config {
    /// The checked entries, in their order.
    ///
    /// # Errors
    /// A sentence that names the entry, the key and what is wrong with its value.
    pub fn reaches(&self) -> Result<Vec<Reach>, String> {
        if self.reach.len() > ENTRIES_MAX {
            return Err(format!(
                "there are {} [[reach]] entries, at most {ENTRIES_MAX} are read",
                self.reach.len()
            ));
        }
        let mut reaches: Vec<Reach> = Vec::with_capacity(self.reach.len());
        for (index, entry) in self.reach.iter().enumerate() {
            let place = |why: String| format!("[[reach]] entry {}: {why}", index + 1);
            let reach = entry.check().map_err(place)?;
            if let Some((earlier, port)) = overlap(&reaches, &reach) {
                return Err(place(format!(
                    "entry {} already lets `{}` reach {} port {port}; keep one of the two",
                    earlier + 1,
                    reach.unit,
                    reach.host,
                )));
            }
            reaches.push(reach);
        }
        Ok(reaches)
    }
}

fn overlap(earlier: &[Reach], reach: &Reach) -> Option<(usize, u16)> {
    earlier.iter().enumerate().find_map(|(index, other)| {
        let same = other.unit == reach.unit && other.host == reach.host;
        let port = reach.ports.iter().find(|port| other.ports.contains(port));
        port.filter(|_| same).map(|port| (index, *port))
    })
}

impl Entry {
    fn check(&self) -> Result<Reach, String> {
        let stem = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.unit.is_empty() || !self.unit.chars().all(stem) {
            return Err(format!(
                "`unit` is {:?} and has to be the stem of a unit, such as \"llm\"",
                self.unit
            ));
        }
        let host: Host = self
            .host
            .parse()
            .map_err(|error| format!("`host` is {:?}: {error}", self.host))?;
        if self.ports.is_empty() || self.ports.len() > PORTS_MAX {
            return Err(format!(
                "`ports` has {} ports and needs 1 to {PORTS_MAX}, such as [443]",
                self.ports.len()
            ));
        }
        if self.ports.contains(&0) {
            return Err("`ports` has port 0, to which nothing can connect".to_owned());
        }
        if let Host::Address(address) = host {
            match kind(address) {
                Kind::Public => {}
                Kind::Unusable(why) => {
                    return Err(format!(
                        "`host` is {address}, to which nothing can connect ({why})"
                    ));
                }
                near if !self.private => {
                    return Err(format!(
                        "`host` is {address} ({near}); if that is meant, add `private = true`"
                    ));
                }
                _ => {}
            }
        }
        Ok(Reach {
            unit: self.unit.clone(),
            host,
            ports: self.ports.clone(),
            private: self.private,
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn reaches(text: &str) -> Result<Vec<Reach>, String> {
        daemon::parse::<Config>(text).and_then(|config| config.reaches())
    }

    fn refused(keys: &str) -> String {
        reaches(&format!("[[reach]]\nunit = 'llm'\n{keys}")).unwrap_err()
    }

    #[test]
    fn an_empty_file_permits_nothing() {
        assert_eq!(reaches("").unwrap(), []);
    }

    #[test]
    fn entries_are_read_in_canonical_form() {
        let read = reaches(
            "[[reach]]\nunit = 'llm'\nhost = 'API.Example.com.'\nports = [443]\n\
             [[reach]]\nunit = 'llm'\nhost = '[::1]'\nports = [80, 81]\nprivate = true\n\
             [[reach]]\nunit = 'llm'\nhost = 'api.example.com'\nports = [8443]\n",
        )
        .unwrap();
        assert_eq!(read[0].host, Host::Name("api.example.com".to_owned()));
        assert!(!read[0].private && read[1].private);
        assert_eq!(read[1].host, "::1".parse().unwrap());
        assert_eq!(read.len(), 3);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(refused("hots = 'a.example'\nports = [1]").ends_with("did you mean `host`?"));
        assert!(refused("host = 'bücher.example'\nports = [443]").contains("`xn--`"));
        assert!(refused("host = 'https://a.example'\nports = [443]").contains("without scheme"));
        assert!(refused("host = 'a.example'\nports = []").contains("`ports`"));
        assert!(refused("host = 'a.example'\nports = [0]").contains("port 0"));
        assert!(refused("host = '192.168.1.9'\nports = [1]").contains("`private = true`"));
        assert!(refused("host = '169.254.169.254'\nports = [80]").contains("cloud metadata"));
        assert!(
            refused("host = '0.0.0.0'\nports = [1]\nprivate = true")
                .contains("nothing can connect")
        );
        assert!(
            reaches("[[reach]]\nunit = 'LLM'\nhost = 'a'\nports = [1]")
                .unwrap_err()
                .contains("`unit`")
        );
        let entry = "[[reach]]\nunit = 'llm'\nhost = 'a.example'\nports = [1, 2]\n";
        let twice = reaches(&format!(
            "{entry}{}",
            entry.replace("[1, 2]", "[2]\nprivate = true")
        ))
        .unwrap_err();
        assert!(
            twice.contains("entry 2: entry 1 already") && twice.contains("port 2"),
            "{twice}"
        );
    }
}
