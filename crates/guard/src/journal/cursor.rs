//! Pure: how far a journal was read, and which entries come after it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::format::{Entry, Header, Id};

/// How far an entry's time may be ahead of the clock, in milliseconds (a minute): that far a clock may be set back
/// while lines come. What is further ahead is damaged, or from before a clock that was wrong was set right.
pub const AHEAD_MS: u64 = 60_000;

/// Names that are remembered for which nothing is followed any more.
pub const CURSORS_MAX: usize = 1024;

/// No journald's numbers.
const NOBODYS: Id = [0; 16];

/// Where reading had come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    sequence_id: Id,
    sequence: u64,
    boot: Id,
    monotonic_us: u64,
    realtime_us: u64,
}

impl Cursor {
    /// After that entry.
    #[must_use]
    pub const fn of(entry: &Entry, sequence_id: Id) -> Self {
        Self {
            sequence_id,
            sequence: entry.sequence,
            boot: entry.boot,
            monotonic_us: entry.monotonic_us,
            realtime_us: entry.realtime_us,
        }
    }

    /// Whether an entry came after it. Numbers tell within one journald; else the clock of one boot; else the clock.
    #[must_use]
    pub fn is_before(&self, entry: &Entry, sequence_id: Id) -> bool {
        if self.sequence_id == sequence_id && sequence_id != NOBODYS {
            entry.sequence > self.sequence
        } else if self.boot == entry.boot {
            entry.monotonic_us > self.monotonic_us
        } else {
            entry.realtime_us > self.realtime_us
        }
    }

    /// The same, told by clocks alone: for a file whose entries have other numbers, though they may be the same.
    #[must_use]
    pub const fn by_clock(self) -> Self {
        Self {
            sequence_id: NOBODYS,
            ..self
        }
    }

    /// What may be believed of it. It is kept from damaged entries, and files may be put back as they were: a number
    /// that the file which is written to now has not come to is none, and no entry was read before its time.
    #[must_use]
    pub fn checked(self, newest: &Header, now_ms: u64) -> Option<Self> {
        if self.realtime_us / 1000 > now_ms.saturating_add(AHEAD_MS) {
            return None;
        }
        let ahead = self.sequence_id == newest.sequence_id && self.sequence > newest.last_sequence;
        Some(if ahead { self.by_clock() } else { self })
    }

    /// When the entry came, in microseconds since 1970.
    #[must_use]
    pub const fn realtime_us(&self) -> u64 {
        self.realtime_us
    }
}

/// From where a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// After what was read before.
    After(Cursor),
    /// From that time on, in milliseconds since 1970.
    Since(u64),
}

impl Start {
    /// Whether an entry is to be read.
    #[must_use]
    pub fn takes(&self, entry: &Entry, sequence_id: Id) -> bool {
        match self {
            Self::After(cursor) => cursor.is_before(entry, sequence_id),
            Self::Since(since_ms) => entry.realtime_us / 1000 >= *since_ms,
        }
    }

    /// Whether a file that is written no more has nothing to be read.
    #[must_use]
    pub fn is_past(&self, header: &Header) -> bool {
        matches!(self, Self::After(cursor) if cursor.sequence_id == header.sequence_id
            && cursor.sequence >= header.last_sequence)
    }
}

/// Where reading had come to, by the folder and the file's name without what rotation adds:
/// `/var/log/journal/ID/system`.
pub type Cursors = BTreeMap<String, Cursor>;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn entry(sequence: u64, realtime_ms: u64) -> Entry {
        Entry {
            sequence,
            realtime_us: realtime_ms * 1000,
            monotonic_us: realtime_ms,
            boot: [9; 16],
            items: 0,
        }
    }

    fn header(last_sequence: u64) -> Header {
        Header {
            sequence_id: [7; 16],
            last_sequence,
            ..Header::default()
        }
    }

    #[test]
    fn a_cursor_that_cannot_be_is_not_believed() {
        let newest = header(100);
        let good = Cursor::of(&entry(100, NOW_MS), [7; 16]);
        assert_eq!(good.checked(&newest, NOW_MS), Some(good));
        // A number that nobody gave: the clock tells instead, and what comes next is read.
        let ahead = Cursor::of(&entry(1 << 63, NOW_MS), [7; 16]);
        let checked = ahead.checked(&newest, NOW_MS).unwrap();
        assert!(!ahead.is_before(&entry(101, NOW_MS + 1), [7; 16]));
        assert!(checked.is_before(&entry(101, NOW_MS + 1), [7; 16]));
        assert!(!checked.is_before(&entry(99, NOW_MS - 1), [7; 16]));
        // A time that has not come.
        let future = Cursor::of(&entry(100, NOW_MS + AHEAD_MS + 1), [7; 16]);
        assert_eq!(future.checked(&newest, NOW_MS), None);
        // Another journald's numbers say nothing.
        let others = Cursor::of(&entry(5000, NOW_MS), [8; 16]);
        assert_eq!(others.checked(&newest, NOW_MS), Some(others));
    }
}
