//! From what was seen in each round to figures.

use std::collections::BTreeSet;

use super::figure::{Bar, Figure};
use super::load::Load;
use super::usage::{Memory, Processor};

/// One service under load, once.
#[derive(Debug, Clone)]
pub(super) struct Round {
    /// What the visitors saw.
    pub(super) load: Load,
    /// What was taken meanwhile, by service.
    pub(super) processor: Processor,
}

impl Round {
    fn turns_per_second(&self) -> f64 {
        self.load.turns / self.load.seconds
    }

    /// All turns count here, since the processor time is that of all.
    fn turns_per_cpu_second(&self) -> f64 {
        let taken: f64 = self.processor.values().map(|time| time.as_secs_f64()).sum();
        self.load.all_turns / taken
    }

    /// Microseconds of processor time that `service` took for a turn.
    fn micros_per_turn(&self, service: &str) -> f64 {
        let taken = self.processor.get(service).copied().unwrap_or_default();
        taken.as_secs_f64() * 1e6 / self.load.all_turns
    }
}

/// The middle of the values, or the mean of the two in the middle; no number without values.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
    let lower = values
        .get(values.len().wrapping_sub(1) / 2)
        .copied()
        .unwrap_or(f64::NAN);
    f64::midpoint(lower, upper)
}

/// The median of one value of each round.
fn middle(rounds: &[Round], value: impl Fn(&Round) -> f64) -> f64 {
    median(rounds.iter().map(value))
}

/// The median of turns for each second of processor time.
pub(super) fn turns_per_cpu_second(rounds: &[Round]) -> f64 {
    middle(rounds, Round::turns_per_cpu_second)
}

/// The median of turns for each second.
pub(super) fn turns_per_second(rounds: &[Round]) -> f64 {
    middle(rounds, Round::turns_per_second)
}

/// The figures of one service: medians over its rounds, errors in sum.
pub(super) fn figures(name: &str, rounds: &[Round]) -> Vec<Figure> {
    let millis = |value: fn(&Load) -> Option<f64>| {
        middle(rounds, |round| value(&round.load).unwrap_or(f64::NAN))
    };
    let told =
        |what: &str, value, unit| Figure::new(format!("{name}: {what}"), value, unit, Bar::Told);
    let mut figures = vec![
        told("turns per second", turns_per_second(rounds), ""),
        told("turns per CPU-second", turns_per_cpu_second(rounds), ""),
        told(
            "first token, p50",
            millis(|load| load.first_token_ms.p50),
            "ms",
        ),
        told(
            "first token, p99",
            millis(|load| load.first_token_ms.p99),
            "ms",
        ),
        told(
            "whole answer, p50",
            millis(|load| load.complete_ms.p50),
            "ms",
        ),
        told(
            "whole answer, p99",
            millis(|load| load.complete_ms.p99),
            "ms",
        ),
    ];
    let services: BTreeSet<_> = rounds
        .iter()
        .flat_map(|round| round.processor.keys())
        .collect();
    for service in services {
        let micros = middle(rounds, |round| round.micros_per_turn(service));
        // What only idled meanwhile is not told.
        if micros >= 1.0 {
            figures.push(told(&format!("CPU of {service} a turn"), micros, "µs"));
        }
    }
    let errors: f64 = rounds.iter().map(|round| round.load.errors).sum();
    figures.push(Figure::new(
        format!("{name}: errors"),
        errors,
        "",
        Bar::AtMost(0.0),
    ));
    figures
}

/// The memory of each, in mebibytes; returns the sum as well, which leaves out what `uncounted` names.
pub(super) fn memory(name: &str, memory: &Memory, uncounted: &str) -> (Vec<Figure>, f64) {
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52 bytes")]
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let told = |what: &str, value| {
        Figure::new(
            format!("{name}: memory of {what}, PSS"),
            value,
            "MiB",
            Bar::Told,
        )
    };
    let counted = memory.iter().filter(|(service, _)| *service != uncounted);
    let sum = mebibytes(counted.map(|(_, bytes)| bytes).sum());
    let mut figures: Vec<_> = memory
        .iter()
        .map(|(service, bytes)| {
            if service == uncounted {
                told(&format!("{service} (not in the sum)"), mebibytes(*bytes))
            } else {
                told(service, mebibytes(*bytes))
            }
        })
        .collect();
    figures.push(told("all", sum));
    (figures, sum)
}

#[cfg(test)]
mod tests {
    use super::super::load::Times;
    use super::*;
    use std::time::Duration;

    fn round(turns: f64, cpu_millis: u64) -> Round {
        let times = Times {
            p50: Some(turns),
            p99: None,
        };
        Round {
            load: Load {
                turns,
                all_turns: turns * 2.0,
                seconds: 2.0,
                errors: 1.0,
                first_error: None,
                first_token_ms: times,
                complete_ms: times,
            },
            processor: [
                ("gate".to_owned(), Duration::from_millis(cpu_millis)),
                ("keys".to_owned(), Duration::from_nanos(1)),
            ]
            .into(),
        }
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(
            median([3.0, 1.0, 2.0].into_iter()).to_bits(),
            2_f64.to_bits()
        );
        assert_eq!(median([4.0, 1.0].into_iter()).to_bits(), 2.5_f64.to_bits());
        assert!(median(std::iter::empty()).is_nan());
    }

    #[test]
    fn figures_are_medians_and_errors_a_sum() {
        let rounds = [round(100.0, 1000), round(400.0, 1000), round(200.0, 1000)];
        let table = super::super::figure::table(&figures("x", &rounds));
        let lines: Vec<_> = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        for line in [
            "x: turns per second 100",
            "x: turns per CPU-second 400",
            "x: CPU of gate a turn 2500 µs",
            "x: errors 3.00 ≤ 0.00 short",
        ] {
            assert!(
                lines.iter().any(|seen| seen == line),
                "{line} is not in\n{table}"
            );
        }
        assert!(!table.contains("keys"), "{table}");
    }

    #[test]
    fn what_is_uncounted_is_told_and_not_in_the_sum() {
        let taken: Memory = [("gate".into(), 3 << 20), ("journal".into(), 5 << 20)].into();
        let (figures, sum) = memory("x", &taken, "journal");
        assert_eq!((figures.len(), sum.to_bits()), (3, 3_f64.to_bits()));
    }
}
