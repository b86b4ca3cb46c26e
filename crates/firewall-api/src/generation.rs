//! Whether the firewall still has everything that it was given.

use serde::{Deserialize, Serialize};

/// Changes when the firewall may have less than it was given: after its start, and after somebody else removed its
/// table. Only equality means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
