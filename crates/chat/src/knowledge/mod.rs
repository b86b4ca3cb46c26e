//! Reads documents: bytes and a media type become a title, readable text and the passages that can be found in it.
//!
//! Everything here is a pure function of its input, and its input may be hostile: no reader recurses, so that nesting
//! cannot exhaust the stack, and each works in one pass.

mod chunk;
mod html;
mod markdown;
mod outline;
mod text;

use chat_api::MediaType;

pub use chunk::{CHUNK_CHARS, CHUNKS, Chunk};
pub use outline::{HEADING_CHARS, TITLE_CHARS};

use outline::Outline;

/// A document that was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Readable {
    /// The title that the document gives itself, if it does.
    pub title: Option<String>,
    /// The text as a person reads it: no markup, no control characters but line breaks and tabs.
    pub text: String,
    /// The passages, in the order of the text and without overlap.
    pub chunks: Vec<Chunk>,
}

impl std::fmt::Debug for Readable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readable")
            .field("bytes", &self.text.len())
            .field("chunks", &self.chunks.len())
            .finish()
    }
}

/// Why a document cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It holds bytes that are not UTF-8.
    #[error("the document is not UTF-8 text (byte {0}); convert it, for instance with iconv")]
    NotUtf8(usize),
    /// It holds a zero byte, which no text does.
    #[error("the document is binary, not text (byte {0} is zero)")]
    Binary(usize),
    /// There is nothing to read in it.
    #[error("the document holds no text that could be read")]
    Empty,
    /// It has more than [`CHUNKS`] passages.
    #[error("the document has more than {CHUNKS} passages; divide it into several")]
    TooManyChunks,
}

/// Reads a document.
///
/// # Errors
/// As [`Unreadable`] lists.
pub fn read(bytes: &[u8], media_type: MediaType) -> Result<Readable, Unreadable> {
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err(Unreadable::Binary(at));
    }
    let source =
        std::str::from_utf8(bytes).map_err(|error| Unreadable::NotUtf8(error.valid_up_to()))?;
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let mut outline = Outline::default();
    match media_type {
        MediaType::Markdown => markdown::read(source, &mut outline),
        MediaType::Html => html::read(source, &mut outline),
        MediaType::Text => text::read(source, &mut outline),
    }
    let chunks = chunk::divide(&outline)?;
    if chunks.is_empty() {
        return Err(Unreadable::Empty);
    }
    Ok(Readable {
        title: outline.title().map(str::to_owned),
        text: outline.into_text(),
        chunks,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    const ALL: [MediaType; 3] = [MediaType::Markdown, MediaType::Html, MediaType::Text];

    fn holds(readable: &Readable) {
        let mut end = 0;
        for chunk in &readable.chunks {
            assert!(
                chunk.start >= end && chunk.end > chunk.start,
                "{chunk:?} after {end}"
            );
            end = chunk.end;
            let text = readable.text.get(chunk.start..chunk.end).unwrap();
            assert!(text.chars().count() <= CHUNK_CHARS);
            assert!(!text.trim().is_empty());
            assert_eq!(text.trim(), text);
            assert!(chunk.heading.chars().count() <= HEADING_CHARS);
        }
        assert!(
            !readable
                .text
                .chars()
                .any(|c| c.is_control() && c != '\n' && c != '\t')
        );
        assert!(
            readable
                .title
                .as_ref()
                .is_none_or(|title| !title.is_empty() && title.chars().count() <= TITLE_CHARS)
        );
    }

    fn markup() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("# ".to_owned()),
            Just("\n\n".to_owned()),
            Just("\n".to_owned()),
            Just("- ".to_owned()),
            Just("1. ".to_owned()),
            Just("```\n".to_owned()),
            Just("| a | b |\n|---|---|\n".to_owned()),
            Just("<h2>".to_owned()),
            Just("</h2>".to_owned()),
            Just("<script>".to_owned()),
            Just("</script>".to_owned()),
            Just("<p>".to_owned()),
            Just("<pre>".to_owned()),
            Just("</pre>".to_owned()),
            Just("<li>".to_owned()),
            Just("<nav>".to_owned()),
            Just("</nav>".to_owned()),
            Just("<title>".to_owned()),
            Just("<td>".to_owned()),
            Just("<!--".to_owned()),
            Just("-->".to_owned()),
            Just("&amp;".to_owned()),
            Just("> ".to_owned()),
            Just("[a](b)".to_owned()),
            Just("---\n".to_owned()),
            Just("===\n".to_owned()),
            Just("é".repeat(700)),
            "[ a-zA-Zäé.!?\t]{1,40}",
            ".{0,6}",
        ];
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            for media_type in ALL {
                if let Ok(readable) = read(&bytes, media_type) {
                    holds(&readable);
                }
            }
        }

        #[test]
        fn arbitrary_markup_is_divided_within_bounds(source in markup()) {
            for media_type in ALL {
                if let Ok(readable) = read(source.as_bytes(), media_type) {
                    holds(&readable);
                }
            }
        }

        #[test]
        fn no_word_of_a_plain_text_is_lost(words in prop::collection::vec("[a-z]{1,12}", 1..400)) {
            let source = words.join(" ");
            let readable = read(source.as_bytes(), MediaType::Text).unwrap();
            let found: Vec<&str> = readable
                .chunks
                .iter()
                .flat_map(|chunk| readable.text[chunk.start..chunk.end].split_whitespace())
                .collect();
            prop_assert_eq!(found, words);
        }
    }

    #[test]
    fn what_is_not_text_is_refused_with_the_reason() {
        assert_eq!(
            read(b"%PDF-1.7\n\xe2\xe3", MediaType::Text),
            Err(Unreadable::NotUtf8(9))
        );
        assert_eq!(
            read(b"MZ\0\x01", MediaType::Markdown),
            Err(Unreadable::Binary(2))
        );
        assert_eq!(read(b"", MediaType::Markdown), Err(Unreadable::Empty));
        assert_eq!(read(b" \n\t\n", MediaType::Text), Err(Unreadable::Empty));
        assert_eq!(
            read(b"<script>alert(1)</script>", MediaType::Html),
            Err(Unreadable::Empty)
        );
    }

    #[test]
    fn a_byte_order_mark_is_no_text() {
        assert_eq!(
            read("\u{feff}# A\n\nb".as_bytes(), MediaType::Markdown)
                .unwrap()
                .title
                .as_deref(),
            Some("A")
        );
    }

    #[test]
    fn too_many_passages_are_refused() {
        let source = "# a\n".repeat(CHUNKS + 1);
        assert_eq!(
            read(source.as_bytes(), MediaType::Markdown),
            Err(Unreadable::TooManyChunks)
        );
    }

    /// Nesting of a kind that overflows recursive readers, at a size that shows quadratic ones.
    #[test]
    fn deep_nesting_is_read_in_one_pass() {
        const DEPTH: usize = 40_000;
        for (source, media_type) in [
            ("<div>".repeat(DEPTH) + "word", MediaType::Html),
            ("<b><p>".repeat(DEPTH) + "word", MediaType::Html),
            ("<ul><li>".repeat(DEPTH) + "word", MediaType::Html),
            ("<table><tr><td>".repeat(DEPTH) + "word", MediaType::Html),
            (">".repeat(DEPTH) + " word", MediaType::Markdown),
            ("[".repeat(DEPTH) + "word", MediaType::Markdown),
            ("*a **b ".repeat(DEPTH), MediaType::Markdown),
            ("`".repeat(DEPTH) + "word", MediaType::Markdown),
            ("![[](".repeat(DEPTH) + "word", MediaType::Markdown),
            ("a.".to_owned() + &" ".repeat(DEPTH) + "b", MediaType::Text),
            ("a. ".repeat(DEPTH) + &"1".repeat(DEPTH), MediaType::Text),
            (
                "<pre>a.".to_owned() + &" ".repeat(DEPTH) + "b",
                MediaType::Html,
            ),
        ] {
            let began = std::time::Instant::now();
            if let Ok(readable) = read(source.as_bytes(), media_type) {
                holds(&readable);
            }
            let took = began.elapsed();
            assert!(took.as_secs() < 10, "{:?} took {took:?}", &source[..12]);
        }
    }
}
