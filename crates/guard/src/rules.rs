//! Rules: what counts, how much, and what follows. Data, read from TOML.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::kinds;

/// The rules that hold where none is set.
const DEFAULTS: &str = include_str!("rules.toml");

/// Most rules.
pub const RULES_MAX: usize = 32;

/// Longest name of a rule in bytes.
const NAME_BYTES: usize = 40;

/// Longest half-life, ban and memory of bans in seconds (ten years).
const SECONDS_MAX: u64 = 10 * 366 * 24 * 3600;

/// One rule.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name: small letters, digits and hyphens.
    pub name: String,
    /// Points for each kind of thing that is seen.
    pub counts: BTreeMap<String, f64>,
    /// The score at which a client is banned.
    pub threshold: f64,
    /// After how many seconds a score is half of what it was.
    pub half_life_s: u64,
    /// How long the first ban lasts, in seconds.
    pub ban_s: u64,
    /// How many times longer each further ban lasts.
    pub growth: f64,
    /// How long a ban lasts at most, in seconds.
    pub ban_max_s: u64,
    /// How long after its end a ban still makes the next one longer, in seconds.
    pub forget_s: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    rule: Vec<Rule>,
}

/// The rules in force: the defaults, but for those that `own` replaces and `disable` turns off.
///
/// # Errors
/// A sentence that names the rule and what is wrong with it.
pub fn in_force(own: &[Rule], disable: &[String]) -> Result<Vec<Rule>, String> {
    let defaults: Defaults =
        toml::from_str(DEFAULTS).map_err(|error| format!("the built-in rules: {error}"))?;
    let mut rules = defaults.rule;
    let mut names = Vec::new();
    for rule in own {
        rule.check()?;
        if names.contains(&&rule.name) {
            return Err(format!("`rule`: {:?} is there twice", rule.name));
        }
        names.push(&rule.name);
        match rules.iter_mut().find(|other| other.name == rule.name) {
            Some(default) => *default = rule.clone(),
            None => rules.push(rule.clone()),
        }
    }
    for name in disable {
        let before = rules.len();
        rules.retain(|rule| rule.name != *name);
        if rules.len() == before {
            let names: Vec<_> = rules.iter().map(|rule| rule.name.as_str()).collect();
            return Err(format!(
                "`disable`: there is no rule {name:?}, but {}",
                names.join(", ")
            ));
        }
    }
    if rules.len() > RULES_MAX {
        return Err(format!("`rule`: there are more than {RULES_MAX} rules"));
    }
    Ok(rules)
}

impl Rule {
    fn check(&self) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("`rule` {:?}: {what}", self.name));
        let named = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
        if self.name.is_empty() || self.name.len() > NAME_BYTES || !self.name.chars().all(named) {
            return wrong("`name` is of small letters, digits and hyphens, at most 40");
        }
        if self.counts.is_empty() {
            return wrong("`counts` names nothing");
        }
        for (kind, points) in &self.counts {
            if kinds::named(kind).is_none() {
                return wrong(&format!(
                    "`counts`: there is no {kind:?}; there are {}",
                    kinds::NAMED.join(", ")
                ));
            }
            if !(points.is_finite() && *points > 0.0 && *points <= 1e6) {
                return wrong(&format!(
                    "`counts`: {kind} needs points above 0 and up to 1000000"
                ));
            }
        }
        if !(self.threshold.is_finite() && self.threshold > 0.0 && self.threshold <= 1e9) {
            return wrong("`threshold` is above 0 and up to 1000000000");
        }
        if !(self.growth.is_finite() && (1.0..=1000.0).contains(&self.growth)) {
            return wrong("`growth` is 1 to 1000");
        }
        let seconds = 1..=SECONDS_MAX;
        if ![self.half_life_s, self.ban_s, self.ban_max_s]
            .iter()
            .all(|value| seconds.contains(value))
            || self.forget_s > SECONDS_MAX
        {
            return wrong("times are 1 second to ten years");
        }
        if self.ban_max_s < self.ban_s {
            return wrong("`ban_max_s` is below `ban_s`");
        }
        Ok(())
    }

    /// How long the `nth` ban lasts, in seconds; the first is 1.
    #[must_use]
    pub fn ban_seconds(&self, nth: u32) -> u64 {
        let mut seconds = self.ban_s;
        for _ in 1..nth {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "bounded by SECONDS_MAX * 1000, and a fraction of a second is of no matter"
            )]
            let longer = (seconds as f64 * self.growth) as u64;
            if longer >= self.ban_max_s || longer == seconds {
                return longer.min(self.ban_max_s);
            }
            seconds = longer;
        }
        seconds.min(self.ban_max_s)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(name: &str) -> Rule {
        let mut rules = in_force(&[], &[]).unwrap();
        let mut rule = rules.remove(0);
        name.clone_into(&mut rule.name);
        rule
    }

    #[test]
    fn the_defaults_are_sound() {
        for rule in in_force(&[], &[]).unwrap() {
            rule.check().unwrap();
        }
    }

    #[test]
    fn own_rules_replace_add_and_turn_off() {
        let mut own = rule("ssh");
        own.threshold = 3.0;
        let rules = in_force(&[own, rule("more")], &["flood".to_owned()]).unwrap();
        let names: Vec<_> = rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["ssh", "ssh-scan", "login", "web-attack", "more"]);
        assert!((rules[0].threshold - 3.0).abs() < f64::EPSILON);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(
            in_force(&[], &["sssh".to_owned()])
                .unwrap_err()
                .contains("ssh")
        );
        assert!(
            in_force(&[rule("a"), rule("a")], &[])
                .unwrap_err()
                .contains("twice")
        );
        let refused = |change: &dyn Fn(&mut Rule)| {
            let mut rule = rule("own");
            change(&mut rule);
            in_force(&[rule], &[]).unwrap_err()
        };
        assert!(refused(&|rule| rule.name = "Own".to_owned()).contains("`name`"));
        assert!(refused(&|rule| rule.threshold = 0.0).contains("`threshold`"));
        assert!(refused(&|rule| rule.threshold = f64::NAN).contains("`threshold`"));
        assert!(refused(&|rule| rule.growth = 0.5).contains("`growth`"));
        assert!(refused(&|rule| rule.half_life_s = 0).contains("times"));
        assert!(refused(&|rule| rule.ban_max_s = 1).contains("`ban_max_s`"));
        let counted = refused(&|rule| {
            rule.counts.insert("ssh-fialed".to_owned(), 1.0);
        });
        assert!(counted.contains("ssh-failed"), "{counted}");
    }

    proptest! {
        #[test]
        fn bans_grow_and_stay_below_the_most(growth in 1.0_f64..1000.0, ban in 1_u64..100_000, most in 1_u64..SECONDS_MAX, nth in 1_u32..u32::MAX) {
            let rule = Rule { growth, ban_s: ban, ban_max_s: most.max(ban), ..rule("any") };
            prop_assert_eq!(rule.ban_seconds(1), ban);
            let (this, next) = (rule.ban_seconds(nth), rule.ban_seconds(nth.saturating_add(1)));
            prop_assert!(ban <= this && this <= next && next <= rule.ban_max_s);
        }
    }
}
