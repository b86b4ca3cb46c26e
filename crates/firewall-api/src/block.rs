//! Block lists: prefixes by the hundred thousand, replaced as a whole.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::NAME_BYTES;
use crate::{Generation, Refused};

/// The name of a block list: lower-case letters, digits and inner hyphens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlockName(String);

/// A text is not the name of a block list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of a block list is 1 to {NAME_BYTES} lower-case letters, digits and hyphens, and starts and ends with none of these"
)]
pub struct InvalidName;

impl BlockName {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BlockName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fit = (1..=NAME_BYTES).contains(&text.len())
            && text.bytes().all(plain)
            && !text.starts_with('-')
            && !text.ends_with('-');
        fit.then(|| Self(text.to_owned())).ok_or(InvalidName)
    }
}

impl TryFrom<String> for BlockName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<BlockName> for String {
    fn from(name: BlockName) -> Self {
        name.0
    }
}

impl fmt::Display for BlockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A block list is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    /// Whether the firewall still has what it was given before.
    pub generation: Generation,
    /// Prefixes that were read.
    pub prefixes: usize,
    /// Entries that the kernel holds for them: what overlaps or adjoins is one.
    pub entries: usize,
    /// What was not taken, at most [`crate::limits::REFUSED_MAX`] of them.
    pub refused: Vec<Refused>,
    /// How many were not taken.
    pub refused_count: usize,
    /// Lines that are neither a prefix, nor empty, nor a comment (`#` or `;`).
    pub unreadable: usize,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["a", "crowdsec", "spamhaus-drop", "list-2"] {
            assert_eq!(name.parse::<BlockName>().unwrap().as_str(), name);
        }
        let long = "a".repeat(NAME_BYTES + 1);
        for text in ["", "-a", "a-", "A", "a_b", "a/b", "a.b", "ä", &long] {
            assert!(text.parse::<BlockName>().is_err(), "{text}");
        }
    }
}
