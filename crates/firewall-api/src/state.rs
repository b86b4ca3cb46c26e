//! What is in force, in figures.

use serde::{Deserialize, Serialize};

use crate::{BlockName, Generation};

/// The firewall's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Whether the firewall still has what it was given before.
    pub generation: Generation,
    /// Bans in force.
    pub bans: usize,
    /// Block lists in force, by name.
    pub blocks: Vec<BlockState>,
    /// TCP ports that are open.
    pub tcp: Vec<u16>,
    /// UDP ports that are open.
    pub udp: Vec<u16>,
    /// Packets to ports that are not open, dropped since the rules were made.
    pub closed_packets: u64,
    /// How often the rules had to be restored because somebody else had changed them.
    pub restored: u64,
}

/// A block list in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockState {
    /// Its name.
    pub name: BlockName,
    /// Entries that the kernel holds.
    pub entries: usize,
    /// Packets dropped since it was put.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}
