//! Pure: makes a client's text fit for the journal.

use std::fmt;

/// How much of a text is written, in characters.
pub const SHOWN_CHARS: usize = 120;

/// A text as it is written: cut to [`SHOWN_CHARS`], and with `?` for whatever is
/// not printable ASCII, so that it can neither break a line nor paint a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(pub &'a str);

/// Ends a text that was cut.
const CUT: &str = "...";

const fn is_printable(byte: u8) -> bool {
    byte == b' ' || byte.is_ascii_graphic()
}

/// A text on the wire: written as it is shown, and not taken in any other form.
pub(crate) mod wired {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::{CUT, SHOWN_CHARS, Shown, is_printable};

    pub(crate) fn serialize<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&Shown(text))
    }

    pub(crate) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<&'a str, D::Error> {
        fit(<&str>::deserialize(from)?)
    }

    pub(crate) fn fit<E: serde::de::Error>(text: &str) -> Result<&str, E> {
        let whole = text.len() <= SHOWN_CHARS;
        let cut = text.len() == SHOWN_CHARS + CUT.len() && text.ends_with(CUT);
        if !(whole || cut) || !text.bytes().all(is_printable) {
            return Err(E::custom("a text that is too long, or not printable"));
        }
        Ok(text)
    }
}

/// As [`wired`], for a text that need not be there.
pub(crate) mod wired_option {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::{Shown, wired};

    pub(crate) fn serialize<S: Serializer>(text: &Option<&str>, to: S) -> Result<S::Ok, S::Error> {
        match text {
            Some(text) => to.serialize_some(&Collected(Shown(text))),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'a, D: Deserializer<'a>>(
        from: D,
    ) -> Result<Option<&'a str>, D::Error> {
        Option::<&str>::deserialize(from)?
            .map(wired::fit)
            .transpose()
    }

    struct Collected<'a>(Shown<'a>);

    impl serde::Serialize for Collected<'_> {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.collect_str(&self.0)
        }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        let printable = |char: char| u8::try_from(char).is_ok_and(is_printable);
        for char in self.0.chars().take(SHOWN_CHARS) {
            f.write_char(if printable(char) { char } else { '?' })?;
        }
        if self.0.chars().nth(SHOWN_CHARS).is_some() {
            f.write_str(CUT)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_plain_text_stays_as_it_is() {
        assert_eq!(Shown("chat.example:443").to_string(), "chat.example:443");
        assert_eq!(Shown("a\r\nb\u{1b}[31mé").to_string(), "a??b?[31m?");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_short_and_printable(text in any::<String>()) {
            let shown = Shown(&text).to_string();
            prop_assert!(shown.len() <= SHOWN_CHARS + 3);
            prop_assert!(shown.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }
}
