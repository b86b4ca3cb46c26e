//! Pure: how many requests are written down in a second.
//!
//! The journal takes so many records of a service and drops what comes beyond; a
//! flood of requests must not push the security events out, nor fill the disk.

/// The records of the current second.
#[derive(Debug)]
pub(super) struct Budget {
    most: u32,
    second: u64,
    written: u32,
    left_out: u64,
}

impl Budget {
    /// So many records a second.
    pub(super) const fn of(most: u32) -> Self {
        Self {
            most,
            second: 0,
            written: 0,
            left_out: 0,
        }
    }

    /// Takes one request at a second of a clock that does not go back: how many were
    /// left out before it, or none where it is left out itself.
    pub(super) fn take(&mut self, second: u64) -> Option<u64> {
        if second > self.second {
            self.second = second;
            self.written = 0;
        }
        if self.written >= self.most {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_told_with_the_next_record() {
        let mut budget = Budget::of(2);
        assert_eq!([budget.take(0), budget.take(0)], [Some(0), Some(0)]);
        assert_eq!([budget.take(0), budget.take(0)], [None, None]);
        assert_eq!([budget.take(3), budget.take(3)], [Some(2), Some(0)]);
        assert_eq!(budget.take(3), None);
        assert_eq!(budget.take(4), Some(1));
    }
}
