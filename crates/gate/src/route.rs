//! Pure: which bot a path names.

use chat_api::BotName;
use http::Method;

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

/// What asks whether the gate is up.
static HEALTH: [Method; 2] = [Method::GET, Method::HEAD];

/// What may be asked of a bot.
static BOT: [Method; 4] = [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS];

/// What may be asked about a conversation.
static CONVERSATION: [Method; 5] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::OPTIONS,
    Method::DELETE,
];

impl Route<'_> {
    /// The methods that it takes; none where the method makes no difference.
    fn methods(&self) -> Option<&'static [Method]> {
        match self {
            Self::Health => Some(&HEALTH),
            Self::Bot(_, path) if chat_api::visitor::is_conversation(path) => Some(&CONVERSATION),
            Self::Bot(..) => Some(&BOT),
            Self::Slash(_) | Self::Unknown => None,
        }
    }

    /// Whether it takes `method`.
    #[must_use]
    pub fn takes(&self, method: &Method) -> bool {
        self.methods()
            .is_none_or(|methods| methods.contains(method))
    }

    /// The value of `Allow` (RFC 9110, section 10.2.1).
    #[must_use]
    pub fn allow(&self) -> String {
        let methods = self.methods().unwrap_or_default();
        let names: Vec<_> = methods.iter().map(Method::as_str).collect();
        names.join(", ")
    }
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

    #[test]
    fn methods_are_taken_by_route() {
        let conversation = route("/b/shop/v1/conversations/a1");
        assert!(conversation.takes(&Method::DELETE));
        assert_eq!(conversation.allow(), "GET, HEAD, POST, OPTIONS, DELETE");
        let bot = route("/b/shop/v1/bot");
        assert!(bot.takes(&Method::POST) && !bot.takes(&Method::DELETE));
        assert_eq!(route("/healthz").allow(), "GET, HEAD");
        let own = Method::from_bytes(b"get").unwrap();
        assert!(!route("/healthz").takes(&own) && route("/none").takes(&own));
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
