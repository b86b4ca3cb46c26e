//! Pure: when to ask a directory for what. All times are seconds since 1970; `now` and what is
//! random are given.

use std::time::Duration;

use rustls_pki_types::ServerName;

use super::past::{Past, Planned};
use crate::leaf::Leaf;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long the first failure puts the next attempt off; each further one doubles it.
pub const DELAY_FIRST: Duration = Duration::from_secs(5 * MINUTE);

/// Longest time between two attempts, unless the directory asks for more.
pub const DELAY_LAST: Duration = Duration::from_secs(DAY);

/// Longest wait that a directory may ask for: certificates that last six days must not end while one is waited for.
pub const OBEYED: Duration = Duration::from_secs(DAY);

/// Shortest and longest time until renewal information is asked for again (RFC 9773, 4.3.2).
const ASK_AGAIN: (u64, u64) = (MINUTE, DAY);

/// When it is asked for again where there was no answer (RFC 9773, 4.3.3).
pub const ASK_AFTER_SILENCE: Duration = Duration::from_secs(6 * HOUR);

/// When a certificate may be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its first second.
    pub start: u64,
    /// Its last second.
    pub end: u64,
}

impl Window {
    /// For a certificate of which the directory says nothing: a twelfth of its life that ends
    /// when a third of it is left. For 90 days that is 37 to 30 days before its end, for 6 days
    /// 60 to 48 hours.
    #[must_use]
    pub fn of(leaf: &Leaf) -> Self {
        let third = leaf.ends.saturating_sub(leaf.life() / 3);
        Self {
            start: third.saturating_sub(leaf.life() / 12),
            end: third,
        }
    }

    /// A moment in it, so that the machines of the world do not all come at once. A window that
    /// lasts beyond the certificate's end, or is none, is cut to what helps.
    #[must_use]
    pub fn moment(self, leaf: &Leaf, random: u64) -> u64 {
        let last = self.end.min(leaf.ends.saturating_sub(leaf.life() / 12));
        let first = self.start.min(last);
        let seconds = (last - first).saturating_add(1);
        first + random % seconds
    }
}

/// When to ask for renewal information again, by what the directory said.
#[must_use]
pub fn ask_again(now: u64, after: Duration) -> u64 {
    now.saturating_add(after.as_secs().clamp(ASK_AGAIN.0, ASK_AGAIN.1))
}

/// When to try again after `failures` in a row, the last of them now: ever later, spread over the
/// second half of the delay, and not before the moment that the directory named.
#[must_use]
pub fn next_try(now: u64, failures: u32, retry_after: Option<u64>, random: u64) -> u64 {
    let doubled = failures.saturating_sub(1).min(31);
    let delay = DELAY_FIRST
        .as_secs()
        .saturating_mul(1 << doubled)
        .min(DELAY_LAST.as_secs());
    let jittered = delay - random % (delay / 2);
    let obeyed = retry_after.map_or(0, |at| at.saturating_sub(now).min(OBEYED.as_secs()));
    now.saturating_add(jittered.max(obeyed))
}

/// Why a certificate is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The first one.
    #[error("there is none yet")]
    First,
    /// What is there cannot be read.
    #[error("the one that is there cannot be read")]
    Unusable,
    /// The configuration has other names.
    #[error("its names are not those of the configuration")]
    Names,
    /// The moment that was chosen for its renewal has come.
    #[error("the time for its renewal has come")]
    Moment,
    /// It has ended.
    #[error("it has ended")]
    Ended,
}

/// What is to be done about the public certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing before this moment.
    Rest(u64),
    /// Ask when it should be renewed.
    Ask,
    /// Order one.
    Order(Why),
}

/// What to do now. `settings` are those of the configuration ([`crate::config::Acme::settings`]);
/// what is remembered of others counts for nothing.
#[must_use]
pub fn step(
    now: u64,
    settings: &str,
    names: &[ServerName<'_>],
    leaf: Option<Result<&Leaf, ()>>,
    past: &Past,
) -> Step {
    let wanted = wish(now, names, leaf, past);
    let waits = past.settings == settings
        && past.next_try > now
        // The clock was set back since, else nobody would have had to wait so long.
        && past.next_try - now <= OBEYED.max(DELAY_LAST).as_secs();
    match wanted {
        Step::Rest(until) => Step::Rest(until),
        Step::Ask | Step::Order(_) if waits => Step::Rest(past.next_try),
        other => other,
    }
}

fn wish(now: u64, names: &[ServerName<'_>], leaf: Option<Result<&Leaf, ()>>, past: &Past) -> Step {
    let leaf = match leaf {
        None => return Step::Order(Why::First),
        Some(Err(())) => return Step::Order(Why::Unusable),
        Some(Ok(leaf)) => leaf,
    };
    if !leaf.is_for(names) {
        return Step::Order(Why::Names);
    }
    if leaf.ends <= now {
        return Step::Order(Why::Ended);
    }
    let Some(planned) = past.planned_for(leaf) else {
        return Step::Ask;
    };
    if planned.moment <= now {
        return Step::Order(Why::Moment);
    }
    // Beyond a day it was noted under a clock that ran ahead.
    let asks = planned.ask_at <= now || planned.ask_at - now > ASK_AGAIN.1;
    if asks {
        Step::Ask
    } else {
        Step::Rest(planned.moment.min(planned.ask_at))
    }
}

/// The plan after the directory was asked. A window that it has not changed keeps its moment.
#[must_use]
pub fn planned(
    now: u64,
    leaf: &Leaf,
    before: Option<&Planned>,
    answer: Option<(Window, Duration)>,
    random: u64,
) -> Planned {
    let (window, ask_at) = match (answer, before) {
        (Some((window, after)), _) => (window, ask_again(now, after)),
        (None, Some(before)) => {
            let window = Window {
                start: before.start,
                end: before.end,
            };
            (window, ask_again(now, ASK_AFTER_SILENCE))
        }
        (None, None) => (Window::of(leaf), ask_again(now, ASK_AFTER_SILENCE)),
    };
    let same = before.filter(|before| (before.start, before.end) == (window.start, window.end));
    Planned {
        certificate: leaf.id.to_string(),
        start: window.start,
        end: window.end,
        moment: same.map_or_else(|| window.moment(leaf, random), |before| before.moment),
        ask_at,
    }
}

/// Days that are left of a certificate that should have been renewed long since, if it is time to
/// warn and that was not said of this day yet: once a day in the last sixth of its life.
#[must_use]
pub fn warning(now: u64, leaf: &Leaf, said: Option<u64>) -> Option<u64> {
    let left = leaf.ends.saturating_sub(now);
    let days = left / DAY;
    (left <= leaf.life() / 6 && said != Some(days)).then_some(days)
}

#[cfg(test)]
mod tests;
