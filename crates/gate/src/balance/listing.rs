//! Pure: which instances of which bots there are, by the names of their sockets.

use chat_api::Instance;

/// How the names of bots' sockets end.
const SUFFIX: &str = ".sock";

/// The instance that a socket's name says: `BOT.sock` is the first, and `BOT.k.sock` the others.
pub(crate) fn member(name: &str) -> Option<Instance> {
    name.strip_suffix(SUFFIX)?.parse().ok()
}

/// The name of an instance's socket.
pub(crate) fn socket(instance: &Instance) -> String {
    format!("{instance}{SUFFIX}")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sockets_name_their_bot_and_their_instance() {
        assert_eq!(member("shop.sock"), Some("shop".parse().unwrap()));
        assert_eq!(member("shop.2.sock"), Some("shop.2".parse().unwrap()));
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
            if let Some(instance) = member(&name) {
                prop_assert_eq!(socket(&instance), name);
            }
        }
    }
}
