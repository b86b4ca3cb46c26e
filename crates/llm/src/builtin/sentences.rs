//! Splits running text into sentences.

use unicode_segmentation::UnicodeSegmentation as _;

/// Abbreviations that a sentence hardly ends with. UAX #29 breaks after them when a capital follows.
const ABBREVIATIONS: &[&str] = &[
    "e.g.", "i.e.", "etc.", "cf.", "vs.", "approx.", "No.", "Nr.", "Mr.", "Mrs.", "Ms.", "Dr.",
    "Prof.", "St.", "Sr.", "Sra.", "Inc.", "Ltd.", "z.B.", "z. B.", "d.h.", "d. h.", "bzw.", "ca.",
    "usw.", "u.a.", "Abs.", "p.ex.", "M.", "Mme.", "p. ej.",
];

/// The sentences of a paragraph, trimmed, in order (UAX #29, with sentences joined that an abbreviation has parted).
pub(super) fn sentences(text: &str) -> Vec<&str> {
    // Without a stop before its end there is but one sentence.
    let stops = |byte: &u8| matches!(byte, b'.' | b'!' | b'?') || !byte.is_ascii();
    let last = text.trim_end().len().saturating_sub(1);
    if !text.as_bytes()[..last].iter().any(stops) {
        return if text.trim().is_empty() {
            Vec::new()
        } else {
            vec![text.trim()]
        };
    }
    let mut found = Vec::new();
    let mut start = 0;
    for (at, piece) in text.split_sentence_bound_indices() {
        let end = at + piece.len();
        let sentence = &text[start..end];
        // A line break inside a paragraph ends a sentence for UAX #29 and not for us.
        let open = piece.ends_with('\n') && !ends_sentence(piece.trim_end());
        // "6.2." belongs to what it numbers.
        let number = !sentence.contains(char::is_alphabetic);
        if open
            || number
            || ABBREVIATIONS
                .iter()
                .any(|short| ends_with_word(sentence.trim_end(), short))
        {
            continue;
        }
        push(&mut found, sentence);
        start = end;
    }
    push(&mut found, &text[start..]);
    found
}

fn push<'a>(found: &mut Vec<&'a str>, sentence: &'a str) {
    let sentence = sentence.trim();
    if !sentence.is_empty() {
        found.push(sentence);
    }
}

/// Whether a text ends like a sentence.
pub(super) fn ends_sentence(piece: &str) -> bool {
    piece
        .trim_end_matches(['"', '\'', '”', '’', '»', ')', '*', '_', '`'])
        .ends_with(['.', '!', '?', '…', '。', '！', '？'])
}

fn ends_with_word(sentence: &str, word: &str) -> bool {
    sentence
        .strip_suffix(word)
        .is_some_and(|before| !before.ends_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sentences_end_where_readers_expect() {
        assert_eq!(sentences("One. Two? Three!"), ["One.", "Two?", "Three!"]);
        assert_eq!(
            sentences("Use a tool, e.g. Casemate. It works."),
            ["Use a tool, e.g. Casemate.", "It works."]
        );
        assert_eq!(
            sentences("A line\nand its rest. Next"),
            ["A line\nand its rest.", "Next"]
        );
        assert_eq!(
            sentences("Ends here.\nNext line"),
            ["Ends here.", "Next line"]
        );
        assert_eq!(
            sentences("Version 2.5 of casemate.toml is out."),
            ["Version 2.5 of casemate.toml is out."]
        );
        assert_eq!(
            sentences("6.2. What is it? 1. This."),
            ["6.2. What is it?", "1. This."]
        );
        assert_eq!(sentences("  "), [""; 0]);
        assert_eq!(sentences("返金。交換。"), ["返金。", "交換。"]);
    }

    proptest! {
        #[test]
        fn no_letter_is_lost(text in any::<String>()) {
            let whole: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
            let parts: String = sentences(&text).concat().chars().filter(|letter| !letter.is_whitespace()).collect();
            prop_assert_eq!(parts, whole);
        }
    }
}
