//! Pure: which bot a path names.

use chat_api::BotName;

/// What a request's path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route<'a> {
    /// Whether the gate is up.
    Health,
    /// A bot, and the path below it, which begins with `/`.
    Bot(BotName, &'a str),
    /// A bot without the slash behind its name, where relative links would lead astray.
    Slash(BotName),
    /// Nothing that exists.
    Unknown,
}

/// Below this prefix, the first segment is a bot's name.
const PREFIX: &str = "/b/";

/// Decides where a path leads. Segments that a URL resolver would fold (`.`,
/// `..`, also percent-encoded) lead nowhere, so that the gate and the bot behind
/// it never read one path in two ways.
#[must_use]
pub fn route(path: &str) -> Route<'_> {
    if path == "/healthz" {
        return Route::Health;
    }
    let Some(below) = path.strip_prefix(PREFIX) else {
        return Route::Unknown;
    };
    let (name, rest) = match below.find('/') {
        Some(at) => below.split_at(at),
        None => (below, ""),
    };
    match name.parse::<BotName>() {
        Ok(_) if rest.split('/').any(folds) => Route::Unknown,
        Ok(name) if rest.is_empty() => Route::Slash(name),
        Ok(name) => Route::Bot(name, rest),
        Err(_) => Route::Unknown,
    }
}

fn folds(segment: &str) -> bool {
    let lower = segment.to_ascii_lowercase();
    let dots = lower.replace("%2e", ".");
    dots == "."
        || dots == ".."
        || lower.contains("%2f")
        || lower.contains("%5c")
        || segment.contains('\\')
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bot(name: &str) -> BotName {
        name.parse().unwrap()
    }

    #[test]
    fn paths_lead_to_bots() {
        assert_eq!(route("/b/shop/v1/bot"), Route::Bot(bot("shop"), "/v1/bot"));
        assert_eq!(route("/b/shop/"), Route::Bot(bot("shop"), "/"));
        assert_eq!(route("/b/shop"), Route::Slash(bot("shop")));
        assert_eq!(route("/healthz"), Route::Health);
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in [
            "",
            "/",
            "*",
            "/b",
            "/b/",
            "/b//",
            "/b/Shop/",
            "/b/-/",
            "/B/shop/",
            "/b/shop/../x",
            "/b/shop/%2e%2E/x",
            "/b/shop/.",
            "/b/shop/a%2fb",
            "/b/shop/a\\b",
            "/b/shop%2f/x",
        ] {
            assert_eq!(route(path), Route::Unknown, "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_forwarded_is_a_suffix_and_never_climbs(path in "/b/[a-z./%25A-F0-9\\\\-]{0,40}") {
            if let Route::Bot(name, rest) = route(&path) {
                prop_assert_eq!(format!("/b/{name}{rest}"), path.clone());
                prop_assert!(!rest.split('/').any(|segment| segment == ".." || segment == "."));
            }
        }

        #[test]
        fn any_text_is_routed_without_a_panic(path in "\\PC{0,60}") {
            let _ = route(&path);
        }
    }
}
