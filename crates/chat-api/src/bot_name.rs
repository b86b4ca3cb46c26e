//! A bot's name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most bytes in a bot's name.
pub const BOT_NAME_BYTES: usize = 32;

/// A bot's name: the stem of its file and the instance of its unit. It stands in file names, unit names and
/// addresses, so it is one DNS label of at most [`BOT_NAME_BYTES`] bytes: lower-case letters, digits and, inside,
/// hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BotName(String);

/// A name that no bot can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BotNameError {
    /// It is empty.
    #[error("a bot's name is empty; give it 1 to {BOT_NAME_BYTES} letters, digits or hyphens")]
    Empty,
    /// It is too long.
    #[error("a bot's name has at most {BOT_NAME_BYTES} characters, this one has {0}")]
    TooLong(usize),
    /// It has a character that is not allowed.
    #[error("{0:?} cannot stand in a bot's name; a to z, 0 to 9 and hyphens can")]
    Character(char),
    /// It starts or ends with a hyphen.
    #[error("a bot's name starts and ends with a letter or a digit, not with a hyphen")]
    Hyphen,
}

impl BotName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn check(name: &str) -> Result<(), BotNameError> {
        if name.is_empty() {
            return Err(BotNameError::Empty);
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if let Some(other) = name.chars().find(|c| !allowed(*c)) {
            return Err(BotNameError::Character(other));
        }
        if name.len() > BOT_NAME_BYTES {
            return Err(BotNameError::TooLong(name.len()));
        }
        if name.starts_with('-') || name.ends_with('-') {
            return Err(BotNameError::Hyphen);
        }
        Ok(())
    }
}

impl fmt::Display for BotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BotName {
    type Err = BotNameError;

    fn from_str(name: &str) -> Result<Self, BotNameError> {
        Self::check(name)?;
        Ok(Self(name.to_owned()))
    }
}

impl TryFrom<String> for BotName {
    type Error = BotNameError;

    fn try_from(name: String) -> Result<Self, BotNameError> {
        Self::check(&name)?;
        Ok(Self(name))
    }
}

impl From<BotName> for String {
    fn from(name: BotName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_labels() {
        for good in [
            "a",
            "shop",
            "shop-2",
            "0",
            "a-b-c",
            &"x".repeat(BOT_NAME_BYTES),
        ] {
            assert_eq!(
                good.parse::<BotName>().map(String::from),
                Ok(good.to_owned())
            );
        }
        assert_eq!("".parse::<BotName>(), Err(BotNameError::Empty));
        assert_eq!("Shop".parse::<BotName>(), Err(BotNameError::Character('S')));
        assert_eq!("a/b".parse::<BotName>(), Err(BotNameError::Character('/')));
        assert_eq!("..".parse::<BotName>(), Err(BotNameError::Character('.')));
        assert_eq!("-a".parse::<BotName>(), Err(BotNameError::Hyphen));
        assert_eq!("a-".parse::<BotName>(), Err(BotNameError::Hyphen));
        assert_eq!(
            "x".repeat(33).parse::<BotName>(),
            Err(BotNameError::TooLong(33))
        );
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_safe_in_a_path(name in ".{0,40}") {
            if let Ok(name) = name.parse::<BotName>() {
                prop_assert!(!name.as_str().contains(['/', '.', '@', '\\', '\0', ' ']));
                prop_assert!((1..=BOT_NAME_BYTES).contains(&name.as_str().len()));
            }
        }
    }
}
