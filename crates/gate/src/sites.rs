//! Whose pages may read what the gate itself answers in a bot's place (CORS; Fetch, 3.3).
//!
//! Which sites may call a bot stands in the bot's file, which the gate does not read. It goes by the bot's answers: where
//! one let a site's pages read it, they may read the gate's own for a while, and see that they are to wait rather than an
//! error without a cause.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chat_api::BotName;
use http::header::{self, HeaderMap, HeaderValue};

/// How long a bot's word counts. A site that is taken out of the file is out by then, as it is in browsers, which
/// remember as long.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Sites that are remembered, of all bots.
const SITES_MAX: usize = 4096;

/// Longest name of a site that is remembered, in bytes: a scheme, a domain (RFC 1035, section 2.3.4) and a port.
const ORIGIN_BYTES: usize = 8 + 255 + 6;

/// The sites that bots have let read.
#[derive(Debug, Default)]
pub(crate) struct Sites {
    heard: Mutex<HashMap<(BotName, HeaderValue), Instant>>,
}

impl Sites {
    /// Learns from a bot's answer to a page of `origin`, or says on an answer of the gate's own whether that page may
    /// read it. A bot says of every answer that it depends on the origin, and so they are told apart.
    pub(crate) fn settle(
        &self,
        bot: &BotName,
        origin: HeaderValue,
        answer: &mut HeaderMap,
        now: Instant,
    ) {
        let allowed = answer.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        if let Some(allowed) = allowed {
            if *allowed == origin {
                self.hear(bot, origin, now);
            }
            return;
        }
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let site = (bot.clone(), origin);
        if answer.contains_key(header::VARY) {
            heard.remove(&site);
            return;
        }
        let may_read = heard.get(&site).is_some_and(|at| is_fresh(*at, now));
        drop(heard);
        answer.insert(header::VARY, HeaderValue::from(header::ORIGIN));
        if may_read {
            let exposed = HeaderValue::from_static(chat_api::EXPOSED_HEADERS);
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, site.1);
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }

    fn hear(&self, bot: &BotName, origin: HeaderValue, now: Instant) {
        if origin.len() > ORIGIN_BYTES {
            return;
        }
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() >= SITES_MAX {
            heard.retain(|_, at| is_fresh(*at, now));
        }
        let site = (bot.clone(), origin);
        if heard.len() < SITES_MAX || heard.contains_key(&site) {
            heard.insert(site, now);
        }
    }
}

fn is_fresh(heard: Instant, now: Instant) -> bool {
    now.saturating_duration_since(heard) < REMEMBERED
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const SITE: HeaderValue = HeaderValue::from_static("https://shop.example");

    fn bot(name: &str) -> BotName {
        name.parse().unwrap()
    }

    /// What an answer has once it was settled for a page of the site.
    fn settled(sites: &Sites, name: &str, answer: &[(&str, &str)], now: Instant) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in answer {
            let name: header::HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        sites.settle(&bot(name), SITE, &mut headers, now);
        headers
    }

    fn may_read(sites: &Sites, name: &str, now: Instant) -> bool {
        let own = settled(sites, name, &[], now);
        assert_eq!(own[header::VARY], "origin");
        own.get(header::ACCESS_CONTROL_ALLOW_ORIGIN)
            .is_some_and(|origin| *origin == SITE)
    }

    const ALLOWS: [(&str, &str); 2] = [
        ("access-control-allow-origin", "https://shop.example"),
        ("vary", "origin"),
    ];

    #[test]
    fn a_site_reads_what_its_bot_lets_it_read_and_for_so_long() {
        let (sites, now) = (Sites::default(), Instant::now());
        assert!(!may_read(&sites, "shop", now));
        settled(&sites, "shop", &ALLOWS, now);
        assert!(may_read(&sites, "shop", now));
        assert!(!may_read(&sites, "other", now));
        assert!(may_read(&sites, "shop", now + REMEMBERED / 2));
        assert!(!may_read(&sites, "shop", now + REMEMBERED));
    }

    #[test]
    fn a_bot_that_no_longer_lets_it_is_heard_at_once_and_its_answer_left() {
        let (sites, now) = (Sites::default(), Instant::now());
        settled(&sites, "shop", &ALLOWS, now);
        let refused = settled(&sites, "shop", &[("vary", "origin")], now);
        assert_eq!(refused.len(), 1);
        assert!(!may_read(&sites, "shop", now));
        // Another's word is not this site's.
        let other = [("access-control-allow-origin", "https://evil.example")];
        settled(&sites, "shop", &other, now);
        assert!(!may_read(&sites, "shop", now));
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let (sites, now) = (Sites::default(), Instant::now());
        for number in 0..=SITES_MAX {
            let origin = HeaderValue::from_str(&format!("https://{number}.example")).unwrap();
            sites.hear(&bot("shop"), origin, now);
        }
        assert_eq!(sites.heard.lock().unwrap().len(), SITES_MAX);
        sites.hear(&bot("shop"), SITE, now);
        assert!(!may_read(&sites, "shop", now));
        sites.hear(&bot("shop"), SITE, now + REMEMBERED);
        assert!(may_read(&sites, "shop", now + REMEMBERED));
        let long = HeaderValue::from_str(&"x".repeat(ORIGIN_BYTES + 1)).unwrap();
        sites.hear(&bot("shop"), long, now + REMEMBERED);
        assert_eq!(sites.heard.lock().unwrap().len(), 1);
    }
}
