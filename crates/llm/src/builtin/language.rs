//! What differs by language: the stemmer, the words that carry no topic, and the standing texts.

use rust_stemmers::{Algorithm, Stemmer};

/// A language as the built-in answerer knows it.
#[derive(Clone, Copy)]
pub struct Language {
    texts: &'static Texts,
    stop_words: &'static [&'static str],
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
        let (texts, stop_words): (_, &[&str]) = match primary.as_str() {
            "" | "en" => (&ENGLISH, EN),
            "de" => (&GERMAN, DE),
            "fr" => (&FRENCH, FR),
            "es" => (&SPANISH, ES),
            _ => (&ENGLISH, &[]),
        };
        Self {
            texts,
            stop_words,
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

    /// Whether a lower-case word carries no topic: articles, pronouns, auxiliaries, and what questions are made of.
    pub(super) fn is_stop_word(self, word: &str) -> bool {
        self.stop_words.binary_search(&word).is_ok()
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

// Sorted by code point; a test holds them to it.

const EN: &[&str] = &[
    "a",
    "about",
    "actually",
    "after",
    "again",
    "all",
    "already",
    "also",
    "am",
    "an",
    "and",
    "any",
    "anyone",
    "anything",
    "are",
    "aren",
    "as",
    "ask",
    "at",
    "be",
    "because",
    "been",
    "being",
    "but",
    "by",
    "can",
    "cannot",
    "could",
    "couldn",
    "d",
    "did",
    "didn",
    "do",
    "does",
    "doesn",
    "doing",
    "don",
    "done",
    "else",
    "explain",
    "find",
    "for",
    "from",
    "get",
    "give",
    "go",
    "going",
    "got",
    "had",
    "has",
    "have",
    "having",
    "he",
    "hello",
    "help",
    "her",
    "here",
    "hey",
    "hi",
    "him",
    "his",
    "how",
    "i",
    "if",
    "in",
    "into",
    "is",
    "isn",
    "it",
    "its",
    "just",
    "kindly",
    "know",
    "let",
    "like",
    "ll",
    "m",
    "many",
    "may",
    "me",
    "might",
    "mine",
    "much",
    "must",
    "my",
    "myself",
    "need",
    "needs",
    "no",
    "not",
    "now",
    "of",
    "off",
    "ok",
    "on",
    "one",
    "or",
    "our",
    "out",
    "over",
    "own",
    "please",
    "possible",
    "put",
    "question",
    "re",
    "really",
    "s",
    "say",
    "shall",
    "she",
    "should",
    "show",
    "so",
    "some",
    "somehow",
    "someone",
    "something",
    "still",
    "such",
    "t",
    "tell",
    "than",
    "thank",
    "thanks",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "thing",
    "things",
    "this",
    "those",
    "to",
    "too",
    "up",
    "us",
    "use",
    "used",
    "using",
    "ve",
    "very",
    "want",
    "was",
    "way",
    "ways",
    "we",
    "well",
    "were",
    "what",
    "when",
    "where",
    "whether",
    "which",
    "while",
    "who",
    "whom",
    "whose",
    "why",
    "will",
    "wish",
    "with",
    "won",
    "work",
    "works",
    "would",
    "yes",
    "you",
    "your",
    "yours",
];

const DE: &[&str] = &[
    "ab", "aber", "alle", "alles", "als", "also", "am", "an", "auch", "auf", "aus", "bei", "beim",
    "bekomme", "bin", "bis", "bitte", "brauche", "da", "damit", "dann", "darf", "das", "dass",
    "dein", "deine", "dem", "den", "denn", "der", "des", "die", "dies", "diese", "diesem",
    "diesen", "dieser", "dieses", "dir", "doch", "du", "durch", "ein", "eine", "einem", "einen",
    "einer", "eines", "er", "es", "etwas", "euch", "euer", "eure", "frage", "für", "gegen", "geht",
    "genau", "gerne", "gibt", "habe", "haben", "hallo", "hat", "hier", "ich", "ihr", "ihre",
    "ihren", "im", "in", "ist", "ja", "kann", "kannst", "kein", "keine", "können", "könnte",
    "lassen", "lässt", "mal", "man", "mein", "meine", "meinem", "meinen", "meiner", "mich", "mir",
    "mit", "muss", "möchte", "müssen", "nach", "nein", "nicht", "noch", "nun", "nur", "ob", "oder",
    "ohne", "schon", "sehr", "sein", "seine", "sich", "sie", "sind", "so", "soll", "sollte", "um",
    "und", "uns", "unser", "unsere", "vom", "von", "vor", "wann", "war", "warum", "was", "weil",
    "welche", "welchem", "welchen", "welcher", "welches", "wem", "wen", "wenn", "wer", "werde",
    "werden", "wie", "wieso", "will", "wir", "wird", "wo", "wofür", "woher", "wohin", "womit",
    "wäre", "würde", "zu", "zum", "zur", "über",
];

const FR: &[&str] = &[
    "ai", "alors", "après", "as", "au", "aussi", "aux", "avec", "avez", "avoir", "avons",
    "bonjour", "c", "ce", "cela", "ces", "cet", "cette", "ceux", "chez", "comme", "comment", "d",
    "dans", "de", "des", "dois", "doit", "donc", "du", "elle", "elles", "en", "entre", "es", "est",
    "et", "faire", "fait", "faut", "il", "ils", "j", "je", "l", "la", "le", "les", "leur", "leurs",
    "lui", "ma", "mais", "me", "mes", "moi", "mon", "même", "n", "ne", "non", "nos", "notre",
    "nous", "on", "ont", "ou", "oui", "où", "par", "pas", "peut", "peux", "plus", "pour",
    "pourquoi", "pouvez", "pouvoir", "puis", "qu", "quand", "que", "quel", "quelle", "quelles",
    "quels", "qui", "quoi", "s", "sa", "sans", "se", "ses", "si", "son", "sont", "suis", "sur",
    "svp", "t", "ta", "te", "tes", "toi", "ton", "tous", "tout", "tu", "un", "une", "veut", "veux",
    "voir", "vos", "votre", "voudrais", "vous", "y", "à", "êtes", "être",
];

const ES: &[&str] = &[
    "a", "al", "algo", "aquí", "así", "aunque", "cada", "como", "con", "cuando", "cuál", "cuáles",
    "cuándo", "cuánta", "cuánto", "cuántos", "cómo", "de", "debe", "debo", "del", "desde", "donde",
    "dónde", "e", "el", "ella", "ellas", "ellos", "en", "entre", "era", "eres", "es", "esa", "ese",
    "eso", "esta", "estas", "este", "esto", "estos", "está", "están", "favor", "fue", "ha", "hace",
    "hacer", "hago", "han", "hasta", "hay", "hola", "la", "las", "le", "les", "lo", "los", "me",
    "mi", "mis", "mucho", "muy", "más", "ni", "no", "nos", "nosotros", "nuestra", "nuestro", "o",
    "os", "otra", "otro", "para", "pero", "por", "porque", "puede", "puedo", "pues", "que",
    "quien", "quiero", "quién", "qué", "se", "sea", "ser", "si", "sin", "sobre", "son", "soy",
    "su", "sus", "sí", "también", "te", "tengo", "ti", "tiene", "todo", "todos", "tu", "tus", "u",
    "un", "una", "unas", "uno", "unos", "usted", "y", "ya", "yo",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_sorted_so_that_they_can_be_found() {
        for words in [EN, DE, FR, ES] {
            for pair in words.windows(2) {
                assert!(pair[0] < pair[1], "{} before {}", pair[0], pair[1]);
            }
        }
    }

    #[test]
    fn tags_with_regions_are_understood() {
        assert_eq!(Language::from_tag("de-AT").texts().from, "Aus");
        assert!(Language::from_tag("EN_gb").is_stop_word("the"));
        assert!(Language::from_tag("").is_stop_word("the"));
        assert!(Language::from_tag("it").stemmer().is_some());
        assert!(Language::from_tag("pl").stemmer().is_none());
    }
}
