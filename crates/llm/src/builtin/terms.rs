//! Words, stems, and the terms of a question.

use rust_stemmers::Stemmer;

use super::{language::Language, words::words};

/// Most terms that are taken from a question.
pub(super) const TERMS: usize = 32;

/// How much a term borrowed from the visitor's earlier question weighs against one of this question.
const BORROWED: f32 = 0.5;

/// How much a word of little topic weighs against another.
const WEAK: f32 = 0.35;

/// The terms that a text is matched by.
pub(super) struct Query {
    terms: Vec<Term>,
    stemmer: Option<Stemmer>,
    language: Language,
    /// One bit for each pair of first bytes that some term begins with: words that begin with other bytes have other
    /// stems, which spares the stemmer nearly every word of the passages.
    prefixes: Box<[u64; 1024]>,
    figure: bool,
}

struct Term {
    stem: String,
    /// The stem of the word and the next one written as one, as in "back up".
    joined: Option<String>,
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
            figure: language.vocabulary().asks_for_figure(text),
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

    /// Whether the term carries the topic of this question.
    pub(super) fn is_topic(&self, term: usize) -> bool {
        self.terms[term].weight >= BORROWED
    }

    /// Whether the question asks for a number.
    pub(super) fn asks_for_figure(&self) -> bool {
        self.figure
    }

    /// Calls `found` with each term that occurs in the text, in the order of the text.
    pub(super) fn matches(&self, text: &str, mut found: impl FnMut(usize)) {
        let mut lower = String::new();
        let mut words = words(text).peekable();
        while let Some(word) = words.next() {
            if !self.may_match(word) {
                continue;
            }
            lower.clear();
            push_lower(&mut lower, word);
            let term = self.find(&lower).or_else(|| {
                // "Back up" may stand for "backup".
                let next = words.peek().filter(|_| self.may_begin(&lower))?;
                push_lower(&mut lower, next);
                self.find(&lower)
            });
            if let Some(term) = term {
                found(term);
            }
        }
    }

    fn add(&mut self, text: &str, weight: f32) {
        let vocabulary = self.language.vocabulary();
        let mut words = words(text).map(str::to_lowercase).peekable();
        while let Some(word) = words.next() {
            if self.terms.len() == TERMS {
                return;
            }
            if vocabulary.is_stop_word(&word) {
                continue;
            }
            let base = vocabulary.base(&word);
            let stem = self.stem(base).into_owned();
            if self.terms.iter().any(|term| term.stem == stem) {
                continue;
            }
            let weight = if vocabulary.is_weak(&word) {
                WEAK * weight
            } else {
                weight
            };
            let joined = words
                .peek()
                .map(|next| self.stem(&format!("{word}{next}")).into_owned());
            for form in [word.as_str(), base]
                .into_iter()
                .chain(vocabulary.forms(base))
            {
                let slot = prefix_slot(form);
                self.prefixes[slot / 64] |= 1 << (slot % 64);
            }
            self.terms.push(Term {
                stem,
                joined,
                weight,
            });
        }
    }

    fn stem<'a>(&self, word: &'a str) -> std::borrow::Cow<'a, str> {
        match &self.stemmer {
            Some(stemmer) => stemmer.stem(word),
            None => word.into(),
        }
    }

    fn find(&self, word: &str) -> Option<usize> {
        let stem = self.stem(self.language.vocabulary().base(word));
        let own = self.terms.iter().position(|term| term.stem == *stem);
        // A question may have both "back up" and "backup": a term of its own comes first.
        own.or_else(|| {
            let joined = |term: &Term| term.joined.as_deref() == Some(&*stem);
            self.terms.iter().position(joined)
        })
    }

    /// Whether a term begins with this word and goes on.
    fn may_begin(&self, word: &str) -> bool {
        self.terms
            .iter()
            .any(|term| term.stem.len() > word.len() && term.stem.starts_with(word))
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
    fn a_word_may_be_written_as_two() {
        for (question, text) in [
            ("backup", "Back up first."),
            ("How do I back up?", "Make a backup."),
            ("web site", "Your website."),
        ] {
            assert!(
                matched(question, text, Language::from_tag("en")) > 0,
                "{question}"
            );
        }
    }

    #[test]
    fn a_word_that_is_also_written_as_two_is_a_term_of_its_own() {
        let (text, language) = ("Does back up make a backup?", Language::from_tag("en"));
        assert_eq!(
            matched(text, text, language),
            Query::new(text, language).len()
        );
        let text = "1[Ⱥ¡1Ⱥ￼";
        assert_eq!(matched(text, text, language), 3);
    }

    #[test]
    fn irregular_forms_match() {
        assert_eq!(
            matched(
                "I lose the key",
                "A key that is lost.",
                Language::from_tag("en")
            ),
            2
        );
        assert_eq!(
            matched("Was it sold?", "We sell it.", Language::from_tag("en")),
            1
        );
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
