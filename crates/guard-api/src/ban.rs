//! Bans, and how operators make and lift them.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Who made a ban.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The rule of that name.
    Rule(String),
    /// An operator, with the reason that was given.
    Operator(String),
    /// So many banned prefixes within this one.
    Neighbours(u32),
}

impl std::fmt::Display for By {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rule(name) => write!(f, "rule {name}"),
            Self::Operator(reason) if reason.is_empty() => f.write_str("operator"),
            Self::Operator(reason) => write!(f, "operator: {reason}"),
            Self::Neighbours(count) => write!(f, "{count} banned neighbours"),
        }
    }
}

/// One thing that was seen and counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// When, in seconds since 1970.
    pub at: u64,
    /// What: the event's name, or that of a line of the journal.
    pub kind: String,
    /// Who did it.
    pub client: IpAddr,
    /// Which unit saw it.
    pub unit: String,
    /// How often, where a flood was merged.
    pub times: u32,
}

/// A ban in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Whom it holds for.
    pub prefix: IpNet,
    /// Who made it.
    pub by: By,
    /// Since when, in seconds since 1970.
    pub begun: u64,
    /// Until when, in seconds since 1970.
    pub until: u64,
    /// The how manieth ban of this prefix it is, from 1.
    pub nth: u32,
    /// Whether it would be in force, were guard not told to watch only (`dry_run`).
    pub dry_run: bool,
    /// What led to it, the earliest first.
    pub evidence: Vec<Evidence>,
}

impl Ban {
    /// Seconds that it still holds.
    #[must_use]
    pub const fn left_s(&self, now: u64) -> u64 {
        self.until.saturating_sub(now)
    }
}

/// A page of the bans in force, in the order of their prefixes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bans {
    /// The bans.
    pub bans: Vec<Ban>,
    /// Where the next page begins (`?after=`), if there is one.
    pub next: Option<IpNet>,
}

/// An operator's wish to ban.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BanRequest {
    /// Whom.
    pub prefix: IpNet,
    /// For how many seconds.
    pub seconds: u64,
    /// Why; at most [`REASON_BYTES`](crate::limits::REASON_BYTES).
    #[serde(default)]
    pub reason: String,
}

/// What became of the wish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The ban.
    pub ban: Ban,
    /// Whether the kernel has it. If not, it will once the firewall answers again.
    pub in_force: bool,
    /// Whether it is stored. If not, a restart of guard before the store works again forgets it.
    pub stored: bool,
}

/// An operator's wish to lift bans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnbanRequest {
    /// All bans that hold for a part of this are lifted.
    pub prefix: IpNet,
}

/// The bans that were lifted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifted {
    /// Their prefixes.
    pub lifted: Vec<IpNet>,
    /// Whether the kernel lets packets from there in. If not, it will once the firewall answers again.
    pub in_force: bool,
    /// Whether it is stored. If not, a restart of guard before the store works again brings the bans back.
    pub stored: bool,
}
