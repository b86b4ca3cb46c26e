//! Words that stand in every text and tell none from another.
//!
//! Short lists on purpose: how rare a word is weighs it anyway, and a list that is too long loses questions.
//! Other languages do without.

use chat_api::Language;

/// The stop words of a language, sorted.
pub(super) const fn of(language: Language) -> &'static [&'static str] {
    match language {
        Language::Danish => DANISH,
        Language::German => GERMAN,
        Language::English => ENGLISH,
        Language::Spanish => SPANISH,
        Language::French => FRENCH,
        Language::Italian => ITALIAN,
        Language::Dutch => DUTCH,
        Language::Portuguese => PORTUGUESE,
        Language::Swedish => SWEDISH,
        _ => &[],
    }
}

const DANISH: &[&str] = &[
    "af", "alle", "at", "blev", "da", "de", "dem", "den", "der", "det", "din", "du", "efter",
    "eller", "en", "er", "et", "for", "fra", "før", "ham", "han", "har", "havde", "hun", "hvad",
    "hvem", "hvor", "hvordan", "hvorfor", "hvornår", "i", "ikke", "jeg", "jer", "kan", "kunne",
    "man", "med", "men", "mig", "min", "nu", "når", "og", "om", "op", "os", "over", "på", "skal",
    "som", "så", "til", "ud", "var", "vi", "vil", "være",
];

const GERMAN: &[&str] = &[
    "aber", "alle", "als", "also", "am", "an", "auch", "auf", "aus", "bei", "bin", "bis", "da",
    "damit", "dann", "das", "dass", "dein", "deine", "dem", "den", "der", "des", "die", "dies",
    "diese", "diesem", "diesen", "dieser", "dieses", "doch", "du", "durch", "ein", "eine", "einem",
    "einen", "einer", "eines", "er", "es", "etwas", "für", "gibt", "habe", "haben", "hat", "hatte",
    "ich", "ihm", "ihn", "ihr", "ihre", "ihren", "im", "in", "ist", "ja", "jede", "jeder", "kann",
    "kein", "keine", "können", "man", "mein", "meine", "mich", "mir", "mit", "muss", "nach",
    "nicht", "noch", "nur", "ob", "oder", "ohne", "sehr", "sein", "seine", "sich", "sie", "sind",
    "so", "soll", "um", "und", "uns", "unser", "unter", "vom", "von", "vor", "wann", "warum",
    "was", "weil", "welche", "welcher", "welches", "wenn", "wer", "werde", "werden", "wie",
    "wieder", "will", "wir", "wird", "wo", "zu", "zum", "zur", "über",
];

const ENGLISH: &[&str] = &[
    "a", "about", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "could",
    "did", "do", "does", "doesn't", "don't", "for", "from", "had", "has", "have", "he", "her",
    "hers", "him", "his", "how", "i", "i'd", "i'll", "i'm", "i've", "if", "in", "into", "is",
    "isn't", "it", "it's", "its", "me", "my", "of", "on", "or", "our", "please", "she", "should",
    "so", "that", "that's", "the", "their", "them", "then", "there", "these", "they", "this",
    "those", "to", "was", "we", "were", "what", "what's", "when", "where", "which", "who", "whom",
    "why", "will", "with", "would", "you", "your", "yours",
];

const SPANISH: &[&str] = &[
    "a", "al", "algo", "como", "con", "cuando", "cuál", "cuándo", "cómo", "de", "del", "desde",
    "donde", "dónde", "e", "el", "ella", "ellos", "en", "entre", "era", "es", "esa", "ese", "eso",
    "esta", "este", "esto", "está", "están", "fue", "ha", "han", "hasta", "hay", "la", "las", "le",
    "les", "lo", "los", "me", "mi", "mis", "muy", "más", "ni", "no", "nos", "o", "para", "pero",
    "por", "porque", "puede", "puedo", "que", "quien", "quién", "qué", "se", "ser", "si", "sin",
    "sobre", "son", "su", "sus", "sí", "también", "te", "tiene", "tu", "tus", "un", "una", "uno",
    "y", "ya", "yo",
];

const FRENCH: &[&str] = &[
    "a", "ai", "ainsi", "au", "aux", "avec", "avez", "avoir", "c'est", "ce", "ces", "cet", "cette",
    "comme", "comment", "dans", "de", "des", "dois", "doit", "du", "elle", "elles", "en", "est",
    "et", "eu", "faire", "faut", "il", "ils", "j'ai", "je", "l'on", "la", "le", "les", "leur",
    "leurs", "lui", "ma", "mais", "me", "mes", "moi", "mon", "même", "n'est", "ne", "nos", "notre",
    "nous", "on", "ont", "ou", "où", "par", "pas", "peut", "peux", "plus", "pour", "pourquoi",
    "puis", "qu'est", "quand", "que", "quel", "quelle", "quelles", "quels", "qui", "sa", "sans",
    "se", "ses", "si", "son", "sont", "sur", "ta", "te", "tes", "toi", "ton", "tu", "un", "une",
    "va", "vos", "votre", "vous", "y", "à", "ça", "été", "être",
];

const ITALIAN: &[&str] = &[
    "a", "ad", "agli", "ai", "al", "alla", "alle", "anche", "che", "chi", "ci", "come", "con",
    "cosa", "da", "dal", "dalla", "dei", "del", "della", "delle", "di", "dove", "e", "ed", "gli",
    "ha", "hanno", "ho", "i", "il", "in", "io", "la", "le", "lei", "lo", "loro", "lui", "ma", "mi",
    "mia", "mio", "ne", "nei", "nel", "nella", "noi", "non", "o", "per", "perché", "più", "posso",
    "può", "quale", "quali", "quando", "quanto", "questa", "questo", "qui", "se", "si", "sia",
    "sono", "su", "sua", "sul", "sulla", "suo", "ti", "tra", "tu", "un", "una", "uno", "vi", "è",
];

const DUTCH: &[&str] = &[
    "aan", "als", "bij", "daar", "dan", "dat", "de", "deze", "die", "dit", "doen", "door", "een",
    "en", "er", "geen", "had", "hebben", "heeft", "het", "hij", "hoe", "hun", "ik", "in", "is",
    "je", "jij", "kan", "kun", "kunnen", "maar", "me", "met", "mij", "mijn", "moet", "naar",
    "niet", "nog", "nu", "of", "om", "onder", "ons", "ook", "op", "over", "te", "tot", "u", "uit",
    "uw", "van", "veel", "voor", "waar", "waarom", "wanneer", "wat", "we", "welke", "wij", "wil",
    "worden", "wordt", "zal", "ze", "zich", "zij", "zijn", "zo",
];

const PORTUGUESE: &[&str] = &[
    "a", "ao", "aos", "as", "até", "com", "como", "da", "das", "de", "dela", "dele", "do", "dos",
    "e", "ela", "elas", "ele", "eles", "em", "entre", "era", "essa", "esse", "esta", "este",
    "está", "eu", "foi", "há", "isso", "isto", "já", "lhe", "mais", "mas", "me", "meu", "minha",
    "muito", "na", "nas", "no", "nos", "nossa", "nosso", "não", "o", "onde", "os", "ou", "para",
    "pela", "pelo", "pode", "por", "porque", "posso", "quais", "qual", "quando", "que", "quem",
    "se", "sem", "ser", "seu", "sua", "são", "também", "te", "tem", "um", "uma", "você", "à", "é",
];

const SWEDISH: &[&str] = &[
    "alla", "att", "av", "blev", "bli", "de", "dem", "den", "det", "din", "du", "där", "efter",
    "ej", "eller", "en", "er", "ett", "från", "för", "ha", "hade", "han", "har", "hon", "hur",
    "här", "i", "icke", "inte", "jag", "kan", "kunde", "man", "med", "men", "mig", "min", "mot",
    "mycket", "måste", "ni", "nu", "när", "och", "om", "oss", "på", "sig", "sin", "ska", "skall",
    "som", "så", "till", "upp", "ut", "vad", "var", "varför", "vem", "vi", "vid", "vilken", "vill",
    "än", "är",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_can_be_searched() {
        for language in Language::ALL {
            assert!(of(language).is_sorted(), "{language}");
        }
        assert!(of(Language::English).binary_search(&"the").is_ok());
    }
}
