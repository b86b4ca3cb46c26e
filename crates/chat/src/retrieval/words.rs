//! The words of a text, reduced to what is compared.

use chat_api::Language;
use rust_stemmers::{Algorithm, Stemmer};
use unicode_segmentation::UnicodeSegmentation as _;

use super::stop_words;

/// A word longer than this many bytes is no word: a hash, a key, an encoded image.
const WORD_BYTES: usize = 64;

/// Divides text into words (Unicode UAX #29), drops those that stand in every text, and reduces the others to their
/// stems (Snowball).
pub struct Words {
    stemmer: Stemmer,
    stop_words: &'static [&'static str],
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Words").finish_non_exhaustive()
    }
}

impl Words {
    /// The words of this language.
    #[must_use]
    pub fn of(language: Language) -> Self {
        Self {
            stemmer: Stemmer::create(algorithm(language)),
            stop_words: stop_words::of(language),
        }
    }

    /// Calls `each` with every stem, in the order of the text.
    pub fn each(&self, text: &str, mut each: impl FnMut(&str)) {
        let mut lower = String::new();
        for word in text.unicode_words() {
            if word.len() > WORD_BYTES {
                continue;
            }
            lower.clear();
            // Apostrophes come in two kinds, and stemmers know the plain one.
            lower.extend(
                word.chars()
                    .map(|c| if c == '’' { '\'' } else { c })
                    .flat_map(char::to_lowercase),
            );
            if self.stop_words.binary_search(&lower.as_str()).is_err() {
                each(&self.stemmer.stem(&lower));
            }
        }
    }
}

const fn algorithm(language: Language) -> Algorithm {
    match language {
        Language::Arabic => Algorithm::Arabic,
        Language::Danish => Algorithm::Danish,
        Language::Dutch => Algorithm::Dutch,
        Language::English => Algorithm::English,
        Language::Finnish => Algorithm::Finnish,
        Language::French => Algorithm::French,
        Language::German => Algorithm::German,
        Language::Greek => Algorithm::Greek,
        Language::Hungarian => Algorithm::Hungarian,
        Language::Italian => Algorithm::Italian,
        Language::Norwegian => Algorithm::Norwegian,
        Language::Portuguese => Algorithm::Portuguese,
        Language::Romanian => Algorithm::Romanian,
        Language::Russian => Algorithm::Russian,
        Language::Spanish => Algorithm::Spanish,
        Language::Swedish => Algorithm::Swedish,
        Language::Tamil => Algorithm::Tamil,
        Language::Turkish => Algorithm::Turkish,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stems(language: Language, text: &str) -> Vec<String> {
        let mut stems = Vec::new();
        Words::of(language).each(text, |stem| stems.push(stem.to_owned()));
        stems
    }

    #[test]
    fn forms_of_a_word_meet_in_its_stem() {
        assert_eq!(
            stems(Language::English, "How do I refund an order?"),
            stems(Language::English, "Refunding orders")
        );
        assert_eq!(
            stems(Language::German, "Wie sind die Rückgaben?"),
            stems(Language::German, "Rückgabe")
        );
        assert_eq!(
            stems(Language::French, "Les remboursements"),
            stems(Language::French, "remboursement")
        );
        assert_eq!(
            stems(Language::Spanish, "las devoluciones"),
            stems(Language::Spanish, "devolución")
        );
    }

    #[test]
    fn names_are_divided_as_people_write_them() {
        assert_eq!(
            stems(Language::English, "casemate-chat@shop.service"),
            ["casem", "chat", "shop.servic"]
        );
        assert_eq!(
            stems(Language::English, "The shop’s hours"),
            ["shop", "hour"]
        );
        assert_eq!(stems(Language::English, &"x".repeat(65)), [""; 0]);
    }

    proptest! {
        #[test]
        fn any_text_in_any_language_has_words(text in ".{0,80}") {
            for language in Language::ALL {
                prop_assert!(stems(language, &text).iter().all(|stem| !stem.is_empty()));
            }
        }
    }
}
