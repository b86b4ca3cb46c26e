//! Pure: how many events of the last minute there were.

/// How long what was seen is worth telling, in seconds. Whoever decides on bans must not take it for new.
pub(crate) const FRESH_S: u64 = 60;

/// Events are counted together for so many seconds: that much longer than [`FRESH_S`] one may be told.
const SLOT_S: u64 = 10;

/// The latest and those before it.
const SLOTS: usize = 7;

const _: () = assert!(
    SLOT_S * (SLOTS as u64 - 1) >= FRESH_S,
    "none is forgotten before it is old"
);

/// Events by when they were seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fresh {
    /// The latest slot, counted from second 0.
    slot: u64,
    /// The events of the latest slot, and of those before it.
    counts: [u32; SLOTS],
}

impl Fresh {
    /// One event.
    pub(super) fn one(now: u64) -> Self {
        let mut fresh = Self {
            slot: now / SLOT_S,
            counts: [0; SLOTS],
        };
        fresh.counts[0] = 1;
        fresh
    }

    /// One more event.
    pub(super) fn add(&mut self, now: u64) {
        self.merge(Self::one(now));
    }

    /// All events of another count.
    pub(super) fn merge(&mut self, mut other: Self) {
        let slot = self.slot.max(other.slot);
        self.shift(slot);
        other.shift(slot);
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
    }

    /// How many are worth telling.
    pub(super) fn count(&self, now: u64) -> u32 {
        let mut at = *self;
        at.shift(self.slot.max(now / SLOT_S));
        at.counts
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Makes a later slot the latest.
    fn shift(&mut self, slot: u64) {
        let by = usize::try_from(slot - self.slot).map_or(SLOTS, |by| by.min(SLOTS));
        self.counts.copy_within(..SLOTS - by, by);
        self.counts[..by].fill(0);
        self.slot = slot;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Each is counted for a minute, and hardly longer, in whatever order counts are put together.
        #[test]
        fn what_is_new_is_counted(
            seen in proptest::collection::vec((0_u64..300, any::<bool>()), 1..40), later in 0_u64..100,
        ) {
            let (mut one, mut other) = (None::<Fresh>, None::<Fresh>);
            for (second, to_one) in &seen {
                let place = if *to_one { &mut one } else { &mut other };
                match place {
                    Some(fresh) => fresh.add(*second),
                    None => *place = Some(Fresh::one(*second)),
                }
            }
            let both = match (one, other) {
                (Some(mut one), Some(other)) => {
                    one.merge(other);
                    one
                }
                (one, other) => one.or(other).unwrap_or_else(|| Fresh::one(0)),
            };
            let now = seen.iter().map(|(second, _)| *second).max().unwrap_or(0) + later;
            let within = |limit| {
                let is_within = |(second, _): &&(u64, bool)| now - *second <= limit;
                u32::try_from(seen.iter().filter(is_within).count()).unwrap_or(u32::MAX)
            };
            let count = both.count(now);
            prop_assert!(within(FRESH_S) <= count && count <= within(FRESH_S + SLOT_S));
        }
    }

    #[test]
    fn a_number_stays_the_greatest_there_is() {
        let mut fresh = Fresh::one(7);
        for _ in 0..40 {
            fresh.merge(fresh);
        }
        fresh.add(7 + SLOT_S);
        assert_eq!(fresh.count(7 + SLOT_S), u32::MAX);
        assert_eq!(fresh.count(u64::MAX), 0);
    }
}
