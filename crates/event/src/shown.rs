//! Pure: makes a client's text fit for the journal.

use std::fmt;

/// How much of a text is written, in characters.
pub const SHOWN_CHARS: usize = 120;

/// A text as it is written: cut to [`SHOWN_CHARS`], and with `?` for whatever is
/// not printable ASCII, so that it can neither break a line nor paint a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        let printable = |char: char| char == ' ' || char.is_ascii_graphic();
        for char in self.0.chars().take(SHOWN_CHARS) {
            f.write_char(if printable(char) { char } else { '?' })?;
        }
        if self.0.chars().nth(SHOWN_CHARS).is_some() {
            f.write_str("...")?;
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
