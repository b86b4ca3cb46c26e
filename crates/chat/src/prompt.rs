//! Pure: what the provider broker is asked, and what is taken of its answer.

use chat_api::visitor::Source;
use chat_api::{BotFile, BotName};
use llm_api::{AnswerRequest, Role, Turn};

use crate::conversation::printable;
use crate::conversations::Exchange;
use crate::retrieval::Passage;

/// Most earlier exchanges that a provider is told.
pub const HISTORY_EXCHANGES: usize = 8;

/// Most bytes of earlier messages that a provider is told.
pub const HISTORY_BYTES: usize = 32 * 1024;

/// The request that asks a question.
#[must_use]
pub fn request(
    bot: &BotName,
    file: &BotFile,
    question: &str,
    passages: &[Passage],
    earlier: &[Exchange],
) -> AnswerRequest {
    AnswerRequest {
        bot: bot.to_string(),
        provider: file.provider.clone(),
        instructions: file.instructions.clone(),
        language: file.language.to_string(),
        question: question.to_owned(),
        passages: passages
            .iter()
            .map(|passage| llm_api::Passage {
                document: passage.document().name.to_string(),
                title: passage.document().title.clone(),
                heading: passage.heading().to_owned(),
                text: passage.text().to_owned(),
            })
            .collect(),
        turns: turns(earlier),
    }
}

/// The last exchanges that fit, oldest first. One that was never answered is left out: providers want turns to alternate.
fn turns(earlier: &[Exchange]) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut bytes = 0;
    let answered = earlier
        .iter()
        .rev()
        .filter_map(|exchange| Some((&exchange.question, exchange.answer.as_ref()?)));
    for (question, answer) in answered.take(HISTORY_EXCHANGES) {
        bytes += question.text.len() + answer.text.len();
        if bytes > HISTORY_BYTES {
            break;
        }
        turns.push(Turn {
            role: Role::Assistant,
            text: answer.text.clone(),
        });
        turns.push(Turn {
            role: Role::Visitor,
            text: question.text.clone(),
        });
    }
    turns.reverse();
    turns
}

/// The text of a piece of an answer, without control characters.
#[must_use]
pub fn printed(mut text: String) -> String {
    if !text.chars().all(printable) {
        text.retain(printable);
    }
    text
}

/// The sources that an answer names, as far as they hold: a passage that was not sent is no source, and words that do
/// not stand in a passage are no quote of it. Each passage counts once for each quote.
#[must_use]
pub fn sources(passages: &[Passage], named: &[llm_api::Source]) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for llm_api::Source { passage, quote } in named {
        let Some(passage) = passages.get(*passage) else {
            continue;
        };
        let source = Source {
            document: passage.document().name.to_string(),
            title: passage.document().title.clone(),
            heading: passage.heading().to_owned(),
            quote: if stands_in(passage.text(), quote) {
                quote.clone()
            } else {
                String::new()
            },
        };
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    sources
}

/// Whether these words stand in the text one after the other, however they are spaced.
fn stands_in(text: &str, quote: &str) -> bool {
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.contains(quote) || squeeze(text).contains(&squeeze(quote))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::knowledge;
    use crate::retrieval::{Document, Index, Words, analyse};
    use crate::schema::MessageRecord;

    fn passages() -> Vec<Passage> {
        let source = b"# Refunds\n\nMoney comes\nback in five days.";
        let readable = knowledge::read(source, chat_api::MediaType::Markdown).unwrap();
        let words = Words::of(chat_api::Language::English);
        let document = Document {
            name: "refunds.md".parse().unwrap(),
            title: "Refunds".into(),
            text: readable.text,
            chunks: readable.chunks,
            bytes: 0,
            added: 0,
            digest: [0; 32],
        };
        let mut index = Index::default();
        index.insert(analyse(document, &words));
        index.search("refund", &words, 3)
    }

    fn exchange(number: u32, text: &str, answered: bool) -> Exchange {
        let id = |part: &str| format!("{part}{number}").try_into().unwrap();
        let record = |part, text: &str| MessageRecord {
            id: id(part),
            text: text.into(),
            sources: Vec::new(),
            at: 0,
        };
        Exchange {
            number,
            question: record("q", text),
            answer: answered.then(|| record("a", text)),
        }
    }

    #[test]
    fn only_what_holds_is_a_source() {
        let named = |passage, quote: &str| llm_api::Source {
            passage,
            quote: quote.into(),
        };
        let kept = sources(
            &passages(),
            &[
                named(0, "comes back in  five"),
                named(0, "comes back in  five"),
                named(0, "in ten days"),
                named(7, "Money"),
            ],
        );
        let quotes: Vec<&str> = kept.iter().map(|source| source.quote.as_str()).collect();
        assert_eq!(quotes, ["comes back in  five", ""]);
        assert_eq!(
            (&*kept[0].document, &*kept[0].title),
            ("refunds.md", "Refunds")
        );
    }

    #[test]
    fn history_is_the_last_that_fits_in_order() {
        let earlier: Vec<Exchange> = (0..20)
            .map(|number| exchange(number, &format!("t{number}"), number != 18))
            .collect();
        let texts: Vec<String> = turns(&earlier).into_iter().map(|turn| turn.text).collect();
        assert_eq!(texts.len(), HISTORY_EXCHANGES * 2);
        assert_eq!((texts[0].as_str(), texts[15].as_str()), ("t11", "t19"));
        assert!(!texts.contains(&"t18".to_owned()));
        let long = vec![
            exchange(0, &"x".repeat(HISTORY_BYTES), true),
            exchange(1, "y", true),
        ];
        assert_eq!(turns(&long).len(), 2);
    }

    #[test]
    fn every_request_is_within_the_brokers_limits() {
        let bot = "shop".parse().unwrap();
        let long = "x".repeat(chat_api::limits::MESSAGE_BYTES);
        let earlier: Vec<Exchange> = (0..40)
            .map(|number| exchange(number, &long, true))
            .collect();
        let mut file = BotFile::new("Shop");
        file.instructions = "x".repeat(chat_api::limits::INSTRUCTIONS_BYTES);
        file.provider = "x".repeat(chat_api::limits::PROVIDER_BYTES);
        let request = request(&bot, &file, &long, &passages(), &earlier);
        assert_eq!(request.check(), Ok(()));
    }

    #[test]
    fn control_characters_of_a_provider_go() {
        assert_eq!(printed("a\u{1b}]0;x\u{7}\r\nb".into()), "a]0;x\nb");
        assert_eq!(printed("plain\ttext\n".into()), "plain\ttext\n");
    }
}
