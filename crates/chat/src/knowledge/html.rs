//! Reads HTML.
//!
//! The tokenizer of the standard (WHATWG HTML, 13.2.5) without its tree: a page of a few megabytes would make a tree of
//! hundreds, and nesting would decide how deep a reader recurses. The words and their order need neither.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

use super::markdown::CELL_SEPARATOR;
use super::outline::Outline;

/// Elements whose content is not the document's text. All have an end tag that may not be left out.
const HIDDEN: [&str; 14] = [
    "canvas", "datalist", "iframe", "math", "nav", "noembed", "noframes", "noscript", "object",
    "script", "select", "style", "svg", "template",
];

/// Elements that begin and end a block.
const BLOCKS: [&str; 30] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "center",
    "details",
    "dialog",
    "div",
    "dl",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "header",
    "hgroup",
    "hr",
    "html",
    "legend",
    "main",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "ul",
];

/// Elements that begin and end a line of a block.
const LINES: [&str; 5] = ["dd", "dt", "li", "option", "tr"];

pub(super) fn read(source: &str, outline: &mut Outline) {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(source));
    let reader = Reader {
        outline,
        run: String::new(),
        kind: Kind::Block,
        hidden: None,
        pre: 0,
        lists: Vec::new(),
        marker: None,
        in_link: false,
        beyond_links: false,
    };
    let tokenizer = Tokenizer::new(Sink(RefCell::new(reader)), TokenizerOpts::default());
    // A script's end hands control back, so that a browser could run it.
    while !input.is_empty() {
        let _ = tokenizer.feed(&input);
    }
    tokenizer.end();
    tokenizer.sink.0.borrow_mut().flush();
}

struct Sink<'o>(RefCell<Reader<'o>>);

impl TokenSink for Sink<'_> {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut reader = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) => return reader.tag(&tag),
            Token::CharacterTokens(text) => reader.characters(&text),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// What the text that is being read will be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Title,
    Heading(usize),
    Line,
    Block,
}

struct Reader<'o> {
    outline: &'o mut Outline,
    run: String,
    kind: Kind,
    /// The hidden element that is open, and how often it is open in itself.
    hidden: Option<(String, usize)>,
    /// How many `pre` are open: their white space counts.
    pre: usize,
    /// The lists that are open, with the next number of ordered ones.
    lists: Vec<Option<u64>>,
    marker: Option<String>,
    /// Whether a link to the same site is open.
    in_link: bool,
    /// Whether the text that is being read is more than such links.
    beyond_links: bool,
}

impl Reader<'_> {
    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name = &*tag.name;
        let start = tag.kind == TagKind::StartTag;
        if let Some((hidden, depth)) = &mut self.hidden {
            if name == hidden {
                *depth = if start { *depth + 1 } else { *depth - 1 };
                if *depth == 0 {
                    self.hidden = None;
                }
            }
        } else if start && HIDDEN.contains(&name) {
            // An SVG or MathML element may close itself; HTML elements cannot.
            let closed = tag.self_closing && (name == "svg" || name == "math");
            self.hidden = (!closed).then(|| (name.to_owned(), 1));
        } else if name == "a" {
            let target = tag
                .attrs
                .iter()
                .find(|attribute| &*attribute.name.local == "href");
            self.in_link = start && target.is_some_and(|target| !target.value.contains("://"));
        } else if start {
            self.start(name);
        } else {
            self.end(name);
        }
        match (start, name) {
            (true, "script") => TokenSinkResult::RawData(RawKind::ScriptData),
            (true, "style" | "xmp" | "iframe" | "noembed" | "noframes") => {
                TokenSinkResult::RawData(RawKind::Rawtext)
            }
            (true, "title" | "textarea") => TokenSinkResult::RawData(RawKind::Rcdata),
            (true, "plaintext") => TokenSinkResult::Plaintext,
            _ => TokenSinkResult::Continue,
        }
    }

    fn start(&mut self, name: &str) {
        match name {
            "title" => {
                self.flush();
                self.kind = Kind::Title;
            }
            "br" => self.run.push('\n'),
            "td" | "th" if !self.run.trim().is_empty() => self.run.push_str(CELL_SEPARATOR),
            "ol" | "ul" => {
                self.flush();
                self.lists.push((name == "ol").then_some(1));
            }
            "pre" => {
                self.flush();
                self.pre += 1;
            }
            "li" => {
                self.flush();
                self.kind = Kind::Line;
                self.marker = Some(match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let marker = format!("{number}. ");
                        *number = number.saturating_add(1);
                        marker
                    }
                    _ => "- ".to_owned(),
                });
            }
            _ if LINES.contains(&name) => {
                self.flush();
                self.kind = Kind::Line;
            }
            _ => match level(name) {
                Some(level) => {
                    self.flush();
                    self.kind = Kind::Heading(level);
                }
                None if BLOCKS.contains(&name) => self.flush(),
                None => {}
            },
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "ol" | "ul" => {
                self.flush();
                self.lists.pop();
                if self.lists.is_empty() {
                    self.outline.end_lines();
                }
            }
            "pre" => {
                self.flush();
                self.pre = self.pre.saturating_sub(1);
            }
            "table" | "dl" => {
                self.flush();
                self.outline.end_lines();
            }
            "title" => self.flush(),
            _ if LINES.contains(&name) || BLOCKS.contains(&name) || level(name).is_some() => {
                self.flush()
            }
            _ => {}
        }
    }

    fn characters(&mut self, text: &str) {
        if self.hidden.is_some() {
            return;
        }
        self.beyond_links |= !self.in_link && text.contains(char::is_alphanumeric);
        if self.pre > 0 {
            self.run.push_str(text);
            return;
        }
        for c in text.chars() {
            if !c.is_whitespace() {
                self.run.push(c);
            } else if !self.run.ends_with(char::is_whitespace) {
                self.run.push(' ');
            }
        }
    }

    /// Ends what is being read. A paragraph inside a list's item or a table's cell is a line of it.
    fn flush(&mut self) {
        let run = std::mem::take(&mut self.run);
        let text = run.trim();
        let kind = std::mem::replace(&mut self.kind, Kind::Block);
        let beyond_links = std::mem::take(&mut self.beyond_links);
        if text.is_empty() {
            // The paragraph in `<li><p>` is the item.
            if kind == Kind::Line {
                self.kind = kind;
            }
            return;
        }
        match kind {
            Kind::Title => self.outline.set_title(text),
            Kind::Heading(level) => {
                self.marker = None;
                self.outline.heading(level, text);
            }
            Kind::Block if self.lists.is_empty() => self.outline.block(text),
            // A line of a menu or a table of contents, whose target says it better, or a page's
            // header that says its title once more.
            Kind::Line if !beyond_links || self.outline.title() == Some(text) => {
                self.marker = None;
            }
            Kind::Line | Kind::Block => {
                let marker = self.marker.take().unwrap_or_default();
                self.outline.line(&format!("{marker}{text}"));
            }
        }
    }
}

/// The level of a heading's element.
fn level(name: &str) -> Option<usize> {
    match name.as_bytes() {
        [b'h', digit @ b'1'..=b'6'] => Some(usize::from(digit - b'0')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(source: &str) -> Outline {
        let mut outline = Outline::default();
        read(source, &mut outline);
        outline
    }

    fn text(source: &str) -> String {
        outline(source).into_text()
    }

    #[test]
    fn a_page_becomes_its_words() {
        let source = "<!doctype html><html><head><title>The  Shop</title><style>p { color: red }</style>\
            <script>if (a < b) { document.write('</p>') }</script></head><body><nav><ul><li>Home</ul></nav>\
            <h1>Welcome</h1><p>We sell\n <b>tea</b> &amp; cups.<p>Second<br>line.\
            <ol><li>one<li><p>two</p></ol><table><tr><th>Key<th>Meaning<tr><td>a<td>b</table>\
            <pre>  x\n  y</pre><svg><text>no</text></svg><noscript>no</noscript></body>";
        assert_eq!(outline(source).title(), Some("The Shop"));
        assert_eq!(
            text(source),
            "Welcome\n\nWe sell tea & cups.\n\nSecond\nline.\n\n1. one\n2. two\n\nKey | Meaning\na | b\n\nx\n  y"
        );
    }

    #[test]
    fn scripts_cannot_leave_their_element() {
        assert_eq!(text("a<script>\"</scrip>\" <!-- <p>x</p></script>b"), "ab");
        assert_eq!(text("a<style><p>x</style>b"), "ab");
        assert_eq!(text("a<nav><nav>x</nav>y</nav>b"), "ab");
        assert_eq!(text("a<svg/>b"), "ab");
        assert_eq!(text("a<textarea><script>x</textarea>b"), "a<script>xb");
        assert_eq!(text("<plaintext>a<b>"), "a<b>");
    }

    #[test]
    fn menus_and_tables_of_contents_go() {
        let source = "<title>T</title><table><tr><th>T</table><ul><li><a href='a.html'>One</a><li><a href='#b'>Two</a></ul>\
            <dl><dt>1. <a href='c.html'>Three</a></dt></dl><ul><li>See <a href='d.html'>four</a>\
            <li><a href='https://other.example'>Five</a></ul><p><a href='e.html'>Six</a></p>";
        assert_eq!(text(source), "1. Three\n\n- See four\n- Five\n\nSix");
    }

    #[test]
    fn the_first_heading_is_the_title_of_a_page_without_one() {
        assert_eq!(outline("<h1>Shop</h1>x").title(), Some("Shop"));
    }
}
