//! Pure: bans that operators make and lift, and how all bans end.

use guard_api::{Ban, By};

use super::Engine;
use super::never::Why;
use crate::prefix::Prefix;

/// The widest prefixes that an operator may ban, in bits: a slip of hand must not shut out the world.
pub const WIDEST: (u8, u8) = (8, 24);

/// Why an operator's ban is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It would hit somebody who is never banned.
    #[error("{0} is not banned: {why}", why = .1.told())]
    Never(Prefix, Why),
    /// It is banned for longer already, for so many seconds.
    #[error(
        "{0} is banned for longer already, for {1} s; unban it first to have it banned for less"
    )]
    Longer(Prefix, u64),
    /// It is too wide.
    #[error("{0} is too wide to be banned: at least {four} bits for IPv4 and {six} for IPv6", four = WIDEST.0, six = WIDEST.1)]
    Wide(Prefix),
}

impl Engine {
    /// Bans for an operator.
    ///
    /// # Errors
    /// As [`Refused`] lists.
    pub fn ban(
        &mut self,
        prefix: Prefix,
        seconds: u64,
        reason: &str,
        now_ms: u64,
    ) -> Result<Ban, Refused> {
        let now_s = self.tick(now_ms) / 1000;
        let least = if prefix.is_ipv4() { WIDEST.0 } else { WIDEST.1 };
        if prefix.bits() < least {
            return Err(Refused::Wide(prefix));
        }
        if let Some(why) = self.never.why(&prefix, now_s) {
            return Err(Refused::Never(prefix, why));
        }
        let until = now_s.saturating_add(seconds);
        // The kernel would keep the longer one.
        if let Some(longer) = self
            .bans
            .get(&prefix, now_s)
            .filter(|held| held.until > until)
        {
            return Err(Refused::Longer(prefix, longer.until - now_s));
        }
        let ban = Ban {
            prefix: prefix.into(),
            by: By::Operator(reason.to_owned()),
            begun: now_s,
            until,
            nth: self
                .bans
                .earlier(&prefix, u64::MAX, now_s)
                .saturating_add(1),
            dry_run: self.reach.dry_run,
            evidence: Vec::new(),
        };
        self.put(&ban);
        Ok(ban)
    }

    /// Lifts every ban that holds for a part of the prefix, and pardons: its next ban is as the first.
    pub fn unban(&mut self, prefix: &Prefix) -> Vec<Prefix> {
        let lifted = self.bans.overlapping(prefix);
        for prefix in &lifted {
            self.bans.remove(prefix);
            self.bans.pardon(prefix);
            self.scores.forget(prefix);
        }
        let clients = self.prefix_of(prefix.first());
        self.bans.pardon(prefix);
        if prefix.bits() >= clients.bits() {
            self.bans.pardon(&clients);
        }
        self.scores.forget(prefix);
        if prefix.bits() >= clients.bits() {
            self.scores.forget(&clients);
        }
        lifted
    }

    /// Ends the bans whose time is over.
    pub fn expire(&mut self, now_ms: u64) -> Vec<Prefix> {
        let now_s = self.tick(now_ms) / 1000;
        let ended = self.bans.ended(now_s);
        for prefix in &ended {
            if let Some(active) = self.bans.remove(prefix) {
                self.bans.remember(*prefix, active.nth, active.until);
            }
        }
        ended
    }
}
