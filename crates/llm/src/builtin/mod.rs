//! The answerer that needs no provider and no network: it quotes the sentences that best match the question.
//!
//! Everything here is pure: a question and the passages that retrieval found go in, a short answer with its sources comes
//! out, or a sentence that says that the documents do not hold one.

mod blocks;
mod choose;
mod compose;
mod language;
mod rank;
mod sentences;
mod small_talk;
mod terms;
mod vocabulary;
mod words;

use llm_api::{AnswerRequest, Outcome, Passage, Role, Source};

pub use compose::word_groups;
pub use language::Language;

use rank::Ranking;
use terms::Query;

/// An answer, whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// What the visitor reads.
    pub text: String,
    /// Whether the passages held the answer.
    pub outcome: Outcome,
    /// The passages that it quotes.
    pub sources: Vec<Source>,
}

/// A question with fewer words of its own than this borrows the topic of the visitor's earlier one ("and in Germany?").
const OWN_TERMS: usize = 2;

/// Answers from the passages alone.
#[must_use]
pub fn answer(request: &AnswerRequest) -> Answer {
    let language = Language::from_tag(&request.language);
    if let Some(text) = small_talk::reply(&request.question, language) {
        return Answer {
            text: text.to_owned(),
            outcome: Outcome::Answered,
            sources: Vec::new(),
        };
    }
    let mut query = Query::new(&request.question, language);
    if query.len() < OWN_TERMS {
        let earlier = request
            .turns
            .iter()
            .rev()
            .find(|turn| turn.role == Role::Visitor);
        if let Some(turn) = earlier {
            query.borrow(&turn.text);
        }
    }
    let ranking = Ranking::new(&query, &request.passages);
    let chosen = choose::choose(&ranking);
    if chosen.is_empty() {
        return Answer {
            text: language.texts().unknown.to_owned(),
            outcome: Outcome::Unknown,
            sources: Vec::new(),
        };
    }
    let (text, sources) = compose::compose(&chosen, &ranking, &request.passages, language);
    Answer {
        text,
        outcome: Outcome::Answered,
        sources,
    }
}

/// Finds which passages a provider's answer rests on, by the words that they share, and quotes each where it matches best.
#[must_use]
pub fn support(text: &str, passages: &[Passage], language: &str) -> Vec<Source> {
    let query = Query::new(text, Language::from_tag(language));
    compose::sources(&choose::supporting(&Ranking::new(&query, passages)))
}

#[cfg(test)]
mod tests;
