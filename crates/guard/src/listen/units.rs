//! How many connections each unit has, so that none takes those of all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections of one unit at once: one for events, and some that are closing while it starts again.
const CONNECTIONS_A_UNIT: usize = 8;

/// The connections of all units.
#[derive(Debug, Default)]
pub(super) struct Units(Mutex<HashMap<String, usize>>);

/// A connection of a unit, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    units: Arc<Units>,
    unit: String,
}

impl Units {
    /// A place for one more connection of that unit; none where it has enough.
    pub(super) fn take(self: &Arc<Self>, unit: &str) -> Option<Place> {
        let mut units = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = units.entry(unit.to_owned()).or_default();
        if *count >= CONNECTIONS_A_UNIT {
            return None;
        }
        *count += 1;
        let (units, unit) = (Arc::clone(self), unit.to_owned());
        Some(Place { units, unit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut units = self.units.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = units.get_mut(&self.unit) {
            *count -= 1;
            if *count == 0 {
                units.remove(&self.unit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unit_leaves_room_for_others() {
        let units = Arc::new(Units::default());
        let mut places: Vec<_> = (0..CONNECTIONS_A_UNIT).map(|_| units.take("a")).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(units.take("a").is_none() && units.take("b").is_some());
        places.pop();
        assert!(units.take("a").is_some());
        places.clear();
        assert!(units.0.lock().is_ok_and(|units| units.is_empty()));
    }
}
