//! The instances of a bot.

use std::fmt;
use std::num::NonZeroU8;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::INSTANCES_MAX;
use crate::{BotName, BotNameError};

/// What stands between a bot's name, which cannot have it, and an instance's number.
const SEPARATOR: char = '.';

/// One of the processes that serve a bot, each with a store of its own. Written as the bot's name where it is the first,
/// and with its number behind a dot where it is a further one: `shop`, `shop.2`. This stands in the names of units,
/// sockets, folders and keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Instance {
    bot: BotName,
    number: NonZeroU8,
}

/// A name that no instance can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstanceError {
    /// It does not begin with a bot's name.
    #[error(transparent)]
    Bot(#[from] BotNameError),
    /// What follows the bot's name is no number of a further instance.
    #[error(
        "{0:?} is no number of an instance: the first is named as its bot, the others BOT.2 to BOT.{INSTANCES_MAX}"
    )]
    Number(String),
}

impl Instance {
    /// The first instance of a bot, which every bot has.
    #[must_use]
    pub const fn first(bot: BotName) -> Self {
        Self {
            bot,
            number: NonZeroU8::MIN,
        }
    }

    /// The instances of a bot that has `count` of them, the first one first. There is always one, and never more than
    /// [`INSTANCES_MAX`].
    pub fn all(bot: &BotName, count: u8) -> impl Iterator<Item = Self> {
        let numbers = 1..=count.clamp(1, INSTANCES_MAX);
        numbers.filter_map(NonZeroU8::new).map(|number| Self {
            bot: bot.clone(),
            number,
        })
    }

    /// The bot.
    #[must_use]
    pub const fn bot(&self) -> &BotName {
        &self.bot
    }

    /// Its number among the bot's instances, from 1.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.number.get()
    }

    /// Whether it is the first.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.number() == 1
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number() {
            1 => self.bot.fmt(f),
            number => write!(f, "{}{SEPARATOR}{number}", self.bot),
        }
    }
}

impl FromStr for Instance {
    type Err = InstanceError;

    fn from_str(name: &str) -> Result<Self, InstanceError> {
        let Some((bot, number)) = name.split_once(SEPARATOR) else {
            return Ok(Self::first(name.parse()?));
        };
        let bot = bot.parse()?;
        // Each instance has one name: no sign, no leading zero, and the first has no number.
        let read = number
            .parse()
            .ok()
            .filter(|read| (2..=INSTANCES_MAX).contains(read) && read.to_string() == number)
            .and_then(NonZeroU8::new);
        match read {
            Some(number) => Ok(Self { bot, number }),
            None => Err(InstanceError::Number(number.to_owned())),
        }
    }
}

impl TryFrom<String> for Instance {
    type Error = InstanceError;

    fn try_from(name: String) -> Result<Self, InstanceError> {
        name.parse()
    }
}

impl From<Instance> for String {
    fn from(instance: Instance) -> Self {
        instance.to_string()
    }
}

impl From<BotName> for Instance {
    fn from(bot: BotName) -> Self {
        Self::first(bot)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_is_named_as_its_bot() {
        let shop: BotName = "shop".parse().unwrap();
        let names: Vec<String> = Instance::all(&shop, 3).map(String::from).collect();
        assert_eq!(names, ["shop", "shop.2", "shop.3"]);
        let third: Instance = "shop.3".parse().unwrap();
        assert_eq!((third.bot(), third.number()), (&shop, 3));
        assert!(Instance::first(shop).is_first() && !third.is_first());
    }

    #[test]
    fn an_instance_has_one_name() {
        for name in [
            "shop.", "shop.0", "shop.1", "shop.9", "shop.02", "shop.+2", "shop.2.2", "shop.256",
            "shop. 2", "shop.x",
        ] {
            let refused = name.parse::<Instance>();
            assert!(
                matches!(refused, Err(InstanceError::Number(_))),
                "{name}: {refused:?}"
            );
        }
        for name in ["", ".2", "Shop.2", "../x.2", "-a.2"] {
            let refused = name.parse::<Instance>();
            assert!(
                matches!(refused, Err(InstanceError::Bot(_))),
                "{name}: {refused:?}"
            );
        }
    }

    #[test]
    fn there_is_always_one_and_never_too_many() {
        let shop: BotName = "shop".parse().unwrap();
        assert_eq!(Instance::all(&shop, 0).count(), 1);
        assert_eq!(
            Instance::all(&shop, 255).count(),
            usize::from(INSTANCES_MAX)
        );
    }

    proptest! {
        #[test]
        fn an_instance_reads_back(bot in "[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", count in any::<u8>()) {
            let bot: BotName = bot.parse().unwrap();
            for instance in Instance::all(&bot, count) {
                prop_assert_eq!(instance.to_string().parse(), Ok(instance.clone()));
                prop_assert_eq!(instance.bot(), &bot);
            }
        }

        #[test]
        fn what_reads_is_what_was_written_and_safe_in_a_path(name in "[a-z.0-9-]{0,36}|.{0,40}") {
            if let Ok(instance) = name.parse::<Instance>() {
                prop_assert_eq!(instance.to_string(), name.as_str());
                prop_assert!(!name.contains(['/', '@', '\\', '\0', ' ']) && !name.starts_with('.') && !name.contains(".."));
            }
        }
    }
}
