//! Puts the chosen sentences together to a text that names where each stands.

use std::borrow::Cow;

use llm_api::{Passage, Source, limits::QUOTE_BYTES};

use super::{
    blocks::Kind,
    language::Language,
    rank::{Ranking, Unit},
};

/// The text of an answer from the chosen units, and its sources.
pub(super) fn compose(
    chosen: &[usize],
    ranking: &Ranking<'_>,
    passages: &[Passage],
    language: Language,
) -> (String, Vec<Source>) {
    let texts = language.texts();
    let mut answer = String::new();
    let mut sources = Vec::new();
    for units in
        chosen.chunk_by(|one, other| ranking.unit(*one).passage == ranking.unit(*other).passage)
    {
        let passage = ranking.unit(units[0]).passage;
        let quote = body(units, ranking);
        if !answer.is_empty() {
            answer.push_str("\n\n");
        }
        answer.push_str(texts.from);
        answer.push(' ');
        for part in [
            texts.open,
            &place(&passages[passage]),
            texts.close,
            ":\n",
            texts.open,
            &quote,
            texts.close,
        ] {
            answer.push_str(part);
        }
        sources.push(Source {
            passage,
            quote: clip(&quote, QUOTE_BYTES).to_owned(),
        });
    }
    (answer, sources)
}

/// The sources of these units, each quoting its unit.
pub(super) fn sources(units: &[&Unit<'_>]) -> Vec<Source> {
    let source = |unit: &&Unit<'_>| Source {
        passage: unit.passage,
        quote: clip(&shown(unit), QUOTE_BYTES).to_owned(),
    };
    units.iter().map(source).collect()
}

/// Where a passage stands: its document's title and the heading over it.
fn place(passage: &Passage) -> String {
    let title = if passage.title.is_empty() {
        &passage.document
    } else {
        &passage.title
    };
    let heading = passage.heading.as_str();
    if heading.is_empty() || heading == title {
        title.clone()
    } else {
        format!("{title} › {heading}")
    }
}

/// The units of one passage: sentences run on, everything else stands on its own line.
fn body(units: &[usize], ranking: &Ranking<'_>) -> String {
    let mut body = String::new();
    let mut before: Option<(usize, Kind)> = None;
    for index in units {
        let unit = ranking.unit(*index);
        match before {
            None => {}
            Some((last, Kind::Paragraph)) if unit.kind == Kind::Paragraph => {
                body.push_str(if last + 1 == *index { " " } else { " … " });
            }
            Some(_) => body.push('\n'),
        }
        if unit.kind == Kind::Item && units.len() > 1 {
            body.push_str("• ");
        }
        body.push_str(&shown(unit));
        before = Some((*index, unit.kind));
    }
    body
}

/// The unit as it is quoted: only in code do line breaks mean anything.
fn shown<'a>(unit: &Unit<'a>) -> Cow<'a, str> {
    if unit.kind == Kind::Lines || !unit.text.contains(['\n', '\t']) {
        return Cow::Borrowed(unit.text);
    }
    let mut line = String::with_capacity(unit.text.len());
    for word in unit.text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line.into()
}

/// At most so many bytes of a text, cut between letters.
fn clip(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The least bytes in a group of words.
const GROUP_BYTES: usize = 32;
/// The most; a longer word is cut.
const GROUP_LIMIT: usize = 256;

/// A text in groups of a few words, as it is streamed. Together they are the text.
pub fn word_groups(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let least = clip(rest, GROUP_BYTES).len();
        let most = clip(rest, GROUP_LIMIT).len();
        let end = match rest[least..most].find(' ') {
            Some(space) => least + space + 1,
            None => most,
        };
        let (group, after) = rest.split_at_checked(end)?;
        rest = after;
        (!group.is_empty()).then_some(group)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn groups_are_the_text(text in "(\\PC| ){0,400}") {
            let groups: Vec<&str> = word_groups(&text).collect();
            prop_assert_eq!(groups.concat(), text.as_str());
            prop_assert!(groups.iter().all(|group| !group.is_empty() && group.len() <= GROUP_LIMIT));
        }
    }

    #[test]
    fn groups_end_between_words() {
        let groups: Vec<&str> =
            word_groups("Refunds reach your card in five working days after we got it.").collect();
        assert_eq!(
            groups,
            [
                "Refunds reach your card in five working ",
                "days after we got it."
            ]
        );
    }
}
