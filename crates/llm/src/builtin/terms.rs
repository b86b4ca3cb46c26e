//! Words, stems, and the terms of a question.

use rust_stemmers::Stemmer;

use super::language::Language;

/// Most terms that are taken from a question.
pub(super) const TERMS: usize = 32;

/// How much a term borrowed from the visitor's earlier question weighs against one of this question.
const BORROWED: f32 = 0.5;

/// The words of a text: runs of letters and digits. A letter of a script that is written without spaces is a word.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    word_spans(text).map(move |(start, end)| &text[start..end])
}

fn word_spans(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = loop {
            let (len, kind) = kind_at(text, *bytes.get(at)?, at);
            match kind {
                Kind::Letter => break at,
                Kind::Alone => {
                    at += len;
                    return Some((at - len, at));
                }
                Kind::Gap => at += len,
            }
        };
        while let Some(byte) = bytes.get(at) {
            let (len, kind) = kind_at(text, *byte, at);
            if kind != Kind::Letter {
                break;
            }
            at += len;
        }
        Some((start, at))
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Alone,
    Gap,
}

fn kind_at(text: &str, byte: u8, at: usize) -> (usize, Kind) {
    if byte.is_ascii() {
        return (
            1,
            if byte.is_ascii_alphanumeric() {
                Kind::Letter
            } else {
                Kind::Gap
            },
        );
    }
    let Some(letter) = text[at..].chars().next() else {
        return (1, Kind::Gap);
    };
    let kind = match letter {
        // Thai, Lao, Khmer, Myanmar; kana and Han.
        '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' => Kind::Alone,
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}' => {
            Kind::Alone
        }
        letter if letter.is_alphanumeric() => Kind::Letter,
        _ => Kind::Gap,
    };
    (letter.len_utf8(), kind)
}

/// The terms that a text is matched by.
pub(super) struct Query {
    terms: Vec<Term>,
    stemmer: Option<Stemmer>,
    language: Language,
    /// One bit for each pair of first bytes that some term begins with: words that begin with other bytes have other
    /// stems, which spares the stemmer nearly every word of the passages.
    prefixes: Box<[u64; 1024]>,
}

struct Term {
    stem: String,
    weight: f32,
}

impl Query {
    /// The terms of a question, without the words that carry no topic.
    pub(super) fn new(text: &str, language: Language) -> Self {
        let mut query = Self {
            terms: Vec::new(),
            stemmer: language.stemmer(),
            language,
            prefixes: Box::new([0; 1024]),
        };
        query.add(text, 1.0);
        query
    }

    /// Adds the terms of an earlier question, at less weight.
    pub(super) fn borrow(&mut self, text: &str) {
        self.add(text, BORROWED);
    }

    /// How many terms there are.
    pub(super) fn len(&self) -> usize {
        self.terms.len()
    }

    /// What a term weighs before its rarity is known.
    pub(super) fn weight(&self, term: usize) -> f32 {
        self.terms[term].weight
    }

    /// Calls `found` with each term that occurs in the text, in the order of the text.
    pub(super) fn matches(&self, text: &str, mut found: impl FnMut(usize)) {
        let mut lower = String::new();
        for word in words(text) {
            if !self.may_match(word) {
                continue;
            }
            lower.clear();
            push_lower(&mut lower, word);
            if let Some(term) = self.find(&lower) {
                found(term);
            }
        }
    }

    fn add(&mut self, text: &str, weight: f32) {
        for word in words(text) {
            if self.terms.len() == TERMS {
                return;
            }
            let word = word.to_lowercase();
            if self.language.is_stop_word(&word) {
                continue;
            }
            let stem = self.stem(&word).into_owned();
            if self.terms.iter().any(|term| term.stem == stem) {
                continue;
            }
            let slot = prefix_slot(&word);
            self.prefixes[slot / 64] |= 1 << (slot % 64);
            self.terms.push(Term { stem, weight });
        }
    }

    fn stem<'a>(&self, word: &'a str) -> std::borrow::Cow<'a, str> {
        match &self.stemmer {
            Some(stemmer) => stemmer.stem(word),
            None => word.into(),
        }
    }

    fn find(&self, word: &str) -> Option<usize> {
        let stem = self.stem(word);
        self.terms.iter().position(|term| term.stem == *stem)
    }

    fn may_match(&self, word: &str) -> bool {
        // Lower-casing can change the first bytes of what is not ASCII, even into ASCII.
        if !word.is_ascii() {
            return true;
        }
        let slot = prefix_slot(word);
        self.prefixes[slot / 64] & (1 << (slot % 64)) != 0
    }
}

/// Where a word's first two bytes stand in the table of prefixes.
fn prefix_slot(word: &str) -> usize {
    let byte = |at| {
        word.as_bytes()
            .get(at)
            .map_or(0, |byte: &u8| usize::from(byte.to_ascii_lowercase()))
    };
    byte(0) << 8 | byte(1)
}

fn push_lower(lower: &mut String, word: &str) {
    if word.is_ascii() {
        lower.push_str(word);
        lower.make_ascii_lowercase();
    } else {
        lower.extend(word.chars().flat_map(char::to_lowercase));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matched(question: &str, text: &str, language: Language) -> usize {
        let query = Query::new(question, language);
        let mut seen = std::collections::BTreeSet::new();
        query.matches(text, |term| {
            seen.insert(term);
        });
        seen.len()
    }

    #[test]
    fn forms_of_a_word_match() {
        assert_eq!(
            matched(
                "How do I get refunds?",
                "We refunded it. A refund takes a day.",
                Language::from_tag("en")
            ),
            1
        );
        assert_eq!(
            matched(
                "Wo finde ich Rückerstattungen?",
                "Die RÜCKERSTATTUNG dauert.",
                Language::from_tag("de")
            ),
            1
        );
        assert_eq!(
            matched("backing up backups", "backup", Language::from_tag("en")),
            1
        );
    }

    #[test]
    fn words_of_every_script_are_found() {
        let found: Vec<_> = words("It's v2—naïve, 返金 สวัส!").collect();
        assert_eq!(found[..5], ["It", "s", "v2", "naïve", "返"]);
    }

    #[test]
    fn a_question_of_stop_words_has_no_terms() {
        assert_eq!(
            Query::new(
                "What is it, and how do you do that?",
                Language::from_tag("en")
            )
            .len(),
            0
        );
    }

    proptest! {
        #[test]
        fn every_word_of_a_text_matches_the_text(text in "\\PC{0,80}") {
            let query = Query::new(&text, Language::from_tag("en"));
            let mut seen = vec![false; query.len()];
            query.matches(&text, |term| seen[term] = true);
            prop_assert!(seen.iter().all(|seen| *seen));
        }
    }
}
