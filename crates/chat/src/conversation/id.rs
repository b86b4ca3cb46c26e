//! A conversation's id.

use std::fmt;

use super::{NoRandomness, hex, random, unhex};

/// A conversation's id: when it began, in milliseconds since 1970 (48 bits), and 80 random bits, written as 32 hexadecimal
/// digits. It names the conversation and opens nothing. New ones sort behind all others, so that conversations that
/// begin together are stored together and one commit writes few blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConversationId([u8; Self::BYTES]);

impl ConversationId {
    /// Its length in bytes.
    pub const BYTES: usize = 16;

    /// How many of its bytes are the time.
    const TIME_BYTES: usize = 6;

    /// One for a conversation that begins at `now`, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn begin(now: u64) -> Result<Self, NoRandomness> {
        let mut bytes: [u8; Self::BYTES] = random()?;
        let time = now.to_be_bytes();
        let from = time.len() - Self::TIME_BYTES;
        bytes[..Self::TIME_BYTES].copy_from_slice(&time[from..]);
        Ok(Self(bytes))
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn later_conversations_sort_behind_and_no_two_are_the_same() {
        let now = 1_790_000_000_000;
        let one = ConversationId::begin(now).unwrap();
        let same_time = ConversationId::begin(now).unwrap();
        let later = ConversationId::begin(now + 1).unwrap();
        assert!(one != same_time && one < later && same_time < later);
        assert_eq!(ConversationId::parse(&one.to_string()), Some(one));
    }
}
