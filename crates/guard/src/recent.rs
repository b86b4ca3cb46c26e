//! Pure: what was seen lately, for operators to look at.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use guard_api::Sighting;

use crate::names::{Name, Names};

/// Sightings that are kept; the earliest go.
pub const RECENT_MAX: usize = 8192;

/// Sightings of the same that come within this time are one, in seconds.
const SAME_SECONDS: u32 = 1;

/// In few bytes, since there are many.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Seconds since 1970, until 2106.
    at: u32,
    times: u32,
    client: Option<Who>,
    kind: Name,
    unit: Name,
}

/// An address; as bytes, which need no room between fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Four([u8; 4]),
    Six([u8; 16]),
}

impl From<IpAddr> for Who {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(four) => Self::Four(four.octets()),
            IpAddr::V6(six) => Self::Six(six.octets()),
        }
    }
}

impl From<Who> for IpAddr {
    fn from(who: Who) -> Self {
        match who {
            Who::Four(octets) => octets.into(),
            Who::Six(octets) => octets.into(),
        }
    }
}

/// What was seen lately.
#[derive(Debug, Default)]
pub struct Recent {
    all: VecDeque<Seen>,
    kinds: Names,
    units: Names,
}

impl Recent {
    /// Takes one more. `at` is in seconds since 1970.
    pub fn put(
        &mut self,
        at: u64,
        kind: &'static str,
        client: Option<IpAddr>,
        unit: &Arc<str>,
        times: u32,
    ) {
        let all = &mut self.all;
        let (client, at) = (client.map(Who::from), u32::try_from(at).unwrap_or(u32::MAX));
        // Kinds are few, and never go.
        let kind = self.kinds.number(kind, |_| {});
        let unit = self
            .units
            .number(unit, |used| all.iter().for_each(|seen| used(seen.unit)));
        if let Some(last) = all.back_mut()
            && (last.kind, last.unit, last.client) == (kind, unit, client)
            && at.saturating_sub(last.at) <= SAME_SECONDS
        {
            last.times = last.times.saturating_add(times);
            return;
        }
        if all.len() >= RECENT_MAX {
            all.pop_front();
        }
        all.push_back(Seen {
            at,
            times,
            client,
            kind,
            unit,
        });
    }

    /// The latest `most` that `wanted` wants, the latest first.
    #[must_use]
    pub fn latest(&self, most: usize, wanted: impl Fn(Option<IpAddr>) -> bool) -> Vec<Sighting> {
        let all = self.all.iter().rev();
        all.filter(|seen| wanted(seen.client.map(IpAddr::from)))
            .take(most)
            .map(|seen| self.shown(seen))
            .collect()
    }

    fn shown(&self, seen: &Seen) -> Sighting {
        Sighting {
            at: seen.at.into(),
            kind: self.kinds.text(seen.kind).to_owned(),
            client: seen.client.map(IpAddr::from),
            unit: self.units.text(seen.unit).to_owned(),
            times: seen.times,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_small_and_gives_back_what_was_seen() {
        assert!(size_of::<Seen>() <= 32, "{}", size_of::<Seen>());
        let mut recent = Recent::default();
        let clients: [Option<IpAddr>; 3] = [
            None,
            Some([203, 0, 113, 7].into()),
            Some([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into()),
        ];
        for (client, unit) in clients
            .into_iter()
            .zip(["a.service", "b.service", "c.service"])
        {
            recent.put(7, "ssh-failed", client, &Arc::from(unit), 2);
        }
        let seen = recent.latest(10, |_| true);
        let seen: Vec<_> = seen
            .iter()
            .rev()
            .map(|one| (one.client, &*one.unit))
            .collect();
        assert_eq!(
            seen,
            [
                (clients[0], "a.service"),
                (clients[1], "b.service"),
                (clients[2], "c.service")
            ]
        );
        assert_eq!(recent.latest(1, |_| true)[0].kind, "ssh-failed");
    }

    #[test]
    fn it_is_bounded_and_merges_a_flood() {
        let (mut recent, unit) = (Recent::default(), Arc::from("ssh.service"));
        for at in 0..10_u64 {
            recent.put(at / 10, "ssh-failed", None, &unit, 1);
        }
        let one = recent.latest(10, |_| true);
        assert_eq!((one.len(), one[0].times), (1, 10));
        const MANY: u32 = 20_000;
        for number in 0..MANY {
            let client = Some(IpAddr::V4(number.into()));
            recent.put(7, "ssh-failed", client, &unit, 1);
        }
        assert_eq!(recent.latest(usize::MAX, |_| true).len(), RECENT_MAX);
        let last = Some(IpAddr::V4((MANY - 1).into()));
        assert_eq!(recent.latest(1, |_| true)[0].client, last);
        assert!(recent.latest(1, |client| client.is_none()).is_empty());
    }
}
