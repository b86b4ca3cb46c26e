//! How many connections are served at once, and what becomes of the others.
//!
//! One more than there are places for does not wait: behind it, in the socket's backlog,
//! all would wait, and nobody would be told. A few at a time are told to come again,
//! which takes a handshake; the reserve for them bounds what that costs. The rest are
//! closed at once, which costs next to nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections that are told at once that there is no room. A handshake was measured to take
/// 1.3 ms of a processor (unoptimised, in full, post-quantum), so those who are served wait for
/// these by less than a tenth of a second.
pub(crate) const RESERVE: usize = 64;

/// How often at most it is reported that there is no room.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// The places; a clone shares them.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    served: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
}

/// What becomes of a connection; a place is held for as long as this lives.
#[derive(Debug)]
pub(crate) enum Place {
    /// It is served.
    Served(OwnedSemaphorePermit),
    /// It is told to come again.
    Refused(OwnedSemaphorePermit),
    /// It is closed.
    None,
}

impl Places {
    pub(crate) fn new(connections: usize) -> Self {
        Self {
            served: Arc::new(Semaphore::new(connections)),
            reserve: Arc::new(Semaphore::new(RESERVE)),
        }
    }

    /// Takes the best place that is free now.
    pub(crate) fn take(&self) -> Place {
        let take = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().ok();
        take(&self.served)
            .map(Place::Served)
            .or_else(|| take(&self.reserve).map(Place::Refused))
            .unwrap_or(Place::None)
    }
}

/// Counts those that were not served, on whichever thread, and says when to report them.
#[derive(Debug, Default)]
pub(crate) struct Shed(Mutex<Count>);

#[derive(Debug, Default)]
struct Count {
    refused: u64,
    closed: u64,
    reported: Option<Instant>,
}

impl Shed {
    /// Counts a connection by its place. Gives how many were told to come again and how
    /// many were closed since the last report, when one is due.
    pub(crate) fn count(&self, place: &Place, now: Instant) -> Option<(u64, u64)> {
        if let Place::Served(_) = place {
            return None;
        }
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match place {
            Place::Served(_) => {}
            Place::Refused(_) => count.refused += 1,
            Place::None => count.closed += 1,
        }
        let due = |last| now.saturating_duration_since(last) >= REPORT_EVERY;
        if !count.reported.is_none_or(due) {
            return None;
        }
        let counted = (count.refused, count.closed);
        *count = Count {
            reported: Some(now),
            ..Count::default()
        };
        Some(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_place_that_is_free_is_taken() {
        let places = Places::new(2);
        let mut held: Vec<_> = (0..RESERVE + 3).map(|_| places.take()).collect();
        assert!(matches!(held[..2], [Place::Served(_), Place::Served(_)]));
        assert!(
            held[2..RESERVE + 2]
                .iter()
                .all(|place| matches!(place, Place::Refused(_)))
        );
        assert!(matches!(held[RESERVE + 2], Place::None));
        held.remove(5);
        assert!(matches!(places.take(), Place::Refused(_)));
        held.remove(0);
        assert!(matches!(places.take(), Place::Served(_)));
    }

    #[test]
    fn no_room_is_reported_once_a_second_with_all_that_were_counted() {
        let (places, none) = (Places::new(1), Place::None);
        let (served, refused) = (places.take(), places.take());
        let shed = Shed::default();
        let begin = Instant::now();
        let after = |milliseconds| begin + Duration::from_millis(milliseconds);
        assert_eq!(shed.count(&served, begin), None);
        assert_eq!(shed.count(&refused, begin), Some((1, 0)));
        assert_eq!(shed.count(&refused, after(1)), None);
        assert_eq!(shed.count(&none, after(999)), None);
        assert_eq!(shed.count(&none, after(1000)), Some((1, 2)));
        assert_eq!(shed.count(&served, after(5000)), None);
        assert_eq!(shed.count(&none, after(5000)), Some((0, 1)));
    }
}
