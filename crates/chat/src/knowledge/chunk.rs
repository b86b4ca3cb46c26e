//! Divides a document's text into passages.

use unicode_segmentation::UnicodeSegmentation as _;

use super::Unreadable;
use super::outline::{Outline, Part};

/// Most characters of a passage: several paragraphs, and short enough that a handful fits into a prompt.
pub const CHUNK_CHARS: usize = 1000;

/// Most passages of one document.
pub const CHUNKS: usize = 20_000;

/// A passage: where it stands in the text, and under which headings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The headings that it stands under, outermost first, without the document's title.
    pub heading: String,
    /// Its first byte in the text.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

/// Divides the text: no passage crosses a heading, and none is longer than [`CHUNK_CHARS`]. Blocks stay whole where they
/// fit, sentences where blocks do not, words where sentences do not.
///
/// # Errors
/// [`Unreadable::TooManyChunks`].
pub(super) fn divide(outline: &Outline) -> Result<Vec<Chunk>, Unreadable> {
    let mut divider = Divider {
        text: outline.text(),
        heading: "",
        open: None,
        chunks: Vec::new(),
    };
    let parts = outline.parts();
    for (at, part) in parts.iter().enumerate() {
        match part {
            Part::Heading { level, path, range } => {
                divider.close()?;
                divider.heading = path;
                // A heading with nothing under it says what it says by itself.
                let bare = match parts.get(at + 1) {
                    None => true,
                    Some(Part::Heading { level: next, .. }) => next <= level,
                    Some(Part::Block(_)) => false,
                };
                if bare {
                    divider.add(range.start, range.end)?;
                }
            }
            Part::Block(range) => divider.block(range.start, range.end)?,
        }
    }
    divider.close()?;
    Ok(divider.chunks)
}

struct Divider<'a> {
    text: &'a str,
    heading: &'a str,
    /// The passage that is being filled: first byte, byte after its last, characters.
    open: Option<(usize, usize, usize)>,
    chunks: Vec<Chunk>,
}

impl Divider<'_> {
    fn block(&mut self, start: usize, end: usize) -> Result<(), Unreadable> {
        if self.chars(start, end) <= CHUNK_CHARS {
            return self.add(start, end);
        }
        let text = self.text;
        for (at, sentence) in sentences(&text[start..end]) {
            let (from, to) = (start + at, start + at + sentence.len());
            if self.chars(from, to) <= CHUNK_CHARS {
                self.add(from, to)?;
            } else {
                self.sentence(from, to)?;
            }
        }
        Ok(())
    }

    fn sentence(&mut self, start: usize, end: usize) -> Result<(), Unreadable> {
        let text = self.text;
        for (at, word) in text[start..end].split_word_bound_indices() {
            let (mut from, to) = (start + at, start + at + word.len());
            // Not counted as a whole each time: a word may be as long as the document.
            while from < to {
                let cut = from + super::outline::cut(&text[from..to], CHUNK_CHARS).len();
                self.add(from, cut)?;
                from = cut;
            }
        }
        Ok(())
    }

    /// Adds a piece of at most [`CHUNK_CHARS`] to the passage, or begins the next with it.
    fn add(&mut self, start: usize, end: usize) -> Result<(), Unreadable> {
        if let Some((first, last, chars)) = self.open {
            let more = self.chars(last, end);
            if chars + more <= CHUNK_CHARS {
                self.open = Some((first, end, chars + more));
                return Ok(());
            }
            self.close()?;
        }
        self.open = Some((start, end, self.chars(start, end)));
        Ok(())
    }

    fn close(&mut self) -> Result<(), Unreadable> {
        let Some((start, end, _)) = self.open.take() else {
            return Ok(());
        };
        let text = &self.text[start..end];
        let start = start + (text.len() - text.trim_start().len());
        let end = start + text.trim().len();
        if start == end {
            return Ok(());
        }
        if self.chunks.len() == CHUNKS {
            return Err(Unreadable::TooManyChunks);
        }
        self.chunks.push(Chunk {
            heading: self.heading.to_owned(),
            start,
            end,
        });
        Ok(())
    }

    fn chars(&self, start: usize, end: usize) -> usize {
        self.text[start..end].chars().count()
    }
}

/// The sentences of a text with what is blank behind each, and where they begin. One pass over any text: the rules of
/// Unicode UAX #29 look ahead from each full stop, which a document of full stops and blanks makes quadratic.
fn sentences(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let at = start;
        start += sentence_end(rest);
        Some((at, &text[at..start]))
    })
}

/// The byte after the first sentence of a text and what is blank behind it.
fn sentence_end(text: &str) -> usize {
    let (mut after_mark, mut behind) = (false, false);
    for (at, c) in text.char_indices() {
        if c.is_whitespace() {
            behind |= after_mark || c == '\n';
            continue;
        }
        if behind {
            return at;
        }
        // These end a sentence without a blank behind them.
        behind = matches!(c, '。' | '！' | '？');
        after_mark = matches!(c, '.' | '!' | '?' | '…')
            || (after_mark && matches!(c, ')' | ']' | '"' | '\'' | '”' | '’' | '»'));
    }
    text.len()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn divided(fill: impl Fn(&mut Outline)) -> Vec<(String, String)> {
        let mut outline = Outline::default();
        fill(&mut outline);
        let chunks = divide(&outline).unwrap();
        chunks
            .into_iter()
            .map(|chunk| {
                (
                    chunk.heading,
                    outline.text()[chunk.start..chunk.end].to_owned(),
                )
            })
            .collect()
    }

    #[test]
    fn blocks_under_one_heading_share_a_passage() {
        let chunks = divided(|outline| {
            outline.heading(1, "Shop");
            outline.block("We sell tea.");
            outline.heading(2, "Refunds");
            outline.block("Five days.");
            outline.line("- by card");
            outline.line("- by bank");
            outline.heading(2, "Empty");
        });
        let expected = [
            ("", "We sell tea."),
            ("Refunds", "Five days.\n\n- by card\n- by bank"),
            ("Empty", "Empty"),
        ];
        assert_eq!(
            chunks,
            expected.map(|(heading, text)| (heading.to_owned(), text.to_owned()))
        );
    }

    #[test]
    fn sentences_end_at_marks_and_line_breaks() {
        let text = "It costs 3.50 (or so.) Yes!  \"No.\" A\nb。c";
        let found: Vec<&str> = sentences(text).map(|(_, sentence)| sentence).collect();
        assert_eq!(
            found,
            [
                "It costs 3.50 (or so.) ",
                "Yes!  ",
                "\"No.\" ",
                "A\n",
                "b。",
                "c"
            ]
        );
        assert_eq!(found.concat(), text);
    }

    #[test]
    fn a_long_block_is_divided_between_sentences() {
        let sentence = "This sentence has some fifty characters in it, yes. ";
        let chunks = divided(|outline| outline.block(&sentence.repeat(50)));
        assert!(chunks.len() > 1);
        assert!(
            chunks
                .iter()
                .all(|(_, text)| text.ends_with("yes.") && text.starts_with("This"))
        );
    }

    #[test]
    fn a_word_longer_than_a_passage_is_divided_between_characters() {
        let chunks = divided(|outline| outline.block(&"é".repeat(CHUNK_CHARS * 2 + 1)));
        let lengths: Vec<usize> = chunks
            .iter()
            .map(|(_, text)| text.chars().count())
            .collect();
        assert_eq!(lengths, [CHUNK_CHARS, CHUNK_CHARS, 1]);
    }
}
