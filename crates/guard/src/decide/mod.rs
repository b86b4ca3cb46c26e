//! Pure: what was seen, and what follows. Time is a parameter everywhere, in milliseconds or seconds since 1970.

pub mod active;
pub mod never;
mod operate;
pub mod score;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;

use guard_api::{Ban, By, Standing};

use self::active::{Active, Bans};
use self::never::{Never, Why};
pub use self::operate::{Refused, WIDEST};
use self::score::{Kept, Scores};
use crate::prefix::Prefix;
use crate::rules::Rule;

/// The IPv6 prefix that one client has, in bits.
pub const CLIENT_BITS: u8 = 64;

/// The wider prefixes that are banned when enough of their parts are: from how many bits to how many.
pub const WIDER: [(u8, u8); 2] = [(64, 56), (56, 48)];

/// How prefixes are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The IPv4 prefix that one client has: 32 bits, or 24 by choice.
    pub ipv4_bits: u8,
    /// How many parts of a wider prefix of IPv6 are banned before all of it is; 0 for never.
    pub neighbours: u32,
    /// Nothing is banned, only reported.
    pub dry_run: bool,
}

/// One thing that was seen.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// What.
    pub kind: &'static str,
    /// Who did it.
    pub client: IpAddr,
    /// Which unit saw it.
    pub unit: &'a str,
    /// How often.
    pub times: u32,
}

/// What follows from what was seen.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// Nothing, for no rule counts it.
    Uncounted,
    /// It was counted.
    Counted,
    /// Nothing, for its client is banned already.
    Already(Prefix, Active),
    /// Nothing, for its client is never banned.
    Never(Why),
    /// These bans. The first is that of the client.
    Banned(Vec<Ban>),
}

/// All that is known, and the rules.
#[derive(Debug)]
pub struct Engine {
    reach: Reach,
    rules: Vec<Rule>,
    scores: Scores,
    by_kind: HashMap<&'static str, Vec<(usize, f64)>>,
    latest_ms: u64,
    evicted: Vec<Prefix>,
    /// The bans in force.
    pub bans: Bans,
    /// Who is never banned.
    pub never: Never,
}

impl Engine {
    /// Without bans and scores.
    #[must_use]
    pub fn new(rules: Vec<Rule>, reach: Reach, never: Never) -> Self {
        let mut by_kind: HashMap<&'static str, Vec<(usize, f64)>> = HashMap::new();
        for (at, rule) in rules.iter().enumerate() {
            for (kind, points) in &rule.counts {
                if let Some(kind) = crate::kinds::named(kind) {
                    by_kind.entry(kind).or_default().push((at, *points));
                }
            }
        }
        let scores = Scores::new(&rules, score::SCORES_MAX);
        Self {
            reach,
            rules,
            scores,
            by_kind,
            latest_ms: 0,
            evicted: Vec::new(),
            bans: Bans::default(),
            never,
        }
    }

    /// Whether nothing is banned, only reported.
    #[must_use]
    pub const fn is_dry_run(&self) -> bool {
        self.reach.dry_run
    }

    /// A clock that was set back must not make old scores large again.
    fn tick(&mut self, now_ms: u64) -> u64 {
        self.latest_ms = self.latest_ms.max(now_ms);
        self.latest_ms
    }

    /// The prefix that is banned for what `client` does.
    #[must_use]
    pub fn prefix_of(&self, client: IpAddr) -> Prefix {
        let four = client.to_canonical().is_ipv4();
        Prefix::of(
            client,
            if four {
                self.reach.ipv4_bits
            } else {
                CLIENT_BITS
            },
        )
    }

    /// Judges what was seen.
    pub fn observe(&mut self, seen: &Seen<'_>, now_ms: u64) -> Outcome {
        let now_ms = self.tick(now_ms);
        let now_s = now_ms / 1000;
        let Some(counting) = self.by_kind.get(seen.kind) else {
            return Outcome::Uncounted;
        };
        let host = Prefix::host(seen.client);
        if let Some(why) = self.never.why(&host, now_s) {
            return Outcome::Never(why);
        }
        if let Some((prefix, active)) = self.bans.holding(seen.client, now_s).next() {
            return Outcome::Already(prefix, active);
        }
        let client = self.prefix_of(seen.client);
        let mut over = None;
        for (at, points) in counting {
            let Some(rule) = self.rules.get(*at) else {
                continue;
            };
            let points = points * f64::from(seen.times.max(1));
            let score = self.scores.add(*at, &client, points, seen, now_ms);
            if score + ROUNDING >= rule.threshold && over.is_none() {
                over = Some(*at);
            }
        }
        let Some(over) = over else {
            return Outcome::Counted;
        };
        // Where somebody within the prefix is never banned, only this one address is.
        let whom = [client, host];
        let whom = whom
            .into_iter()
            .find(|prefix| self.never.why(prefix, now_s).is_none());
        let whom = whom.unwrap_or(host);
        let Some(rule) = self.rules.get(over) else {
            return Outcome::Counted;
        };
        let nth = self
            .bans
            .earlier(&whom, rule.forget_s, now_s)
            .saturating_add(1);
        let ban = Ban {
            prefix: whom.into(),
            by: By::Rule(rule.name.clone()),
            begun: now_s,
            until: now_s + rule.ban_seconds(nth),
            nth,
            dry_run: self.reach.dry_run,
            evidence: self.scores.evidence(over, &client),
        };
        self.scores.forget(&client);
        self.put(&ban);
        let mut bans = vec![ban];
        self.widen(whom, &mut bans, now_s);
        Outcome::Banned(bans)
    }

    /// Bans the wider prefixes of which enough is banned.
    fn widen(&mut self, mut banned: Prefix, bans: &mut Vec<Ban>, now_s: u64) {
        if banned.is_ipv4() || self.reach.neighbours == 0 {
            return;
        }
        for (from, to) in WIDER {
            if banned.bits() != from {
                return;
            }
            let wider = banned.widened(to);
            let parts = u32::try_from(self.bans.parts(wider, from, now_s)).unwrap_or(u32::MAX);
            let holds = self.bans.get(&wider, now_s).is_some();
            if parts < self.reach.neighbours || holds || self.never.why(&wider, now_s).is_some() {
                return;
            }
            let Some(first) = bans.first() else { return };
            let ban = Ban {
                prefix: wider.into(),
                by: By::Neighbours(parts),
                nth: 1,
                ..first.clone()
            };
            self.put(&ban);
            bans.push(ban);
            banned = wider;
        }
    }

    /// Puts a ban in force: one that was decided, or one of the store. Another may have to go for it
    /// ([`Self::take_evicted`]).
    pub fn put(&mut self, ban: &Ban) {
        let active = Active {
            until: ban.until,
            nth: ban.nth,
            dry_run: ban.dry_run,
            by_operator: matches!(ban.by, By::Operator(_)),
        };
        let gone = self.bans.put(ban.prefix.into(), active);
        self.evicted.extend(gone);
    }

    /// The bans for which there was no room any more, since the last time that this was asked.
    pub fn take_evicted(&mut self) -> Vec<Prefix> {
        std::mem::take(&mut self.evicted)
    }

    /// The highest scores of each rule, by its name, for [`Self::restore`].
    #[must_use]
    pub fn dump(&self, most: usize) -> Vec<(String, Vec<Kept>)> {
        let rules = self.rules.iter().zip(self.scores.dump(most));
        rules
            .map(|(rule, kept)| (rule.name.clone(), kept))
            .collect()
    }

    /// Takes the scores that [`Self::dump`] gave, for rules that are still there and halve them as they did.
    pub fn restore(&mut self, rule: &str, kept: Vec<Kept>, now_ms: u64) {
        let at = self.rules.iter().position(|known| known.name == rule);
        if let Some(at) = at {
            for kept in &kept {
                self.scores.restore(at, kept, now_ms);
            }
        }
    }

    /// How near an address is to a ban.
    #[must_use]
    pub fn standing(&self, address: IpAddr, now_ms: u64) -> Vec<Standing> {
        let prefix = self.prefix_of(address);
        let rules = self.rules.iter().enumerate();
        rules
            .map(|(at, rule)| Standing {
                rule: rule.name.clone(),
                score: self.scores.score(at, &prefix, now_ms.max(self.latest_ms)),
                threshold: rule.threshold,
            })
            .filter(|standing| standing.score >= STANDING_LEAST)
            .collect()
    }
}

/// What sums of logarithms may be wrong by.
const ROUNDING: f64 = 1e-6;

/// The lowest score that is shown.
const STANDING_LEAST: f64 = 0.01;
