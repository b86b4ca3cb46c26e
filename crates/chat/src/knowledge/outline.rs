//! The readable text of a document while it is read: headings and the blocks under them.

use std::ops::Range;

/// Most characters of a title; the rest is cut.
pub const TITLE_CHARS: usize = 120;

/// Most characters of the headings that a passage stands under, all together; the rest is cut.
pub const HEADING_CHARS: usize = 200;

/// What stands between a heading and the one under it.
const HEADING_SEPARATOR: &str = " › ";

/// Levels of headings, as in HTML.
const LEVELS: usize = 6;

/// Part of the text, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A heading.
    Heading {
        /// 1 to [`LEVELS`].
        level: usize,
        /// Itself and the headings above it, without the document's title.
        path: String,
        /// Where it stands.
        range: Range<usize>,
    },
    /// A paragraph, a list's item, a table's row or a piece of code.
    Block(Range<usize>),
}

/// Collects a document's text.
#[derive(Default)]
pub(super) struct Outline {
    title: Option<String>,
    text: String,
    parts: Vec<Part>,
    /// The current heading of each level.
    headings: [Option<String>; LEVELS],
    /// Whether the last block was one line of several that belong together.
    in_lines: bool,
}

impl Outline {
    /// Says the title, if the document has not said one yet.
    pub(super) fn set_title(&mut self, title: &str) {
        let title = squeeze(title, TITLE_CHARS);
        if self.title.is_none() && !title.is_empty() {
            self.title = Some(title);
        }
    }

    /// A heading of this level, 1 being the outermost. The first outermost one is the title too, if there is none.
    pub(super) fn heading(&mut self, level: usize, text: &str) {
        let level = level.clamp(1, LEVELS);
        let text = squeeze(text, HEADING_CHARS);
        if text.is_empty() {
            return;
        }
        if level == 1 {
            self.set_title(&text);
        }
        let range = self.append(&text, "\n\n");
        for deeper in &mut self.headings[level - 1..] {
            *deeper = None;
        }
        self.headings[level - 1] = Some(text);
        let path = self.path();
        self.parts.push(Part::Heading { level, path, range });
        self.in_lines = false;
    }

    /// A block that stands apart.
    pub(super) fn block(&mut self, text: &str) {
        self.add(text, "\n\n");
        self.in_lines = false;
    }

    /// A line that belongs to the one before it, such as a list's item.
    pub(super) fn line(&mut self, text: &str) {
        let separator = if self.in_lines { "\n" } else { "\n\n" };
        if self.add(text, separator) {
            self.in_lines = true;
        }
    }

    /// Ends lines that belong together.
    pub(super) fn end_lines(&mut self) {
        self.in_lines = false;
    }

    fn add(&mut self, text: &str, separator: &str) -> bool {
        let text = text.trim();
        if text.is_empty() {
            return false;
        }
        let range = self.append(text, separator);
        if range.is_empty() {
            return false;
        }
        self.parts.push(Part::Block(range));
        true
    }

    /// Appends text without the control characters that could hide or reorder it.
    fn append(&mut self, text: &str, separator: &str) -> Range<usize> {
        let before = self.text.len();
        if before > 0 {
            self.text.push_str(separator);
        }
        let start = self.text.len();
        self.text.extend(
            text.chars()
                .filter(|c| !c.is_control() || *c == '\n' || *c == '\t'),
        );
        // What is left may again begin or end blank.
        let kept = self.text[start..].trim_end().len();
        self.text.truncate(start + kept);
        let blank = self.text[start..].len() - self.text[start..].trim_start().len();
        if kept == 0 {
            self.text.truncate(before);
            return before..before;
        }
        start + blank..self.text.len()
    }

    fn path(&self) -> String {
        let title = self.title.as_deref();
        let names: Vec<&str> = self
            .headings
            .iter()
            .enumerate()
            .filter_map(|(level, name)| {
                name.as_deref()
                    .filter(|name| level > 0 || Some(*name) != title)
            })
            .collect();
        cut(&names.join(HEADING_SEPARATOR), HEADING_CHARS).to_owned()
    }

    pub(super) fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub(super) fn into_text(mut self) -> String {
        self.text.shrink_to_fit();
        self.text
    }
}

/// One line of words with single spaces, at most this many characters.
fn squeeze(text: &str, chars: usize) -> String {
    let mut line = String::new();
    for word in text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > chars * 4 {
            break;
        }
    }
    cut(&line, chars).trim_end().to_owned()
}

/// The first characters of a text.
pub(super) fn cut(text: &str, chars: usize) -> &str {
    text.char_indices()
        .nth(chars)
        .map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(outline: &Outline) -> Vec<&str> {
        let path = |part: &Part| matches!(part, Part::Heading { .. });
        outline
            .parts
            .iter()
            .filter(|part| path(part))
            .map(|part| match part {
                Part::Heading { path, .. } => path.as_str(),
                Part::Block(_) => "",
            })
            .collect()
    }

    #[test]
    fn headings_stand_under_one_another_and_the_title_over_all() {
        let mut outline = Outline::default();
        for (level, text) in [
            (1, "Shop"),
            (2, "Refunds"),
            (3, "When"),
            (2, "Orders"),
            (4, "Deep"),
            (1, "Other"),
        ] {
            outline.heading(level, text);
        }
        assert_eq!(outline.title(), Some("Shop"));
        assert_eq!(
            paths(&outline),
            [
                "",
                "Refunds",
                "Refunds › When",
                "Orders",
                "Orders › Deep",
                "Other"
            ]
        );
    }

    #[test]
    fn lines_stand_together_and_blocks_apart() {
        let mut outline = Outline::default();
        outline.block("one");
        outline.line("- a");
        outline.line("- b");
        outline.block(" \u{7} ");
        outline.block("t\u{1b}wo");
        assert_eq!(outline.text(), "one\n\n- a\n- b\n\ntwo");
        assert_eq!(outline.parts().len(), 4);
    }

    #[test]
    fn long_titles_are_cut_between_characters() {
        let mut outline = Outline::default();
        outline.set_title(&"é ".repeat(500));
        assert_eq!(
            outline.title().map(|title| title.chars().count()),
            Some(TITLE_CHARS - 1)
        );
    }
}
