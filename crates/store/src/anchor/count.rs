//! Pure: whether an anchor is the newest, by a counter that no one can set back.

use tpm::Count;

use crate::error::Error;

/// Compares what the anchor has `noted` of a counter, if there is an anchor and it has, with what
/// the TPM says, if there is one.
///
/// An opening notes the value that comes next, and only when it has succeeded the counter moves
/// there: so an anchor that is the newest has noted this value, or, where the store never came to
/// serve, the next. One that has noted nothing is the newest as long as the counter never moved.
pub(super) fn compare(noted: Option<Count>, read: Option<Count>) -> Result<(), Error> {
    let (noted, read) = match (noted, read) {
        (None, None) => return Ok(()),
        (Some(_), None) => return Err(Error::CounterMissing),
        (None, Some(read)) if read.is_new() => return Ok(()),
        (None, Some(read)) => {
            let openings = read.value.saturating_sub(read.first);
            return Err(Error::AnchorPutBack { openings });
        }
        (Some(noted), Some(read)) => (noted, read),
    };
    if !noted.is_of(read) || noted.value > read.next().value {
        return Err(Error::CounterForeign);
    }
    match read.value.saturating_sub(noted.value) {
        0 => Ok(()),
        openings => Err(Error::AnchorPutBack { openings }),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEW: Count = Count {
        index: 0x0180_0000,
        first: 40,
        value: 40,
    };

    /// A machine with its TPM: what happens to a store's anchor between two openings.
    #[derive(Debug, Clone, Copy)]
    enum Start {
        /// The store did not come to serve.
        Fails,
        /// It serves, and the counter moves.
        Serves,
        /// It serves, and the power is cut before the counter has moved, or the TPM is slow.
        IsCutOff,
    }

    fn starts() -> impl Strategy<Value = Vec<Start>> {
        let start = prop_oneof![
            Just(Start::Fails),
            Just(Start::Serves),
            Just(Start::Serves),
            Just(Start::IsCutOff)
        ];
        proptest::collection::vec(start, 1..40)
    }

    /// What the anchor had noted after each start, with what the counter had come to then.
    fn history(starts: &[Start]) -> Vec<(Option<Count>, Count)> {
        let (mut noted, mut counter) = (None, NEW);
        let mut history = vec![(noted, counter)];
        for start in starts {
            compare(noted, Some(counter)).unwrap();
            match start {
                Start::Fails => {}
                Start::Serves => {
                    noted = Some(counter.next());
                    counter = counter.next();
                }
                Start::IsCutOff => noted = Some(counter.next()),
            }
            history.push((noted, counter));
        }
        history
    }

    proptest! {
        #[test]
        fn the_newest_anchor_always_passes(starts in starts()) {
            let history = history(&starts);
            let (noted, counter) = *history.last().unwrap();
            prop_assert!(compare(noted, Some(counter)).is_ok());
        }

        #[test]
        fn an_anchor_from_before_the_last_step_never_does(starts in starts()) {
            let history = history(&starts);
            let (_, counter) = *history.last().unwrap();
            for (noted, _) in &history {
                let value = noted.map_or(NEW.value, |it| it.value);
                let refused = compare(*noted, Some(counter));
                if value >= counter.value {
                    prop_assert!(refused.is_ok());
                } else {
                    let missed = counter.value - value;
                    let told = matches!(refused, Err(Error::AnchorPutBack { openings }) if openings == missed);
                    prop_assert!(told);
                }
            }
        }

        #[test]
        fn a_counter_that_is_not_the_one_is_told(first in 41_u64.., steps in 0_u64..9, noted in 0_u64..9) {
            let other = Count { first, value: first.saturating_add(steps), ..NEW };
            let noted = Count { value: NEW.value + noted, ..NEW };
            prop_assert!(matches!(compare(Some(noted), Some(other)), Err(Error::CounterForeign)));
            prop_assert!(matches!(compare(Some(noted), None), Err(Error::CounterMissing)));
            let ahead = Count { value: noted.value + 2, ..noted };
            prop_assert!(matches!(compare(Some(ahead), Some(noted)), Err(Error::CounterForeign)));
        }
    }

    #[test]
    fn without_a_tpm_nothing_is_asked_for() {
        compare(None, None).unwrap();
    }
}
