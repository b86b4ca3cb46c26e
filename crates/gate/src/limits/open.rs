//! Counts what each client has open.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use super::ClientKey;

/// What clients have open. Only those are in memory that have something open, and
/// how much may be open in all is bounded by the gate's connections.
#[derive(Debug)]
pub(crate) struct Open {
    most: u32,
    counts: Mutex<HashMap<ClientKey, u32>>,
}

/// A place that is given back when dropped.
#[derive(Debug)]
pub(crate) struct Place(Option<(Arc<Open>, ClientKey)>);

impl Place {
    /// A place of somebody whose are not counted.
    pub(crate) const fn uncounted() -> Self {
        Self(None)
    }
}

impl Open {
    /// So many at once for each client.
    pub(crate) fn of(most: u32) -> Arc<Self> {
        Arc::new(Self {
            most,
            counts: Mutex::default(),
        })
    }

    pub(crate) const fn most(&self) -> u32 {
        self.most
    }

    /// One more, or none where the client has as many as he may.
    pub(crate) fn take(open: &Arc<Self>, client: ClientKey) -> Option<Place> {
        let mut counts = open.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(client).or_insert(0);
        if *count >= open.most {
            return None;
        }
        *count += 1;
        Some(Place(Some((Arc::clone(open), client))))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((open, client)) = self.0.take() else {
            return;
        };
        let mut counts = open.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = counts.entry(client) {
            *entry.get_mut() = entry.get().saturating_sub(1);
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_given_back_can_be_taken_again() {
        let open = Open::of(2);
        let (one, other) = (ClientKey::V4(1), ClientKey::V4(2));
        let first = Open::take(&open, one).unwrap();
        let second = Open::take(&open, one).unwrap();
        assert!(Open::take(&open, one).is_none());
        let third = Open::take(&open, other).unwrap();
        drop(first);
        assert!(Open::take(&open, one).is_some());
        drop((second, third));
        assert!(open.counts.lock().unwrap().is_empty());
    }
}
