//! A conversation's id.

use std::fmt;

use super::{NoRandomness, hex, random, unhex};

/// A conversation's id: 128 random bits, written as 32 hexadecimal digits. It names the conversation and opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConversationId([u8; Self::BYTES]);

impl ConversationId {
    /// Its length in bytes.
    pub const BYTES: usize = 16;

    /// A new one.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn random() -> Result<Self, NoRandomness> {
        random().map(Self)
    }

    /// Reads the id that a client sends.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        unhex(text).map(Self)
    }

    /// Its bytes, as they stand in keys of the store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl From<[u8; ConversationId::BYTES]> for ConversationId {
    fn from(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}
