//! Reads Markdown (CommonMark with tables, strike-through, task lists and front matter).

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::html;
use super::outline::Outline;

/// What stands between the cells of a table's row.
pub(super) const CELL_SEPARATOR: &str = " | ";

/// Most spaces that a list's items are moved in by.
const INDENT_MAX: usize = 8;

pub(super) fn read(source: &str, outline: &mut Outline) {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut reader = Reader {
        outline,
        run: String::new(),
        lists: Vec::new(),
        marker: None,
        hidden: 0,
        html: String::new(),
    };
    for event in Parser::new_ext(source, options) {
        reader.event(event);
    }
    reader.flush();
}

struct Reader<'o> {
    outline: &'o mut Outline,
    /// The text of the block that is being read.
    run: String,
    /// The lists that are open, with the next number of ordered ones.
    lists: Vec<Option<u64>>,
    /// What the next block of a list's item begins with.
    marker: Option<String>,
    /// How many images and front matters are open: their text is not the document's.
    hidden: usize,
    /// A block of HTML, as far as it was read.
    html: String,
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Code(text) if self.hidden == 0 => self.run.push_str(&text),
            Event::SoftBreak => self.run.push(' '),
            Event::HardBreak => self.run.push('\n'),
            Event::Html(text) => self.html.push_str(&text),
            Event::TaskListMarker(done) => self.run.push_str(if done { "[x] " } else { "[ ] " }),
            Event::Rule => self.flush(),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Heading { .. }
            | Tag::Paragraph
            | Tag::BlockQuote(_)
            | Tag::Table(_)
            | Tag::TableHead
            | Tag::TableRow => {
                self.flush();
            }
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => self.flush(),
            Tag::List(first) => {
                self.flush();
                self.lists.push(*first);
            }
            Tag::Item => {
                self.flush();
                let indent = " ".repeat((self.lists.len().saturating_sub(1) * 2).min(INDENT_MAX));
                self.marker = Some(match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let marker = format!("{indent}{number}. ");
                        *number = number.saturating_add(1);
                        marker
                    }
                    _ => format!("{indent}- "),
                });
            }
            Tag::TableCell if !self.run.is_empty() => self.run.push_str(CELL_SEPARATOR),
            Tag::Image { .. } | Tag::MetadataBlock(_) => self.hidden += 1,
            Tag::HtmlBlock => {
                self.flush();
                self.html.clear();
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => {
                self.marker = None;
                let text = std::mem::take(&mut self.run);
                self.outline.heading(level as usize, &text);
            }
            TagEnd::Paragraph | TagEnd::Item | TagEnd::CodeBlock | TagEnd::BlockQuote(_) => {
                self.flush()
            }
            TagEnd::TableHead | TagEnd::TableRow => self.line(),
            TagEnd::Table => self.outline.end_lines(),
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
                if self.lists.is_empty() {
                    self.outline.end_lines();
                }
            }
            TagEnd::Image | TagEnd::MetadataBlock(_) => self.hidden = self.hidden.saturating_sub(1),
            TagEnd::HtmlBlock => {
                let source = std::mem::take(&mut self.html);
                html::read(&source, self.outline);
            }
            _ => {}
        }
    }

    /// Ends a block; inside a list it is a line of it.
    fn flush(&mut self) {
        if !self.lists.is_empty() {
            self.line();
        } else if !self.run.is_empty() {
            let text = std::mem::take(&mut self.run);
            self.outline.block(&text);
        }
    }

    fn line(&mut self) {
        let text = std::mem::take(&mut self.run);
        let text = text.trim();
        if !text.is_empty() {
            let marker = self.marker.take().unwrap_or_default();
            self.outline.line(&format!("{marker}{text}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str) -> String {
        let mut outline = Outline::default();
        read(source, &mut outline);
        outline.into_text()
    }

    #[test]
    fn markup_goes_and_words_stay() {
        let source = "---\nlayout: post\n---\n# Shop\n\nWe *sell* [tea](https://x.example) and `cups`  \nhere.\n\
                      Second ![logo](a.png)line.\n\n> Quoted.\n\n***\n";
        assert_eq!(
            text(source),
            "Shop\n\nWe sell tea and cups\nhere. Second line.\n\nQuoted."
        );
    }

    #[test]
    fn lists_keep_their_lines_and_numbers() {
        let source = "Do:\n\n1. first\n2. second\n   - deep\n\n   more\n3. third\n\nEnd.";
        assert_eq!(
            text(source),
            "Do:\n\n1. first\n2. second\n- deep\nmore\n3. third\n\nEnd."
        );
    }

    #[test]
    fn code_and_tables_keep_their_lines() {
        let source = "```sh\ncasemate status\ncasemate bot list\n```\n\n| Key | Meaning |\n|---|---|\n| a | one |\n| b | `two` |\n";
        assert_eq!(
            text(source),
            "casemate status\ncasemate bot list\n\nKey | Meaning\na | one\nb | two"
        );
    }

    #[test]
    fn html_inside_is_read_as_html() {
        let source = "<details><summary>More</summary>\nHidden <b>words</b>\n</details>\n\n<script>\nalert(1)\n</script>\n\nEnd <br> here.";
        assert_eq!(text(source), "More\n\nHidden words\n\nEnd  here.");
    }
}
