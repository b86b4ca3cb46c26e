//! What the broker tells about itself.

use serde::{Deserialize, Serialize};

/// The providers and how they fare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Every configured provider, the built-in one first.
    pub providers: Vec<ProviderStatus>,
}

/// One provider and how it fares since the broker started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderStatus {
    /// Its name in `llm.toml`.
    pub name: String,
    /// What it speaks: `built-in` or `openai`.
    pub kind: String,
    /// Calls that it was given.
    pub calls: u64,
    /// Calls that ended without a whole answer.
    pub failures: u64,
}
