//! Words that carry no topic, words that carry little, and forms that no stemmer leads back to their base.
//!
//! The lists are sorted by code point; a test holds them to it.

mod english;
mod french;
mod german;
mod spanish;

pub(super) use english::WORDS as ENGLISH;
pub(super) use french::WORDS as FRENCH;
pub(super) use german::WORDS as GERMAN;
pub(super) use spanish::WORDS as SPANISH;

/// What is known about the words of a language, all in lower case.
#[derive(Debug)]
pub(super) struct Vocabulary {
    /// Articles, pronouns, auxiliaries, and what questions are made of.
    stop_words: &'static [&'static str],
    /// Everyday words that a question can have and its answer lack, or the other way round.
    weak_words: &'static [&'static str],
    /// What begins a question for a number.
    figures: &'static [&'static str],
    /// Irregular forms, each with its base.
    irregular: &'static [(&'static str, &'static str)],
}

impl Vocabulary {
    /// Whether a word carries no topic.
    pub(super) fn is_stop_word(&self, word: &str) -> bool {
        self.stop_words.binary_search(&word).is_ok()
    }

    /// Whether a word carries little of the topic.
    pub(super) fn is_weak(&self, word: &str) -> bool {
        self.weak_words.binary_search(&word).is_ok()
    }

    /// Whether a question asks for a number.
    pub(super) fn asks_for_figure(&self, question: &str) -> bool {
        let question = question.to_lowercase();
        self.figures.iter().any(|figure| question.contains(figure))
    }

    /// The base of an irregular form, or the word itself.
    pub(super) fn base<'a>(&self, word: &'a str) -> &'a str {
        let found = self.irregular.binary_search_by(|(form, _)| form.cmp(&word));
        found.map_or(word, |at| self.irregular[at].1)
    }

    /// The irregular forms of a base.
    pub(super) fn forms<'a>(&self, base: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.irregular
            .iter()
            .filter(move |(_, of)| *of == base)
            .map(|(form, _)| *form)
    }
}

/// A language of which nothing is known.
pub(super) const OTHER: Vocabulary = Vocabulary {
    stop_words: &[],
    weak_words: &[],
    figures: &[],
    irregular: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_so_that_words_can_be_found() {
        for known in [ENGLISH, GERMAN, FRENCH, SPANISH] {
            assert!(known.stop_words.is_sorted_by(|one, other| one < other));
            assert!(known.weak_words.is_sorted_by(|one, other| one < other));
            assert!(known.irregular.is_sorted_by(|one, other| one.0 < other.0));
        }
    }

    #[test]
    fn irregular_forms_have_their_base() {
        assert_eq!(
            (ENGLISH.base("lost"), ENGLISH.base("table")),
            ("lose", "table")
        );
        assert_eq!(
            ENGLISH.forms("write").collect::<Vec<_>>(),
            ["written", "wrote"]
        );
    }
}
