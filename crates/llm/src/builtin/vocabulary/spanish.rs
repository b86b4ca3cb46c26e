//! Spanish.

use super::Vocabulary;

/// What is known about Spanish words.
pub(in crate::builtin) const WORDS: Vocabulary = Vocabulary {
    stop_words: &[
        "a", "al", "algo", "aquí", "así", "aunque", "cada", "como", "con", "cuando", "cuál",
        "cuáles", "cuándo", "cuánta", "cuánto", "cuántos", "cómo", "de", "debe", "debo", "del",
        "desde", "donde", "dónde", "e", "el", "ella", "ellas", "ellos", "en", "entre", "era",
        "eres", "es", "esa", "ese", "eso", "esta", "estas", "este", "esto", "estos", "está",
        "están", "favor", "fue", "ha", "hace", "hacer", "hago", "han", "hasta", "hay", "hola",
        "la", "las", "le", "les", "lo", "los", "me", "mi", "mis", "mucho", "muy", "más", "ni",
        "no", "nos", "nosotros", "nuestra", "nuestro", "o", "os", "otra", "otro", "para", "pero",
        "por", "porque", "puede", "puedo", "pues", "que", "quien", "quiero", "quién", "qué", "se",
        "sea", "ser", "si", "sin", "sobre", "son", "soy", "su", "sus", "sí", "también", "te",
        "tengo", "ti", "tiene", "todo", "todos", "tu", "tus", "u", "un", "una", "unas", "uno",
        "unos", "usted", "y", "ya", "yo",
    ],
    weak_words: &[
        "ayuda",
        "ayudar",
        "bien",
        "buena",
        "bueno",
        "diferencia",
        "diferente",
        "fácil",
        "grande",
        "largo",
        "mejor",
        "menudo",
        "nueva",
        "nuevo",
        "pequeño",
        "posible",
        "rápido",
        "tiempo",
        "tipo",
        "tipos",
        "viejo",
    ],
    figures: &["cuánt", "qué tamaño"],
    irregular: &[],
};
