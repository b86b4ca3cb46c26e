//! Pure: whether a member answers, by what became of requests and checks. Times are since the gate's start.

use std::time::Duration;

use super::Settings;

/// How much longer, at most, a member stays out that fails again and again: so many times the first pause.
const PAUSES_MAX: u32 = 16;

/// How a member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It answers.
    In,
    /// It does not answer. Only checks find out whether it does again: a visitor would wait for it in vain.
    Out,
}

/// What an operator is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    WentOut,
    CameBack,
}

/// What is known of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Health(State);

/// Where a failure or a success comes from. Each kind is counted for itself: a member whose store cannot be read still
/// answers for its pages, and one that says that it is well may break off all that it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A visitor's request.
    Visitor,
    /// A check.
    Check,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    In {
        /// Failures in a row, of visitors' requests and of checks.
        visitors: u32,
        checks: u32,
    },
    Out {
        /// From then on it is on trial: checks count.
        until: Duration,
        /// How many pauses long this one is.
        pauses: u32,
        /// Checks in a row that went well, since `until`.
        successes: u32,
    },
}

const WELL: State = State::In {
    visitors: 0,
    checks: 0,
};

impl Default for Health {
    fn default() -> Self {
        Self(WELL)
    }
}

impl Health {
    pub(crate) const fn standing(&self) -> Standing {
        match self.0 {
            State::In { .. } => Standing::In,
            State::Out { .. } => Standing::Out,
        }
    }

    /// It answered. Only checks bring it back.
    pub(crate) fn succeeded(
        &mut self,
        source: Source,
        now: Duration,
        settings: &Settings,
    ) -> Option<Change> {
        match (&mut self.0, source) {
            (State::In { visitors, .. }, Source::Visitor) => *visitors = 0,
            (State::In { checks, .. }, Source::Check) => *checks = 0,
            (
                State::Out {
                    until, successes, ..
                },
                Source::Check,
            ) if now >= *until => {
                *successes += 1;
                if *successes >= settings.successes {
                    self.0 = WELL;
                    return Some(Change::CameBack);
                }
            }
            (State::Out { .. }, _) => {}
        }
        None
    }

    /// It could not be connected to, broke off, was silent for too long, or says that it is not well.
    pub(crate) fn failed(
        &mut self,
        source: Source,
        now: Duration,
        settings: &Settings,
    ) -> Option<Change> {
        let (pauses, change) = match &mut self.0 {
            State::In { visitors, checks } => {
                let failures = match source {
                    Source::Visitor => visitors,
                    Source::Check => checks,
                };
                *failures += 1;
                if *failures < settings.failures {
                    return None;
                }
                (1, Some(Change::WentOut))
            }
            // It was sent before.
            State::Out { until, .. } if now < *until => return None,
            State::Out { pauses, .. } => (pauses.saturating_mul(2).min(PAUSES_MAX), None),
        };
        self.0 = State::Out {
            until: now + settings.pause() * pauses,
            pauses,
            successes: 0,
        };
        change
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOURCES: [Source; 2] = [Source::Visitor, Source::Check];

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_goes_out_after_some_failures_in_a_row_and_comes_back_after_some_checks() {
        let settings = Settings::default();
        for (source, other) in [SOURCES, [SOURCES[1], SOURCES[0]]].map(|[one, other]| (one, other))
        {
            let mut health = Health::default();
            for _ in 1..settings.failures {
                assert_eq!(health.failed(source, at(0), &settings), None);
            }
            assert_eq!(health.succeeded(source, at(0), &settings), None);
            for _ in 1..settings.failures {
                assert_eq!(health.failed(source, at(1), &settings), None);
                // Makes no difference.
                assert_eq!(health.succeeded(other, at(1), &settings), None);
            }
            assert_eq!(health.standing(), Standing::In);
            let change = health.failed(source, at(1), &settings);
            assert_eq!(change, Some(Change::WentOut));
            assert_eq!(health.standing(), Standing::Out);
            // Too early to count.
            assert_eq!(health.succeeded(Source::Check, at(2), &settings), None);
            let end = at(1) + settings.pause();
            for _ in 1..settings.successes {
                assert_eq!(health.succeeded(Source::Visitor, end, &settings), None);
                assert_eq!(health.succeeded(Source::Check, end, &settings), None);
                assert_eq!(health.standing(), Standing::Out);
            }
            let change = health.succeeded(Source::Check, end, &settings);
            assert_eq!(change, Some(Change::CameBack));
            assert_eq!(health, Health::default());
        }
    }

    #[test]
    fn who_fails_on_trial_stays_out_longer_up_to_a_bound() {
        let settings = Settings::default();
        let mut health = Health::default();
        let mut now = at(0);
        for _ in 0..settings.failures {
            health.failed(Source::Check, now, &settings);
        }
        for (pauses, source) in [1, 2, 4, 8, 16, 16, 16]
            .into_iter()
            .zip(SOURCES.into_iter().cycle())
        {
            let end = now + settings.pause() * pauses;
            // Does not count, nor would good checks: they do from `end` on.
            assert_eq!(health.failed(source, end - at(1), &settings), None);
            let checked = |mut health: Health, now| {
                for _ in 0..settings.successes {
                    health.succeeded(Source::Check, now, &settings);
                }
                health.standing()
            };
            assert_eq!(checked(health, end - at(1)), Standing::Out, "{pauses}");
            assert_eq!(checked(health, end), Standing::In, "{pauses}");
            assert_eq!(health.succeeded(Source::Check, end, &settings), None);
            assert_eq!(health.failed(source, end, &settings), None);
            now = end;
        }
    }

    fn source() -> impl Strategy<Value = Source> {
        prop_oneof![Just(Source::Visitor), Just(Source::Check)]
    }

    proptest! {
        #[test]
        fn changes_are_told_in_turn_and_are_what_they_say(
            acts in proptest::collection::vec((any::<bool>(), source(), 0_u64..20), 0..200),
        ) {
            let settings = Settings::default();
            let (mut health, mut now, mut was_in) = (Health::default(), at(0), true);
            for (well, source, seconds) in acts {
                now += at(seconds);
                let change = if well {
                    health.succeeded(source, now, &settings)
                } else {
                    health.failed(source, now, &settings)
                };
                let is_in = health.standing() == Standing::In;
                let expected = match (was_in, is_in) {
                    (true, false) => Some(Change::WentOut),
                    (false, true) => Some(Change::CameBack),
                    _ => None,
                };
                prop_assert_eq!(change, expected);
                was_in = is_in;
            }
        }

        #[test]
        fn who_answers_from_now_on_is_in_after_the_longest_pause(
            acts in proptest::collection::vec((any::<bool>(), source()), 0..100),
        ) {
            let settings = Settings::default();
            let (mut health, mut now) = (Health::default(), at(0));
            for (well, source) in acts {
                now += at(3);
                if well {
                    health.succeeded(source, now, &settings);
                } else {
                    health.failed(source, now, &settings);
                }
            }
            now += settings.pause() * PAUSES_MAX;
            for _ in 0..settings.successes {
                health.succeeded(Source::Check, now, &settings);
            }
            prop_assert_eq!(health.standing(), Standing::In);
        }
    }
}
