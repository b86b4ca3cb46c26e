//! Pure: a counter's reading, and the text in which it is handed from one unit to another.

use std::fmt;
use std::str::FromStr;

/// What the text form begins with; the digit is its version.
const PREFIX: &str = "count1";
/// Longest text form in bytes: an index of 8 digits, two numbers of at most 20, what is between.
pub const COUNT_TEXT_BYTES: usize = PREFIX.len() + 3 + 8 + 2 * 20;

/// What a counter says. Index and first value together name one counter: a TPM gives every
/// counter that is made a first value higher than any counter ever had.
///
/// Its text form (`Display`, `FromStr`) is `count1-INDEX-FIRST-VALUE`: the index in eight
/// hexadecimal digits, the others in decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Count {
    /// The NV index, in the TPM's numbering of handles.
    pub index: u32,
    /// Its first value, which it had when it was made.
    pub first: u64,
    /// Its value.
    pub value: u64,
}

impl Count {
    /// As it is after the next step.
    #[must_use]
    pub fn next(self) -> Self {
        let value = self.value.saturating_add(1);
        Self { value, ..self }
    }

    /// Whether both are readings of one counter.
    #[must_use]
    pub fn is_of(self, other: Self) -> bool {
        (self.index, self.first) == (other.index, other.first)
    }

    /// Whether it never moved since it was made.
    #[must_use]
    pub fn is_new(self) -> bool {
        self.value == self.first
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            index,
            first,
            value,
        } = self;
        write!(f, "{PREFIX}-{index:08x}-{first}-{value}")
    }
}

/// A text that is no reading of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no reading of a TPM's counter, which begins with \"count1-\" and has four parts")]
pub struct CountError;

impl FromStr for Count {
    type Err = CountError;

    /// Reads the text form. Of each reading there is one text alone.
    fn from_str(text: &str) -> Result<Self, CountError> {
        if text.len() > COUNT_TEXT_BYTES {
            return Err(CountError);
        }
        let rest = text
            .strip_prefix(PREFIX)
            .and_then(|it| it.strip_prefix('-'));
        let mut parts = rest.ok_or(CountError)?.split('-');
        let mut part = || parts.next().ok_or(CountError);
        let index = u32::from_str_radix(part()?, 16).map_err(|_| CountError)?;
        let first = part()?.parse().map_err(|_| CountError)?;
        let value = part()?.parse().map_err(|_| CountError)?;
        let count = Self {
            index,
            first,
            value,
        };
        // Leading zeros, signs, capitals and what follows are not of the form.
        if value < first || count.to_string() != text {
            return Err(CountError);
        }
        Ok(count)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_text_is_as_specified() {
        let count = Count {
            index: 0x0180_00ff,
            first: 12,
            value: 57,
        };
        assert_eq!(count.to_string(), "count1-018000ff-12-57");
        assert_eq!("count1-018000ff-12-57".parse(), Ok(count));
        for other in [
            "count1-018000FF-12-57",
            "count1-18000ff-12-57",
            "count1-018000ff-012-57",
            "count1-018000ff-12-+57",
            "count1-018000ff-12-57-",
            "count1-018000ff-12-57\n",
            "count1-018000ff-58-57",
            "count2-018000ff-12-57",
            "",
        ] {
            assert_eq!(other.parse::<Count>(), Err(CountError), "{other:?}");
        }
    }

    #[test]
    fn the_longest_text_fits() {
        let (first, value) = (u64::MAX, u64::MAX);
        let longest = Count {
            index: u32::MAX,
            first,
            value,
        };
        assert_eq!(longest.to_string().len(), COUNT_TEXT_BYTES);
        assert_eq!(longest.next(), longest);
    }

    proptest! {
        #[test]
        fn any_reading_survives(index: u32, first: u64, steps: u32) {
            let value = first.saturating_add(steps.into());
            let count = Count { index, first, value };
            prop_assert_eq!(count.to_string().parse::<Count>().unwrap(), count);
        }

        #[test]
        fn any_text_is_refused_or_the_one_that_is_written(text in "count1-[0-9a-f+-]{0,60}|\\PC{0,70}") {
            if let Ok(count) = text.parse::<Count>() {
                prop_assert_eq!(count.to_string(), text);
            }
        }
    }
}
