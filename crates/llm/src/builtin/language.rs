//! What differs by language: the stemmer, the vocabulary, and the standing texts.

use rust_stemmers::{Algorithm, Stemmer};

use super::vocabulary::{self, Vocabulary};

/// A language as the built-in answerer knows it.
#[derive(Clone, Copy)]
pub struct Language {
    texts: &'static Texts,
    vocabulary: &'static Vocabulary,
    stemming: Option<Algorithm>,
}

/// The standing texts of one language.
#[derive(Debug)]
pub struct Texts {
    /// Said when the documents do not hold the answer.
    pub unknown: &'static str,
    /// Stands before the name of a source.
    pub from: &'static str,
    /// Opens a quotation.
    pub open: &'static str,
    /// Closes a quotation.
    pub close: &'static str,
    /// Replies to a greeting.
    pub greeting: &'static str,
    /// Replies to thanks.
    pub thanks: &'static str,
}

const ENGLISH: Texts = Texts {
    unknown: "I could not find an answer to that in the documents that I have. \
              Perhaps you can ask it in other words.",
    from: "From",
    open: "“",
    close: "”",
    greeting: "Hello! What would you like to know?",
    thanks: "You are welcome.",
};

const GERMAN: Texts = Texts {
    unknown: "Dazu habe ich in den mir vorliegenden Dokumenten keine Antwort gefunden. \
              Vielleicht können Sie die Frage anders stellen.",
    from: "Aus",
    open: "„",
    close: "“",
    greeting: "Hallo! Was möchten Sie wissen?",
    thanks: "Gern geschehen.",
};

const FRENCH: Texts = Texts {
    unknown: "Je n’ai pas trouvé de réponse à cette question dans les documents dont je dispose. \
              Vous pouvez peut-être la poser autrement.",
    from: "Dans",
    open: "« ",
    close: " »",
    greeting: "Bonjour ! Que souhaitez-vous savoir ?",
    thanks: "Je vous en prie.",
};

const SPANISH: Texts = Texts {
    unknown: "No he encontrado una respuesta en los documentos de los que dispongo. \
              Quizá pueda hacer la pregunta de otra manera.",
    from: "De",
    open: "«",
    close: "»",
    greeting: "¡Hola! ¿Qué desea saber?",
    thanks: "De nada.",
};

impl Language {
    /// The language of a tag such as `en` or `de-AT` (BCP 47). An empty tag is English. A language without texts of its
    /// own is answered in English.
    #[must_use]
    pub fn from_tag(tag: &str) -> Self {
        let primary = tag
            .split(['-', '_'])
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let (texts, vocabulary) = match primary.as_str() {
            "" | "en" => (&ENGLISH, &vocabulary::ENGLISH),
            "de" => (&GERMAN, &vocabulary::GERMAN),
            "fr" => (&FRENCH, &vocabulary::FRENCH),
            "es" => (&SPANISH, &vocabulary::SPANISH),
            _ => (&ENGLISH, &vocabulary::OTHER),
        };
        Self {
            texts,
            vocabulary,
            stemming: stemming(&primary),
        }
    }

    /// The standing texts.
    #[must_use]
    pub fn texts(self) -> &'static Texts {
        self.texts
    }

    /// The stemmer (Snowball), if there is one.
    pub(super) fn stemmer(self) -> Option<Stemmer> {
        self.stemming.map(Stemmer::create)
    }

    /// What is known about its words.
    pub(super) fn vocabulary(self) -> &'static Vocabulary {
        self.vocabulary
    }
}

fn stemming(primary: &str) -> Option<Algorithm> {
    Some(match primary {
        "" | "en" => Algorithm::English,
        "ar" => Algorithm::Arabic,
        "da" => Algorithm::Danish,
        "de" => Algorithm::German,
        "el" => Algorithm::Greek,
        "es" => Algorithm::Spanish,
        "fi" => Algorithm::Finnish,
        "fr" => Algorithm::French,
        "hu" => Algorithm::Hungarian,
        "it" => Algorithm::Italian,
        "nb" | "nn" | "no" => Algorithm::Norwegian,
        "nl" => Algorithm::Dutch,
        "pt" => Algorithm::Portuguese,
        "ro" => Algorithm::Romanian,
        "ru" => Algorithm::Russian,
        "sv" => Algorithm::Swedish,
        "ta" => Algorithm::Tamil,
        "tr" => Algorithm::Turkish,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_with_regions_are_understood() {
        assert_eq!(Language::from_tag("de-AT").texts().from, "Aus");
        assert!(Language::from_tag("EN_gb").vocabulary().is_stop_word("the"));
        assert!(Language::from_tag("").vocabulary().is_stop_word("the"));
        assert!(Language::from_tag("it").stemmer().is_some());
        assert!(Language::from_tag("pl").stemmer().is_none());
    }
}
