//! A visitor's text, before it is stored.

use chat_api::limits::MESSAGE_BYTES;

/// Why a text is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// There is nothing in it.
    #[error("The message is empty.")]
    Empty,
    /// It is too long.
    #[error("The message has {0} bytes; the most is {MESSAGE_BYTES}. Nothing of it was saved.")]
    TooLong(usize),
}

/// Makes a text fit to be stored and shown: line breaks are line feeds, other control characters but tabs go, and so do
/// blanks at its ends.
///
/// # Errors
/// When it is longer than [`MESSAGE_BYTES`], or nothing is left.
pub fn normalise(text: &str) -> Result<String, TextError> {
    if text.len() > MESSAGE_BYTES {
        return Err(TextError::TooLong(text.len()));
    }
    let mut kept = String::with_capacity(text.len());
    let mut after_return = false;
    for c in text.chars() {
        match c {
            '\n' if after_return => {}
            '\r' => kept.push('\n'),
            _ if printable(c) => kept.push(c),
            _ => {}
        }
        after_return = c == '\r';
    }
    let kept = kept.trim();
    if kept.is_empty() {
        Err(TextError::Empty)
    } else {
        Ok(kept.to_owned())
    }
}

/// Whether a character may stand in a message: no control character but line feed and tab.
#[must_use]
pub fn printable(c: char) -> bool {
    !c.is_control() || c == '\n' || c == '\t'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_go_and_line_breaks_stay() {
        assert_eq!(
            normalise(" a\r\nb\rc\n\u{0}\u{1b}[31m\td\u{85} "),
            Ok("a\nb\nc\n[31m\td".to_owned())
        );
        assert_eq!(normalise(" \r\n\u{7f}"), Err(TextError::Empty));
        assert_eq!(
            normalise(&"x".repeat(MESSAGE_BYTES + 1)),
            Err(TextError::TooLong(MESSAGE_BYTES + 1))
        );
    }

    proptest! {
        #[test]
        fn what_is_taken_stays_as_it_is(text in "(\r|\n|\t|.){0,60}") {
            if let Ok(kept) = normalise(&text) {
                prop_assert!(kept.len() <= text.len() && kept.chars().all(printable));
                prop_assert_eq!(normalise(&kept), Ok(kept.clone()));
            }
        }
    }
}
