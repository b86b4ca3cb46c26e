#![expect(clippy::unwrap_used, reason = "tests")]

use chat_api::{Language, MediaType};
use proptest::prelude::*;

use super::*;
use crate::knowledge;

fn analysed(name: &str, source: &str) -> Analysed {
    let readable = knowledge::read(source.as_bytes(), MediaType::Markdown).unwrap();
    let document = Document {
        name: name.parse().unwrap(),
        title: readable.title.unwrap_or_default(),
        text: readable.text,
        chunks: readable.chunks,
        bytes: source.len() as u64,
        added: 0,
        digest: [0; 32],
    };
    analyse(document, &words())
}

fn words() -> Words {
    Words::of(Language::English)
}

fn found(index: &Index, question: &str) -> Vec<(String, String)> {
    let passages = index.search(question, &words(), 5);
    passages
        .iter()
        .map(|passage| {
            (
                passage.document().name.to_string(),
                passage.text().to_owned(),
            )
        })
        .collect()
}

fn shop() -> Index {
    let mut index = Index::default();
    index.insert(analysed(
        "refunds.md",
        "# Refunds\n\nMoney comes back in five days.\n\n## Exceptions\n\nOpened tea stays yours.",
    ));
    index.insert(analysed(
        "tea.md",
        "# Tea\n\nWe sell green tea and black tea.\n\n## Storage\n\nKeep it dry.",
    ));
    index.insert(analysed(
        "hours.md",
        "# Hours\n\nThe shop is open on weekdays.",
    ));
    index
}

#[test]
fn the_passage_that_answers_comes_first() {
    let index = shop();
    assert_eq!(
        found(&index, "When do I get refunded?")[0].1,
        "Money comes back in five days."
    );
    assert_eq!(found(&index, "advice on tea storage")[0].1, "Keep it dry.");
    assert_eq!(found(&index, "When is the shop open?")[0].0, "hours.md");
    assert_eq!(
        found(&index, "Can I give back an opened tea?")[0].1,
        "Opened tea stays yours."
    );
    assert_eq!(found(&index, "quantum chromodynamics"), []);
    assert_eq!(found(&index, "how do you"), []);
    assert!(index.search("tea", &words(), 0).is_empty());
}

#[test]
fn what_is_removed_is_not_found_and_leaves_nothing() {
    let mut index = shop();
    let before = index.clone();
    assert!(index.remove(&"tea.md".parse().unwrap()));
    assert!(!index.remove(&"tea.md".parse().unwrap()));
    assert!(found(&index, "green").is_empty());
    assert_eq!(found(&before, "green").len(), 2 - 1);
    for name in ["refunds.md", "hours.md"] {
        index.remove(&name.parse().unwrap());
    }
    assert!(index.is_empty() && index.postings.is_empty());
    assert_eq!(
        (index.chunks(), index.text_bytes(), index.length),
        (0, 0, 0)
    );
}

#[test]
fn a_document_of_the_same_name_takes_the_place() {
    let mut index = shop();
    index.insert(analysed("tea.md", "# Tea\n\nOnly coffee now."));
    assert_eq!(index.len(), 3);
    assert!(found(&index, "green").is_empty());
    assert_eq!(found(&index, "coffee")[0].1, "Only coffee now.");
}

#[test]
fn equal_passages_come_by_name() {
    let mut index = Index::default();
    for name in ["c.md", "a.md", "b.md"] {
        index.insert(analysed(name, "tea"));
    }
    let names: Vec<String> = found(&index, "tea")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["a.md", "b.md", "c.md"]);
}

proptest! {
    /// However documents came and went, the index finds what a new one would.
    #[test]
    fn the_order_of_changes_does_not_show(changes in prop::collection::vec((0_u8..6, 0_u8..4), 0..24)) {
        const TEXTS: [&str; 3] = ["tea and cups", "# Tea\n\ngreen tea\n\n## Cups\n\nblue cups", "cups of coffee"];
        let mut index = Index::default();
        let mut held = BTreeMap::new();
        for (name, change) in changes {
            let name = format!("{name}.md");
            if let Some(text) = TEXTS.get(usize::from(change)) {
                index.insert(analysed(&name, text));
                held.insert(name, *text);
            } else {
                prop_assert_eq!(index.remove(&name.parse().unwrap()), held.remove(&name).is_some());
            }
        }
        let mut fresh = Index::default();
        for (name, text) in &held {
            fresh.insert(analysed(name, text));
        }
        for question in ["tea", "blue cups", "coffee cups tea"] {
            let score = |index: &Index| -> Vec<(String, String, f64)> {
                let passages = index.search(question, &words(), 9);
                passages.iter().map(|one| (one.document().name.to_string(), one.text().to_owned(), one.score)).collect()
            };
            prop_assert_eq!(score(&index), score(&fresh));
        }
        prop_assert_eq!(index.chunks(), fresh.chunks());
    }

    #[test]
    fn any_question_can_be_asked(question in ".{0,200}") {
        let passages = shop().search(&question, &words(), 3);
        prop_assert!(passages.len() <= 3);
        prop_assert!(passages.iter().all(|passage| passage.score > 0.0 && passage.score.is_finite()));
    }
}
