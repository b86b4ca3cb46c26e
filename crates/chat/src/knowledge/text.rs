//! Reads plain text.

use super::outline::Outline;

/// A first line longer than this many characters is a paragraph's, not a title.
const TITLE_LINE_CHARS: usize = 80;

/// Paragraphs end at blank lines. A line that is underlined with `=` or `-` is a heading, and a short first line that
/// stands alone is the title.
pub(super) fn read(source: &str, outline: &mut Outline) {
    let mut paragraph: Vec<&str> = Vec::new();
    let mut first = true;
    for line in source.lines().map(str::trim_end) {
        if line.trim().is_empty() {
            end(&mut paragraph, &mut first, outline);
            continue;
        }
        match (paragraph.last(), underline(line)) {
            (Some(heading), Some(level))
                if line.chars().count() + 2 >= heading.trim().chars().count() =>
            {
                let heading = *heading;
                paragraph.pop();
                end(&mut paragraph, &mut first, outline);
                outline.heading(level, heading);
                first = false;
            }
            _ => paragraph.push(line),
        }
    }
    end(&mut paragraph, &mut first, outline);
}

/// The level of the heading that this line underlines.
fn underline(line: &str) -> Option<usize> {
    let line = line.trim();
    let all = |mark: u8| line.len() >= 3 && line.bytes().all(|byte| byte == mark);
    if all(b'=') {
        Some(1)
    } else if all(b'-') {
        Some(2)
    } else {
        None
    }
}

fn end(paragraph: &mut Vec<&str>, first: &mut bool, outline: &mut Outline) {
    if let ([line], true) = (paragraph.as_slice(), *first)
        && line.chars().count() <= TITLE_LINE_CHARS
    {
        outline.set_title(line);
    }
    if !paragraph.is_empty() {
        outline.block(&paragraph.join("\n"));
        *first = false;
        paragraph.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::outline::Part;

    #[test]
    fn paragraphs_and_underlined_headings_are_found() {
        let mut outline = Outline::default();
        read(
            "The shop\n\nWe sell tea\r\nand cups.\r\n\n\nRefunds\n-------\nFive days.\n---\n",
            &mut outline,
        );
        assert_eq!(outline.title(), Some("The shop"));
        assert_eq!(
            outline.text(),
            "The shop\n\nWe sell tea\nand cups.\n\nRefunds\n\nFive days.\n---"
        );
        assert_eq!(
            outline
                .parts()
                .iter()
                .filter(|part| matches!(part, Part::Heading { .. }))
                .count(),
            1
        );
    }

    #[test]
    fn a_long_first_paragraph_is_no_title() {
        let mut outline = Outline::default();
        read("one\ntwo\n\nthree", &mut outline);
        assert_eq!(outline.title(), None);
    }
}
