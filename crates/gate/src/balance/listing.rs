//! Pure: which instances of which bots there are, by the names of their sockets.

use chat_api::BotName;

/// How the names of bots' sockets end.
const SUFFIX: &str = ".sock";

/// The number of the instance whose socket has no number in its name.
pub(crate) const FIRST: u8 = 1;

/// The bot and the number of its instance that a socket's name says: `BOT.sock` is the first, and `BOT.k.sock`
/// the others. A name that says the same in another way, such as `BOT.02.sock`, is none.
pub(crate) fn member(name: &str) -> Option<(BotName, u8)> {
    let stem = name.strip_suffix(SUFFIX)?;
    let (bot, instance) = match stem.split_once('.') {
        None => (stem, FIRST),
        Some((bot, number)) => (bot, number.parse().ok()?),
    };
    let bot = bot.parse().ok()?;
    (socket(&bot, instance) == name && instance >= FIRST).then_some((bot, instance))
}

/// The name of an instance's socket.
pub(crate) fn socket(bot: &BotName, instance: u8) -> String {
    format!("{}{SUFFIX}", shown(bot, instance))
}

/// An instance as operators know it: the instance of its unit.
pub(crate) fn shown(bot: &BotName, instance: u8) -> String {
    match instance {
        FIRST => bot.to_string(),
        number => format!("{bot}.{number}"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sockets_name_their_bot_and_their_instance() {
        let shop: BotName = "shop".parse().unwrap();
        assert_eq!(member("shop.sock"), Some((shop.clone(), 1)));
        assert_eq!(member("shop.2.sock"), Some((shop.clone(), 2)));
        assert_eq!(member("shop.12.sock"), Some((shop, 12)));
        for name in [
            "",
            ".sock",
            "shop",
            "shop.1.sock",
            "shop.0.sock",
            "shop.02.sock",
            "shop.+2.sock",
            "shop.256.sock",
            "shop.2.3.sock",
            "Shop.sock",
            "shop.sock.new",
        ] {
            assert_eq!(member(name), None, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_that_is_read_is_the_one_that_is_written(name in "[a-c.0-3]{0,6}(\\.sock)?|\\PC{0,12}") {
            if let Some((bot, instance)) = member(&name) {
                prop_assert_eq!(socket(&bot, instance), name);
            }
        }

        #[test]
        fn every_instance_is_read_back(bot in "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", instance in 1_u8..) {
            let bot: BotName = bot.parse().unwrap();
            prop_assert_eq!(member(&socket(&bot, instance)), Some((bot, instance)));
        }
    }
}
