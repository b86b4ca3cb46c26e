//! Bans begin, last longer and end.

use std::collections::BTreeMap;

use firewall_api::limits::{BANS_MAX, REFUSED_MAX};
use firewall_api::{Ban, Prefix, Refused, Why};
use rustix::io::Errno;

use super::{Table, TableError};
use crate::bans::Second;
use crate::clock::MS;
use crate::nft::{Counter, Elements, Key, SetName, ban_rules, elements, get_elements};

/// Elements asked for at once: the kernel's answers wait in a buffer.
const ASKED_AT_ONCE: usize = 32;

/// What became of a list.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Bans that began, were lengthened or ended.
    pub changed: usize,
    /// What was not taken, at most [`REFUSED_MAX`] of them.
    pub refused: Vec<Refused>,
    /// How many were not taken.
    pub refused_count: usize,
}

impl Outcome {
    /// Notes one that is not taken.
    pub fn refuse(&mut self, prefix: Prefix, why: Why) {
        self.refused_count += 1;
        if self.refused.len() < REFUSED_MAX {
            self.refused.push(Refused { prefix, why });
        }
    }
}

/// What is to be put into the kernel's sets.
type Wanted = BTreeMap<Key, BTreeMap<Prefix, Second>>;

impl Table {
    /// Has bans begin or last longer, all in one batch. A ban that is not permitted ends where it is in force.
    ///
    /// # Errors
    /// Whatever the kernel says; then none of them is in force that was not before.
    pub fn ban(&mut self, bans: &[Ban]) -> Result<Outcome, TableError> {
        let mut outcome = Outcome::default();
        let now = self.clock.now();
        let mut wanted = Wanted::new();
        let (mut new, mut ended) = (0, BTreeMap::<Key, Vec<Prefix>>::new());
        for ban in bans {
            let key = Key::of(&ban.prefix);
            if let Err(why) = self.judge.permits(&ban.prefix) {
                outcome.refuse(ban.prefix, why);
                if self.keys.contains(&key) {
                    ended.entry(key).or_default().push(ban.prefix);
                }
                continue;
            }
            if !ban.has_time() {
                outcome.refuse(ban.prefix, Why::Time);
                continue;
            }
            let end = now.saturating_add(ban.seconds);
            let of_key = wanted.entry(key).or_default();
            let standing = self.bans.end(&ban.prefix);
            if standing.is_none() && !of_key.contains_key(&ban.prefix) {
                if self.bans.len() + new >= BANS_MAX {
                    outcome.refuse(ban.prefix, Why::Full);
                    continue;
                }
                new += 1;
            }
            if standing.is_none_or(|standing| standing < end) {
                let before = of_key.entry(ban.prefix).or_insert(end);
                *before = end.max(*before);
            }
        }
        wanted.retain(|_, bans| !bans.is_empty());
        let mut counters = BTreeMap::new();
        for (key, bans) in &wanted {
            let known = |one: &&Prefix| self.bans.end(one).is_some();
            let lengthened: Vec<Prefix> = bans.keys().filter(known).copied().collect();
            self.counters(*key, &lengthened, &mut counters)?;
        }
        if wanted.is_empty() && ended.is_empty() {
            return Ok(outcome);
        }
        let fresh: Vec<Key> = wanted
            .keys()
            .filter(|key| !self.keys.contains(key))
            .copied()
            .collect();
        self.change(|table, batch| {
            if !fresh.is_empty() {
                ban_rules(batch, table.keys.union(&fresh.iter().copied().collect()));
            }
            for (key, prefixes) in &ended {
                batch.remove_elements(&SetName::Bans(*key), prefixes.iter().copied());
            }
            for (key, bans) in &wanted {
                let elements: Vec<Elements> = bans
                    .iter()
                    .map(|(prefix, end)| Elements {
                        prefix: *prefix,
                        milliseconds: u64::from(end - now) * MS,
                        counter: counters.get(prefix).copied().unwrap_or_default(),
                    })
                    .collect();
                batch.renew_bans(&SetName::Bans(*key), &elements);
            }
        })?;
        self.keys.extend(fresh);
        for prefix in ended.values().flatten() {
            self.bans.remove(prefix);
        }
        for (prefix, end) in wanted.values().flatten() {
            self.bans.put(prefix, *end);
            outcome.changed += 1;
        }
        Ok(outcome)
    }

    /// Ends bans, all in one batch.
    ///
    /// # Errors
    /// Whatever the kernel says; then all of them are still in force.
    pub fn unban(&mut self, prefixes: &[Prefix]) -> Result<Outcome, TableError> {
        let mut ended = BTreeMap::<Key, Vec<Prefix>>::new();
        for prefix in prefixes {
            if self.keys.contains(&Key::of(prefix)) {
                ended.entry(Key::of(prefix)).or_default().push(*prefix);
            }
        }
        if ended.is_empty() {
            return Ok(Outcome::default());
        }
        self.change(|_, batch| {
            for (key, prefixes) in &ended {
                batch.remove_elements(&SetName::Bans(*key), prefixes.iter().copied());
            }
        })?;
        let removed = ended
            .values()
            .flatten()
            .filter(|prefix| self.bans.remove(prefix));
        Ok(Outcome {
            changed: removed.count(),
            ..Outcome::default()
        })
    }

    /// What the kernel has counted for these, so that a ban that is lengthened goes on counting.
    fn counters(
        &mut self,
        key: Key,
        prefixes: &[Prefix],
        into: &mut BTreeMap<Prefix, Counter>,
    ) -> Result<(), TableError> {
        let set = SetName::Bans(key);
        for part in prefixes.chunks(ASKED_AT_ONCE) {
            let mut ask = |prefixes: &[Prefix]| {
                self.socket.ask(
                    |number| get_elements(number, &set, prefixes),
                    |message| {
                        for element in elements(message, &set)? {
                            let element = element?;
                            into.insert(element.prefix, element.counter);
                        }
                        Ok::<_, TableError>(())
                    },
                )
            };
            match ask(part) {
                // One of them has just ended, and the kernel stops there.
                Err(TableError::Kernel(error)) if error.errno() == Some(Errno::NOENT) => {
                    for one in part {
                        match ask(&[*one]) {
                            Err(TableError::Kernel(error))
                                if error.errno() == Some(Errno::NOENT) => {}
                            other => other?,
                        }
                    }
                }
                other => other?,
            }
        }
        Ok(())
    }
}
