//! Pure: who is never banned.

use std::collections::HashMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::prefix::Prefix;

/// Operators' addresses that are remembered. When one more comes, that which was seen first goes.
pub const OPERATORS_MAX: usize = 256;

/// Prefixes of each kind that the firewall did not take and that are left alone, until the next start.
pub const SPARED_MAX: usize = 256;

/// Live sessions that are remembered. When one more comes, that which began first goes.
pub const SESSIONS_MAX: usize = 1024;

/// Addresses that are not somebody else's at all.
const NOBODY: [&str; 7] = [
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/3",
    "::/127",
    "fe80::/10",
    "ff00::/8",
];

/// Why an address is never banned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Loopback, link-local and the like.
    Nobody,
    /// It is on the allow list.
    Allowed,
    /// It is one of this machine's own, or a gateway.
    Own,
    /// Somebody is logged in from there.
    Session,
    /// An operator works from there.
    Operator,
}

impl Why {
    /// As a sentence for an operator.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::Nobody => "it is a loopback, link-local or multicast address",
            Self::Allowed => "it is on the allow list (`never` in /etc/casemate/guard.toml)",
            Self::Own => {
                "the firewall does not take it: it is this machine's own, a gateway's, or in a private network that \
                 /etc/casemate/firewall.toml does not declare as bannable"
            }
            Self::Session => "somebody is logged in from there over SSH",
            Self::Operator => "an operator has used the command line from there within the hour",
        }
    }
}

/// A process, of this boot or another: its number alone is given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Process {
    /// The boot's id.
    pub boot: [u8; 16],
    /// Its number.
    pub number: u32,
}

/// A login over SSH that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Where from.
    pub address: IpAddr,
    /// Since when, in seconds since 1970.
    pub begun: u64,
}

/// Who is never banned.
#[derive(Debug, Default)]
pub struct Never {
    nobody: Vec<Prefix>,
    allowed: Vec<Prefix>,
    own: Vec<Prefix>,
    wide: Vec<Prefix>,
    /// By the process that serves it.
    sessions: HashMap<Process, Session>,
    operators: HashMap<IpAddr, u64>,
}

impl Never {
    /// With an allow list.
    #[must_use]
    pub fn new(allowed: Vec<Prefix>) -> Self {
        let nets = NOBODY
            .iter()
            .filter_map(|net| net.parse::<ipnet::IpNet>().ok());
        Self {
            nobody: nets.map(Prefix::from).collect(),
            allowed,
            ..Self::default()
        }
    }

    /// The firewall did not take that prefix. An address is never banned again; of a wider prefix nobody knows which
    /// address it was for, so that only the whole of it is not.
    pub fn spare(&mut self, prefix: Prefix) {
        let spared = if prefix == Prefix::host(prefix.first()) {
            &mut self.own
        } else {
            &mut self.wide
        };
        if !spared.contains(&prefix) {
            if spared.len() >= SPARED_MAX {
                spared.remove(0);
            }
            spared.push(prefix);
        }
    }

    /// Somebody logged in; `process` serves them.
    pub fn begin(&mut self, process: Process, session: Session) {
        if self.sessions.len() >= SESSIONS_MAX
            && let Some(first) = self
                .sessions
                .iter()
                .min_by_key(|(_, session)| session.begun)
        {
            let first = *first.0;
            self.sessions.remove(&first);
        }
        self.sessions.insert(process, session);
    }

    /// The session ended that `process` served.
    pub fn end(&mut self, process: Process) -> Option<Session> {
        self.sessions.remove(&process)
    }

    /// The sessions by process. Which of them are live is for the caller to tell, who ends the others.
    pub fn sessions(&self) -> impl Iterator<Item = (Process, Session)> {
        self.sessions
            .iter()
            .map(|(process, session)| (*process, *session))
    }

    /// An operator works from there, until `until` in seconds since 1970.
    pub fn operator(&mut self, address: IpAddr, until: u64) {
        if self.operators.len() >= OPERATORS_MAX
            && let Some(first) = self.operators.iter().min_by_key(|(_, until)| **until)
        {
            let first = *first.0;
            self.operators.remove(&first);
        }
        self.operators.insert(address.to_canonical(), until);
    }

    /// Why no address of the prefix, or not all of them, are ever banned.
    #[must_use]
    pub fn why(&self, prefix: &Prefix, now_s: u64) -> Option<Why> {
        let among = |nets: &[Prefix]| nets.iter().any(|net| net.overlaps(prefix));
        if among(&self.nobody) {
            return Some(Why::Nobody);
        }
        if among(&self.allowed) {
            return Some(Why::Allowed);
        }
        let whole = |wide: &Prefix| wide.overlaps(prefix) && prefix.bits() <= wide.bits();
        if among(&self.own) || self.wide.iter().any(whole) {
            return Some(Why::Own);
        }
        let mut sessions = self.sessions.values();
        if sessions.any(|session| prefix.has(session.address)) {
            return Some(Why::Session);
        }
        let mut operators = self.operators.iter();
        operators
            .any(|(address, until)| *until > now_s && prefix.has(*address))
            .then_some(Why::Operator)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn host(text: &str) -> Prefix {
        Prefix::host(text.parse().unwrap())
    }

    #[test]
    fn the_reasons_are_told_apart() {
        let mut never = Never::new(vec!["192.0.2.0/24".parse::<ipnet::IpNet>().unwrap().into()]);
        never.spare(host("198.51.100.1"));
        let session = Session {
            address: "203.0.113.7".parse().unwrap(),
            begun: 100,
        };
        let process = |boot, number| Process {
            boot: [boot; 16],
            number,
        };
        never.begin(process(1, 7), session);
        never.operator("2001:db8::1".parse().unwrap(), 200);
        let told = |never: &Never, text: &str, now| never.why(&host(text), now);
        let why = |text: &str, now| told(&never, text, now);
        assert_eq!(why("127.0.0.1", 0), Some(Why::Nobody));
        assert_eq!(why("fe80::1", 0), Some(Why::Nobody));
        assert_eq!(why("::1", 0), Some(Why::Nobody));
        assert_eq!(why("192.0.2.9", 0), Some(Why::Allowed));
        assert_eq!(why("198.51.100.1", 0), Some(Why::Own));
        assert_eq!(why("203.0.113.7", 101), Some(Why::Session));
        // However long it lasts.
        assert_eq!(why("203.0.113.7", u64::MAX), Some(Why::Session));
        assert_eq!(why("2001:db8::1", 199), Some(Why::Operator));
        assert_eq!(why("2001:db8::1", 200), None);
        assert_eq!(why("203.0.113.8", 0), None);
        let wide = Prefix::of("2001:db8::9".parse().unwrap(), 64);
        assert_eq!(never.why(&wide, 100), Some(Why::Operator));
        // The same number in another boot is another process.
        assert_eq!(never.end(process(2, 7)), None);
        assert_eq!(told(&never, "203.0.113.7", 101), Some(Why::Session));
        assert_eq!(never.end(process(1, 7)), Some(session));
        assert_eq!(never.why(&host("203.0.113.7"), 101), None);
    }

    #[test]
    fn tables_are_bounded() {
        let mut never = Never::default();
        for number in 0..5000_u32 {
            let address = IpAddr::V4(number.into());
            never.operator(address, number.into());
            let begun = number.into();
            let process = Process {
                boot: [1; 16],
                number,
            };
            never.begin(process, Session { address, begun });
        }
        assert_eq!(never.operators.len(), OPERATORS_MAX);
        assert_eq!(never.sessions.len(), SESSIONS_MAX);
        let mut end = |number| {
            never.end(Process {
                boot: [1; 16],
                number,
            })
        };
        assert!(end(4999).is_some() && end(1).is_none());
    }
}
