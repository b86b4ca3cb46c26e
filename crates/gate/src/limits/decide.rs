//! Pure: whether a request is within the limits.

use std::hash::RandomState;
use std::time::Duration;

use chat_api::BotName;
use http::Method;

use super::ClientKey;
use super::bucket::{Moment, Quota, Wait, seconds};
use super::settings::Settings;
use super::table::Table;

/// Clients whose buckets are told apart, for chats and for all else: 2 MiB each.
const CLIENTS: usize = 65_536;

/// Clients of operators' pages whose buckets are told apart.
const OPERATORS: usize = 4096;

/// Bots whose buckets are told apart. A machine has fewer.
const BOTS: usize = 4096;

/// What a request is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// It may make a bot answer.
    Chat,
    /// It is for operators' pages.
    Admin,
    /// Anything else.
    General,
}

impl Class {
    /// Whatever is posted to a bot may make it answer: how the bot reads the path
    /// is then no matter.
    pub(crate) fn of(method: &Method, path: &str, bot: Option<&BotName>) -> Self {
        if bot.is_some() && *method == Method::POST {
            Self::Chat
        } else if path == "/admin" || path.starts_with("/admin/") {
            Self::Admin
        } else {
            Self::General
        }
    }
}

/// A limit, by what it holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// One client's requests that make a bot answer.
    Chat,
    /// One client's requests to operators' pages.
    Admin,
    /// One client's other requests.
    General,
    /// All clients' requests that make one bot answer.
    Bot,
    /// All clients' requests that make any bot answer.
    All,
}

impl Limit {
    /// Its name, for clients and in the journal.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Admin => "admin",
            Self::General => "general",
            Self::Bot => "bot",
            Self::All => "all",
        }
    }
}

/// How a client stands with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) limit: Limit,
    pub(crate) quota: Quota,
    /// Requests left now.
    pub(crate) left: u32,
    /// Seconds until all of the quota is there again.
    pub(crate) full_s: u64,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is answered. So stands the client now, if he has a limit.
    Taken(Option<Standing>),
    /// It is over this limit, and would pass after this time.
    Refused(Standing, Duration),
}

/// The buckets.
#[derive(Debug)]
pub(crate) struct Limiter {
    chat: Quota,
    admin: Quota,
    general: Quota,
    bot: Quota,
    all: Quota,
    chats: Table<ClientKey, RandomState>,
    admins: Table<ClientKey, RandomState>,
    generals: Table<ClientKey, RandomState>,
    bots: Table<u64, RandomState>,
    /// Names are kept as their hash under a key of its own: a place is then small.
    names: RandomState,
    all_full: Moment,
}

impl Limiter {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            chat: settings.chat(),
            admin: settings.admin(),
            general: settings.general(),
            bot: settings.bot(),
            all: settings.all(),
            chats: Table::new(CLIENTS, RandomState::new()),
            admins: Table::new(OPERATORS, RandomState::new()),
            generals: Table::new(CLIENTS, RandomState::new()),
            bots: Table::new(BOTS, RandomState::new()),
            names: RandomState::new(),
            all_full: 0,
        }
    }

    /// One request at `now`, of a client unless he is exempt. A request that is
    /// refused takes nothing from any bucket, so whoever is over his own limit does
    /// not use up the bot's.
    pub(crate) fn request(
        &mut self,
        now: Moment,
        client: Option<ClientKey>,
        class: Class,
        bot: Option<&BotName>,
    ) -> Decision {
        let (limit, quota, table) = match class {
            Class::Chat => (Limit::Chat, self.chat, &mut self.chats),
            Class::Admin => (Limit::Admin, self.admin, &mut self.admins),
            Class::General => (Limit::General, self.general, &mut self.generals),
        };
        let own = match client.map(|key| (key, table.full(&key))) {
            None => None,
            Some((key, full)) => match quota.take(full, now) {
                Ok(after) => Some((key, after)),
                Err(wait) => return refused(limit, quota, full, now, wait),
            },
        };
        if let (Class::Chat, Some(bot)) = (class, bot) {
            let name = std::hash::BuildHasher::hash_one(&self.names, bot.as_str());
            let of_bot = self.bots.full(&name);
            let bot_after = match self.bot.take(of_bot, now) {
                Ok(after) => after,
                Err(wait) => return refused(Limit::Bot, self.bot, of_bot, now, wait),
            };
            match self.all.take(self.all_full, now) {
                Ok(after) => self.all_full = after,
                Err(wait) => return refused(Limit::All, self.all, self.all_full, now, wait),
            }
            self.bots.set(&name, bot_after);
        }
        Decision::Taken(own.map(|(key, after)| {
            table.set(&key, after);
            standing(limit, quota, after, now)
        }))
    }
}

fn refused(limit: Limit, quota: Quota, full: Moment, now: Moment, Wait(wait): Wait) -> Decision {
    Decision::Refused(standing(limit, quota, full, now), wait)
}

fn standing(limit: Limit, quota: Quota, full: Moment, now: Moment) -> Standing {
    Standing {
        limit,
        quota,
        left: quota.left(full, now),
        full_s: seconds(Duration::from_nanos(full.saturating_sub(now))),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn limiter(text: &str) -> Limiter {
        Limiter::new(&daemon::parse(text).unwrap())
    }

    fn taken(decision: &Decision) -> bool {
        matches!(decision, Decision::Taken(_))
    }

    fn by(decision: Decision) -> Option<Limit> {
        match decision {
            Decision::Taken(_) => None,
            Decision::Refused(standing, _) => Some(standing.limit),
        }
    }

    #[test]
    fn a_request_is_counted_as_what_it_costs() {
        let bot: BotName = "shop".parse().unwrap();
        let of = |method, path: &str, bot: Option<&BotName>| Class::of(&method, path, bot);
        let conversations = "/b/shop/v1/conversations";
        assert_eq!(of(Method::POST, conversations, Some(&bot)), Class::Chat);
        assert_eq!(of(Method::GET, conversations, Some(&bot)), Class::General);
        assert_eq!(of(Method::POST, "/b/shop//v1/x", Some(&bot)), Class::Chat);
        assert_eq!(of(Method::POST, "/admin/login", None), Class::Admin);
        assert_eq!(of(Method::GET, "/admin", None), Class::Admin);
        assert_eq!(of(Method::GET, "/administrator", None), Class::General);
        assert_eq!(of(Method::GET, "/b/shop/frame", Some(&bot)), Class::General);
    }

    #[test]
    fn the_defaults_are_a_hundred_chats_and_ten_admin_requests_a_minute() {
        let mut limiter = limiter("");
        let bot = "shop".parse().unwrap();
        for (class, bot, most) in [(Class::Chat, Some(&bot), 100), (Class::Admin, None, 10)] {
            let client = Some(ClientKey::V4(1));
            for left in (0..most).rev() {
                let Decision::Taken(Some(standing)) = limiter.request(0, client, class, bot) else {
                    unreachable!("refused with {left} left");
                };
                assert_eq!((standing.left, standing.quota.requests()), (left, most));
            }
            let Decision::Refused(standing, wait) = limiter.request(0, client, class, bot) else {
                unreachable!("taken beyond {most}");
            };
            assert_eq!((standing.left, standing.full_s), (0, 60));
            assert_eq!(wait, Duration::from_secs(60) / most);
            // Another client, and the same one in another class, are not touched.
            assert!(taken(&limiter.request(
                0,
                Some(ClientKey::V4(2)),
                class,
                bot
            )));
            assert!(taken(&limiter.request(0, client, Class::General, bot)));
        }
    }

    #[test]
    fn a_bot_and_all_bots_have_limits_that_hold_for_everybody() {
        let mut limiter = limiter("bot_per_minute = 3\nall_per_minute = 5");
        let [one, other]: [BotName; 2] = ["one", "other"].map(|name| name.parse().unwrap());
        let mut ask = |client: u32, bot| {
            let key = (client > 0).then_some(ClientKey::V4(client));
            by(limiter.request(SECOND, key, Class::Chat, Some(bot)))
        };
        for client in [1, 2, 0] {
            assert_eq!(ask(client, &one), None);
        }
        for client in [4, 0] {
            assert_eq!(ask(client, &one), Some(Limit::Bot));
        }
        assert_eq!(ask(5, &other), None);
        assert_eq!(ask(6, &other), None);
        assert_eq!(ask(7, &other), Some(Limit::All));
    }

    #[test]
    fn what_is_refused_costs_nobody_anything() {
        let mut limiter = limiter("chat_per_minute = 1\nbot_per_minute = 2");
        let bot = "shop".parse().unwrap();
        let mut ask =
            |client| by(limiter.request(0, Some(ClientKey::V4(client)), Class::Chat, Some(&bot)));
        assert_eq!(ask(1), None);
        for _ in 0..50 {
            assert_eq!(ask(1), Some(Limit::Chat));
        }
        assert_eq!(ask(2), None);
        assert_eq!(ask(3), Some(Limit::Bot));
        // It took nothing of the client's own.
        assert_eq!(limiter.chats.full(&ClientKey::V4(3)), 0);
    }

    #[test]
    fn invented_bots_do_not_use_up_a_real_one() {
        let mut limiter = limiter("bot_per_minute = 100\nall_per_minute = 1000000");
        for number in 0..20_000 {
            let bot = format!("b{number}").parse().unwrap();
            assert!(taken(&limiter.request(0, None, Class::Chat, Some(&bot))));
        }
        let real = "shop".parse().unwrap();
        assert!(taken(&limiter.request(
            SECOND,
            None,
            Class::Chat,
            Some(&real)
        )));
    }
}
