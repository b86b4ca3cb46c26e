//! How guard fares.

use serde::{Deserialize, Serialize};

/// A block list, or a file in its folder that is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListState {
    /// Its file's name.
    pub name: String,
    /// Prefixes of it that are in force.
    pub entries: u64,
    /// Lines that are no prefix, and those that would hit somebody who is never banned: they were left out.
    pub refused: u64,
    /// How long it took from opening the file until it was in force, in milliseconds.
    pub took_ms: u64,
    /// The file's time of change, in nanoseconds since 1970.
    pub version_ns: u64,
    /// Why the file, as it is now, is not in force. [`Self::entries`] are then those of the version before, if there
    /// was one.
    #[serde(default)]
    pub error: Option<String>,
}

/// How guard fares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Bans in force.
    pub bans: u64,
    /// Events and lines of the journal that were judged since the start.
    pub judged: u64,
    /// Events that were forged, since the start.
    pub forged: u64,
    /// Whether it watches only.
    pub dry_run: bool,
    /// Whether the kernel has all bans.
    pub in_force: bool,
    /// Block lists.
    pub lists: Vec<ListState>,
}
