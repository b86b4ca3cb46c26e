//! Splits a passage into its blocks: paragraphs, list items, and lines that stand for themselves.
//!
//! A passage is readable text: its markup is gone, and what is left of its structure are blank lines between blocks, one
//! line for each item of a list or row of a table, and the line breaks of code.

use super::sentences::ends_sentence;

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Running text.
    Paragraph,
    /// One item of a list.
    Item,
    /// Code, a command, rows of a table: quoted as they stand.
    Lines,
}

/// A block as a piece of the passage's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    /// What it is.
    pub(super) kind: Kind,
    /// Its text, without an item's marker; the line breaks inside are still in it.
    pub(super) text: &'a str,
}

/// The blocks of a passage, in order.
pub(super) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() {
            group(&text[start..at], &mut blocks);
            start = at + line.len();
        }
        at += line.len();
    }
    group(&text[start..], &mut blocks);
    blocks
}

/// The blocks among lines that no blank line parts.
fn group<'a>(text: &'a str, blocks: &mut Vec<Block<'a>>) {
    let (mut start, mut at) = (0, 0);
    let mut kind = None;
    for line in text.split_inclusive('\n') {
        let inner = line.trim_start();
        if let Some(marker) = marker(inner) {
            push(kind, &text[start..at], blocks);
            kind = Some(Kind::Item);
            start = at + (line.len() - inner.len()) + marker;
        }
        at += line.len();
    }
    push(kind, &text[start..], blocks);
}

fn push<'a>(kind: Option<Kind>, text: &'a str, blocks: &mut Vec<Block<'a>>) {
    let text = text.trim();
    if !text.is_empty() {
        let kind = kind.unwrap_or_else(|| {
            if is_prose(text) {
                Kind::Paragraph
            } else {
                Kind::Lines
            }
        });
        blocks.push(Block { kind, text });
    }
}

/// Prose ends like a sentence, or has an end of a sentence in it.
fn is_prose(text: &str) -> bool {
    ends_sentence(text)
        || text.ends_with([':', '：', ';', ','])
        || text.contains(". ")
        || text.contains('。')
}

/// The length of a list item's marker.
fn marker(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    if let Some(rest) = line.strip_prefix('•') {
        return rest.starts_with(' ').then_some('•'.len_utf8());
    }
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let marker = match (digits, bytes.get(digits)?) {
        (0, b'-' | b'*' | b'+') => 1,
        (1..=4, b'.' | b')') => digits + 1,
        _ => return None,
    };
    bytes.get(marker)?.is_ascii_whitespace().then_some(marker)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        blocks(text)
            .into_iter()
            .map(|block| (block.kind, block.text))
            .collect()
    }

    #[test]
    fn readable_text_falls_into_its_blocks() {
        let text = "One command\nadds them:\n\ncasemate knowledge add shop \\\n  faq.md | tee log\n\n- Markdown\n- plain\n  text\n1. first\n\n\
                    Key | Meaning\na | one\n\nThe end.\n";
        assert_eq!(
            kinds(text),
            [
                (Kind::Paragraph, "One command\nadds them:"),
                (
                    Kind::Lines,
                    "casemate knowledge add shop \\\n  faq.md | tee log"
                ),
                (Kind::Item, "Markdown"),
                (Kind::Item, "plain\n  text"),
                (Kind::Item, "first"),
                (Kind::Lines, "Key | Meaning\na | one"),
                (Kind::Paragraph, "The end."),
            ]
        );
    }

    #[test]
    fn what_is_no_marker_is_text() {
        assert_eq!(
            kinds("-x is an option.\n2.5 is a number."),
            [(Kind::Paragraph, "-x is an option.\n2.5 is a number.")]
        );
        assert_eq!(kinds(" \n\n\t\n"), []);
    }

    proptest! {
        #[test]
        fn blocks_are_in_order_and_hold_each_letter_once(text in "([•|*` \\-\n1.]|[a-zé]){0,120}") {
            let mut end = text.as_ptr() as usize;
            for block in blocks(&text) {
                let start = block.text.as_ptr() as usize;
                prop_assert!(start >= end);
                prop_assert!(!block.text.trim().is_empty());
                end = start + block.text.len();
            }
            prop_assert!(end <= text.as_ptr() as usize + text.len());
        }

        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let letters = |text: &str| text.chars().filter(|letter| letter.is_alphabetic()).count();
            prop_assert_eq!(blocks(&text).iter().map(|block| letters(block.text)).sum::<usize>(), letters(&text));
        }
    }
}
