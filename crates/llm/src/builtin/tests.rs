//! The answerer as a whole.

use super::*;
use llm_api::Turn;

const RETURNS: &str = "Unused items can come back within 30 days of delivery. Keep the receipt. \
    Refunds reach your card in five working days.\n\n- Gift cards cannot be returned.\n- Sale items can.";
const SHIPPING: &str = "We ship with the post.\n\nTo follow a parcel, open this address:\n\nhttps://track.example/\n\n\
    Parcels to Austria take three days.";

fn passage(title: &str, heading: &str, text: &str) -> Passage {
    Passage {
        document: format!("{title}.md"),
        title: title.into(),
        heading: heading.into(),
        text: text.into(),
    }
}

fn ask(question: &str) -> Answer {
    answer(&request(question, "en"))
}

fn request(question: &str, language: &str) -> AnswerRequest {
    AnswerRequest {
        bot: "shop".into(),
        provider: llm_api::BUILT_IN.into(),
        instructions: String::new(),
        language: language.into(),
        question: question.into(),
        passages: vec![
            passage("Shop", "Returns", RETURNS),
            passage("Shop", "Shipping", SHIPPING),
        ],
        turns: Vec::new(),
    }
}

#[test]
fn the_sentence_that_answers_is_quoted_with_its_source() {
    let answer = ask("When do refunds reach my card?");
    assert_eq!(
        answer.text,
        "From “Shop › Returns”:\n“Refunds reach your card in five working days.”"
    );
    assert_eq!(answer.outcome, Outcome::Answered);
    assert_eq!(
        answer.sources,
        [Source {
            passage: 0,
            quote: "Refunds reach your card in five working days.".into()
        }]
    );
}

#[test]
fn code_is_quoted_with_what_introduces_it() {
    let answer = ask("How can I follow my parcel?");
    assert!(
        answer
            .text
            .contains("“To follow a parcel, open this address:\nhttps://track.example/"),
        "{}",
        answer.text
    );
}

#[test]
fn what_the_documents_do_not_hold_is_not_answered() {
    for question in [
        "What is the capital of France?",
        "Do you repair bicycles?",
        "???",
        "asdf",
        "the",
    ] {
        let answer = ask(question);
        assert_eq!(
            answer.outcome,
            Outcome::Unknown,
            "{question}: {}",
            answer.text
        );
        assert_eq!(answer.sources, []);
        assert!(answer.text.starts_with("I could not find"));
    }
}

#[test]
fn a_question_that_leans_on_the_one_before_finds_its_topic() {
    let mut request = request("And to Austria?", "en");
    request.turns.push(Turn {
        role: Role::Visitor,
        text: "How long do parcels take?".into(),
    });
    assert!(
        answer(&request)
            .text
            .contains("Parcels to Austria take three days.")
    );
}

#[test]
fn the_standing_text_is_in_the_bots_language() {
    for (language, starts) in [
        ("de", "Dazu habe ich"),
        ("fr", "Je n’ai pas"),
        ("es", "No he"),
        ("pl", "I could not"),
    ] {
        assert!(
            answer(&request("Xylophon?", language))
                .text
                .starts_with(starts),
            "{language}"
        );
    }
}

#[test]
fn a_greeting_is_answered_without_documents() {
    let answer = ask("Hello!");
    assert_eq!(
        (answer.outcome, answer.sources.len()),
        (Outcome::Answered, 0)
    );
}

#[test]
fn a_providers_answer_is_led_back_to_its_passages() {
    let passages = request("x", "en").passages;
    let found = support(
        "Refunds will reach your card within five working days of our receiving the item.",
        &passages,
        "en",
    );
    assert_eq!(
        found,
        [Source {
            passage: 0,
            quote: "Refunds reach your card in five working days.".into()
        }]
    );
    assert_eq!(
        support("I like trains and long walks by the sea.", &passages, "en"),
        []
    );
}
