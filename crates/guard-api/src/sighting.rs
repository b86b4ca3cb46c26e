//! What guard has seen.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::Ban;

/// One event, or one line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// When, in seconds since 1970.
    pub at: u64,
    /// What: the event's name, or that of a line of the journal.
    pub kind: String,
    /// Who did it, where somebody did.
    pub client: Option<IpAddr>,
    /// Which unit saw it.
    pub unit: String,
    /// How often, where a flood was merged.
    pub times: u32,
}

/// What was seen lately.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sightings {
    /// The latest first.
    pub events: Vec<Sighting>,
}

/// How near an address is to a ban by one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The rule.
    pub rule: String,
    /// Its points now.
    pub score: f64,
    /// The points that it is banned at.
    pub threshold: f64,
}

/// A ban that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// The ban.
    pub ban: Ban,
    /// When it ended, in seconds since 1970.
    pub ended: u64,
    /// Whether an operator lifted it.
    pub lifted: bool,
}

/// All that guard knows of an address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The address.
    pub address: IpAddr,
    /// The bans that hold for it, the widest first.
    pub bans: Vec<Ban>,
    /// The block lists in force that have it, each with the entry as it is written there.
    #[serde(default)]
    pub lists: Vec<(String, String)>,
    /// Why it is never banned, if so.
    pub never: Option<String>,
    /// How near it is to a ban.
    pub standing: Vec<Standing>,
    /// What was seen of it lately, the latest first.
    pub events: Vec<Sighting>,
    /// Its bans that have ended, the latest first.
    pub past: Vec<Past>,
}
