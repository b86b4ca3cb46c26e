//! Greetings and thanks, which no document answers.

use super::{language::Language, words::words};

/// Longest message, in words, that can be small talk.
const WORDS: usize = 5;

const GREETINGS: &[&str] = &[
    "hello",
    "hi",
    "hey",
    "morning",
    "afternoon",
    "evening",
    "greetings",
    "hallo",
    "servus",
    "moin",
    "guten",
    "tag",
    "morgen",
    "abend",
    "bonjour",
    "bonsoir",
    "salut",
    "hola",
    "buenos",
    "buenas",
    "días",
    "tardes",
    "noches",
];
const THANKS: &[&str] = &[
    "thanks", "thank", "thx", "cheers", "danke", "dank", "vielen", "merci", "beaucoup", "gracias",
    "muchas",
];
/// What may stand beside either.
const FILLERS: &[&str] = &[
    "there", "good", "you", "very", "much", "so", "a", "lot", "all", "schön", "und", "and",
];

/// The reply to a message that is nothing but a greeting or thanks.
pub(super) fn reply(message: &str, language: Language) -> Option<&'static str> {
    let (mut greets, mut thanks) = (false, false);
    for (count, word) in words(message).enumerate() {
        let word = word.to_lowercase();
        let word = word.as_str();
        if count >= WORDS {
            return None;
        } else if GREETINGS.contains(&word) {
            greets = true;
        } else if THANKS.contains(&word) {
            thanks = true;
        } else if !FILLERS.contains(&word) {
            return None;
        }
    }
    if thanks {
        Some(language.texts().thanks)
    } else if greets {
        Some(language.texts().greeting)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_talk_is_small_talk() {
        for message in ["Hello", "good morning!", "Hi there", "Guten Tag", "¡Hola!"] {
            assert_eq!(
                reply(message, Language::from_tag("en")),
                Some("Hello! What would you like to know?"),
                "{message}"
            );
        }
        for message in [
            "Thanks!",
            "thank you very much",
            "Hi and thanks",
            "Merci beaucoup",
        ] {
            assert_eq!(
                reply(message, Language::from_tag("en")),
                Some("You are welcome."),
                "{message}"
            );
        }
        for message in [
            "",
            "?!",
            "Hello, where is my order?",
            "good",
            "you",
            "there",
            "hi hi hi hi hi hi",
        ] {
            assert_eq!(reply(message, Language::from_tag("en")), None, "{message}");
        }
    }
}
