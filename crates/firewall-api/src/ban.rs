//! Bans: what is asked for and what is said of them.

use serde::{Deserialize, Serialize};

use crate::{Generation, Prefix, limits};

/// "Drop every packet from there, at once and for that long."
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    /// From where.
    pub prefix: Prefix,
    /// For how long from now, in seconds; from 1 to [`limits::SECONDS_MAX`]. A ban of the same prefix that lasts
    /// longer stays as it is.
    pub seconds: u32,
}

/// "Let packets from there in again." It ends the ban of exactly this prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unban {
    /// From where.
    pub prefix: Prefix,
}

/// What became of a list. All that is not in `refused` is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Whether the firewall still has what it was given before.
    pub generation: Generation,
    /// How many bans began, were lengthened or ended.
    pub changed: usize,
    /// What was not taken, at most [`limits::REFUSED_MAX`] of them.
    pub refused: Vec<Refused>,
    /// How many were not taken.
    pub refused_count: usize,
}

/// A prefix that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The prefix.
    pub prefix: Prefix,
    /// Why not.
    pub why: Why,
}

/// Why a prefix is not banned or blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It is wider than [`limits::IPV4_BITS_MIN`] or [`limits::IPV6_BITS_MIN`] permit.
    TooWide,
    /// It has an address of this machine.
    Own,
    /// It has a gateway of this machine.
    Gateway,
    /// It has loopback addresses.
    Loopback,
    /// It has link-local addresses, on which IPv6 and the machine's network depend.
    LinkLocal,
    /// It has addresses of private networks that `bannable` in firewall.toml does not declare.
    Private,
    /// It has addresses from which no packet comes: multicast, broadcast, unspecified.
    NoSource,
    /// firewall.toml has it in `never`.
    Never,
    /// Its time is 0, or longer than [`limits::SECONDS_MAX`].
    Time,
    /// [`limits::BANS_MAX`] bans are in force.
    Full,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooWide => "it is too wide",
            Self::Own => "it has an address of this machine",
            Self::Gateway => "it has a gateway of this machine",
            Self::Loopback => "it has loopback addresses",
            Self::LinkLocal => "it has link-local addresses",
            Self::Private => {
                "it has private addresses that firewall.toml does not declare as bannable"
            }
            Self::NoSource => "it has addresses that no packet comes from",
            Self::Never => "firewall.toml says never to",
            Self::Time => "its time is none, or too long",
            Self::Full => "too many bans are in force",
        })
    }
}

/// The first line of the list of bans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Whether the firewall still has what it was given before.
    pub generation: Generation,
}

/// A ban in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// From where packets are dropped.
    pub prefix: Prefix,
    /// Time left, in seconds, rounded up.
    pub seconds: u32,
    /// Packets dropped.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Ban {
    /// Whether its time is one that is taken.
    #[must_use]
    pub const fn has_time(&self) -> bool {
        self.seconds > 0 && self.seconds <= limits::SECONDS_MAX
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_is_fixed() {
        let ban = Ban {
            prefix: "192.0.2.0/24".parse().unwrap(),
            seconds: 600,
        };
        let wire = r#"{"prefix":"192.0.2.0/24","seconds":600}"#;
        assert_eq!(serde_json::to_string(&ban).unwrap(), wire);
        assert_eq!(serde_json::from_str::<Ban>(wire).unwrap(), ban);
        let refused = Refused {
            prefix: "::/0".parse().unwrap(),
            why: Why::TooWide,
        };
        let wire = r#"{"prefix":"::/0","why":"too_wide"}"#;
        assert_eq!(serde_json::to_string(&refused).unwrap(), wire);
    }

    #[test]
    fn what_is_no_ban_is_refused() {
        for wire in [
            r#"{"prefix":"192.0.2.0/24"}"#,
            r#"{"prefix":"192.0.2.0/24","seconds":-1}"#,
            r#"{"prefix":"192.0.2.0/24","seconds":4294967296}"#,
            r#"{"prefix":"192.0.2.0/33","seconds":1}"#,
            r#"{"prefix":"host.example","seconds":1}"#,
            r#"{"prefix":"192.0.2.0/24","seconds":1,"reason":"x"}"#,
        ] {
            assert!(serde_json::from_str::<Ban>(wire).is_err(), "{wire}");
        }
    }

    #[test]
    fn the_longest_call_fits_its_limit() {
        let ban = Ban {
            prefix: "abcd:abcd:abcd:abcd:abcd:abcd:abcd:abce/127"
                .parse()
                .unwrap(),
            seconds: u32::MAX,
        };
        let bytes = serde_json::to_vec(&ban).unwrap().len() + ",".len();
        assert!(bytes * limits::BANS_PER_CALL <= limits::BANS_BYTES);
    }
}
