//! How many records of a kind are written in a second.

use std::sync::OnceLock;
use std::time::Instant;

/// Records of one kind that are written in a second. More are counted.
pub const RECORDS_A_SECOND: u32 = 20;

/// What becomes of one event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is written.
    Write,
    /// It is counted; the first in its second, so that somebody has to say the number later.
    First,
    /// It is counted.
    Count,
}

/// One kind's records in the current second.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bound {
    second: u64,
    written: u32,
    left_out: u64,
}

impl Bound {
    /// Nothing was written yet.
    pub(crate) const fn new() -> Self {
        Self {
            second: 0,
            written: 0,
            left_out: 0,
        }
    }

    /// Takes one event at a second of any clock that does not go back.
    pub(crate) fn take(&mut self, second: u64) -> Verdict {
        if second > self.second {
            self.second = second;
            self.written = 0;
        }
        if self.written < RECORDS_A_SECOND {
            self.written += 1;
            return Verdict::Write;
        }
        self.left_out += 1;
        if self.left_out == 1 {
            Verdict::First
        } else {
            Verdict::Count
        }
    }

    /// How many were left out since this was last asked.
    pub(crate) fn left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }
}

/// Seconds since the first event.
pub(crate) fn second() -> u64 {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    BEGUN.get_or_init(Instant::now).elapsed().as_secs()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_flood_is_counted_and_the_next_second_is_written_again() {
        let mut bound = Bound::new();
        for _ in 0..RECORDS_A_SECOND {
            assert_eq!(bound.take(7), Verdict::Write);
        }
        assert_eq!(bound.take(7), Verdict::First);
        assert_eq!(bound.take(7), Verdict::Count);
        assert_eq!(bound.left_out(), 2);
        assert_eq!(bound.left_out(), 0);
        assert_eq!(bound.take(7), Verdict::First);
        assert_eq!(bound.take(8), Verdict::Write);
    }

    proptest! {
        #[test]
        fn every_event_is_written_or_counted(steps in proptest::collection::vec(0_u64..2, 0..400)) {
            let (mut bound, mut second) = (Bound::new(), 0);
            let (mut written, mut in_second) = (0_u64, 0_u32);
            for step in &steps {
                second += step;
                in_second = if *step > 0 { 0 } else { in_second };
                if bound.take(second) == Verdict::Write {
                    written += 1;
                    in_second += 1;
                }
                prop_assert!(in_second <= RECORDS_A_SECOND);
            }
            prop_assert_eq!(written + bound.left_out(), steps.len() as u64);
        }
    }
}
