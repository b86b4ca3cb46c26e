//! A measured figure beside the bar that it must clear.

use serde_json::{Value, json};

/// What a figure must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bar {
    /// Nothing is promised: it is told, and always holds.
    Told,
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

/// A measured figure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    bar: Bar,
}

impl Figure {
    /// `value` in `unit`, against `bar` in the same unit.
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str, bar: Bar) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            bar,
        }
    }

    /// Whether the figure clears its bar. One that is no number clears none.
    pub(crate) fn holds(&self) -> bool {
        match self.bar {
            Bar::Told => true,
            Bar::AtLeast(least) => self.value >= least,
            Bar::AtMost(most) => self.value <= most,
        }
    }

    fn verdict(&self) -> &'static str {
        match self.bar {
            Bar::Told => "",
            _ if self.holds() => "holds",
            _ => "short",
        }
    }
}

/// A number with as many digits as it deserves.
fn number(value: f64) -> String {
    if value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// `name  value  bar  holds|short`, one line a figure; the last two are empty where nothing is promised.
pub(super) fn table(figures: &[Figure]) -> String {
    let rows: Vec<[String; 4]> = figures
        .iter()
        .map(|figure| {
            let with_unit = |value| {
                format!("{} {}", number(value), figure.unit)
                    .trim()
                    .to_owned()
            };
            let bar = match figure.bar {
                Bar::Told => String::new(),
                Bar::AtLeast(least) => format!("≥ {}", with_unit(least)),
                Bar::AtMost(most) => format!("≤ {}", with_unit(most)),
            };
            [
                figure.name.clone(),
                with_unit(figure.value),
                bar,
                figure.verdict().to_owned(),
            ]
        })
        .collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let (names, values, bars) = (width(0), width(1), width(2));
    rows.iter()
        .map(|[name, value, bar, verdict]| {
            let line = format!("{name:<names$}  {value:>values$}  {bar:<bars$}  {verdict}");
            line.trim_end().to_owned() + "\n"
        })
        .collect()
}

/// The same for programs.
pub(super) fn json(bench: &str, figures: &[Figure]) -> String {
    let figures: Vec<Value> = figures
        .iter()
        .map(|figure| {
            let (kind, bar) = match figure.bar {
                Bar::Told => (Value::Null, Value::Null),
                Bar::AtLeast(least) => (json!("at least"), json!(least)),
                Bar::AtMost(most) => (json!("at most"), json!(most)),
            };
            json!({
                "name": figure.name, "value": figure.value, "unit": figure.unit,
                "bar": bar, "bar_is": kind, "holds": figure.holds(),
            })
        })
        .collect();
    let holds = figures.iter().all(|figure| figure["holds"] == true);
    json!({ "bench": bench, "figures": figures, "holds": holds }).to_string()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn bars_are_cleared_from_the_right_side_and_not_by_nonsense() {
        let holds = |value, bar| Figure::new("", value, "", bar).holds();
        assert!(holds(5.0, Bar::AtLeast(5.0)) && !holds(4.9, Bar::AtLeast(5.0)));
        assert!(holds(5.0, Bar::AtMost(5.0)) && !holds(5.1, Bar::AtMost(5.0)));
        for bar in [Bar::AtLeast(0.0), Bar::AtMost(9.0)] {
            assert!(!holds(f64::NAN, bar));
        }
        assert!(holds(f64::NAN, Bar::Told));
    }

    #[test]
    fn the_table_lines_up_and_says_holds_or_short() {
        let figures = [
            Figure::new("turns per CPU-second", 1234.5, "", Bar::AtLeast(1000.0)),
            Figure::new("memory", 81.25, "MB", Bar::AtMost(60.0)),
            Figure::new("first word", 3.0, "ms", Bar::Told),
        ];
        assert_eq!(
            table(&figures),
            "turns per CPU-second     1234  ≥ 1000     holds\n\
             memory                81.2 MB  ≤ 60.0 MB  short\n\
             first word            3.00 ms\n"
        );
        let parsed: Value = serde_json::from_str(&json("turn", &figures)).unwrap();
        assert_eq!(parsed["holds"], false);
        assert_eq!(parsed["figures"][0]["bar_is"], "at least");
        assert_eq!(parsed["figures"][2]["bar"], Value::Null);
    }
}
