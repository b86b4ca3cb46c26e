//! A conversation's id.

use std::fmt;

use data_encoding::HEXLOWER;

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

    /// How many of its bytes are random.
    pub const RANDOM_BYTES: usize = Self::BYTES - Self::TIME_BYTES;

    /// One for a conversation that begins at `now`, in milliseconds since 1970; `random` comes from the operating system.
    #[must_use]
    pub fn begin(now: u64, random: [u8; Self::RANDOM_BYTES]) -> Self {
        let mut bytes = [0; Self::BYTES];
        let time = now.to_be_bytes();
        bytes[..Self::TIME_BYTES].copy_from_slice(&time[time.len() - Self::TIME_BYTES..]);
        bytes[Self::TIME_BYTES..].copy_from_slice(&random);
        Self(bytes)
    }

    /// Reads the id that a client sends, exactly as it was written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
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
        HEXLOWER.encode_display(&self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn later_conversations_sort_behind() {
        let now = 1_790_000_000_000;
        let one = ConversationId::begin(now, [255; 10]);
        let later = ConversationId::begin(now + 1, [0; 10]);
        assert!(one < later);
        assert_ne!(one, ConversationId::begin(now, [254; 10]));
    }

    proptest! {
        #[test]
        fn an_id_reads_back(bytes in any::<[u8; 16]>()) {
            let id = ConversationId::from(bytes);
            prop_assert_eq!(ConversationId::parse(&id.to_string()), Some(id));
        }

        #[test]
        fn what_reads_is_what_was_written(text in "[0-9a-fA-F]{0,34}|.{0,34}") {
            if let Some(id) = ConversationId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
