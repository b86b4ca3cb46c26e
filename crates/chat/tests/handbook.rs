//! Natural questions find the right document of the operator's handbook.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use chat::knowledge;
use chat::library::PASSAGES;
use chat::retrieval::{Document, Index, Words, analyse};
use chat_api::{Language, MediaType};

/// The right document must be the first passage's for at least this share of the questions.
const FIRST_PERCENT: usize = 80;

/// Questions as operators ask them, in other words than the headings', and the document that answers.
const QUESTIONS: [(&str, &str); 32] = [
    (
        "How do I get the chat onto my web page?",
        "embed-the-widget.md",
    ),
    (
        "My website shows an empty box instead of the assistant",
        "embed-the-widget.md",
    ),
    (
        "Which HTML tag do I paste into my site?",
        "embed-the-widget.md",
    ),
    (
        "Can visitors write very long messages?",
        "embed-the-widget.md",
    ),
    (
        "where do I put my own TLS certificate",
        "embed-the-widget.md",
    ),
    (
        "Can my own app hold a conversation through a WebSocket?",
        "talk-over-a-websocket.md",
    ),
    (
        "What does close code 1012 mean?",
        "talk-over-a-websocket.md",
    ),
    ("Can I upload PDFs?", "add-documents.md"),
    (
        "How do I delete an old document from the knowledge base?",
        "add-documents.md",
    ),
    ("What is the biggest file I can add?", "add-documents.md"),
    (
        "My texts are in French, does that work?",
        "add-documents.md",
    ),
    ("How can I use OpenAI?", "connect-a-provider.md"),
    ("where does the API key go", "connect-a-provider.md"),
    (
        "I run ollama in my local network, can the bot use that model?",
        "connect-a-provider.md",
    ),
    (
        "What does a visitor see when the AI is down?",
        "connect-a-provider.md",
    ),
    ("How do I make a backup?", "back-up-and-restore.md"),
    (
        "The old machine died, how do I restore on a new one?",
        "back-up-and-restore.md",
    ),
    (
        "I lost the encryption key, is everything gone?",
        "back-up-and-restore.md",
    ),
    ("How do I block an IP address?", "bans.md"),
    ("Someone floods us with connections", "bans.md"),
    (
        "A customer asks us to erase his data under the GDPR",
        "privacy-requests.md",
    ),
    ("How long are conversations stored?", "privacy-requests.md"),
    ("Who can read what visitors typed?", "privacy-requests.md"),
    ("Our provider key leaked, what now?", "incident-response.md"),
    ("A service keeps restarting", "incident-response.md"),
    ("How do I upgrade to the newest version?", "updates.md"),
    (
        "Can two machines share the visitors of a bot?",
        "several-appliances.md",
    ),
    ("How do I open a port?", "open-ports.md"),
    ("Does nft flush ruleset remove the rules?", "open-ports.md"),
    (
        "Which port do appliances use between one another?",
        "several-appliances.md",
    ),
    (
        "How many instances of a bot do I need?",
        "more-instances.md",
    ),
    (
        "What happens to conversations when I lower the instances?",
        "more-instances.md",
    ),
];

fn handbook(words: &Words) -> Index {
    let mut index = Index::default();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("handbook")).unwrap()
    {
        let path = entry.unwrap().path();
        let source = std::fs::read(&path).unwrap();
        let readable = knowledge::read(&source, MediaType::Markdown).unwrap();
        let document = Document {
            name: path.file_name().unwrap().to_str().unwrap().parse().unwrap(),
            title: readable.title.unwrap(),
            text: readable.text,
            chunks: readable.chunks,
            bytes: source.len() as u64,
            added: 0,
            digest: [0; 32],
        };
        index.insert(analyse(document, words));
    }
    index
}

#[test]
fn the_right_document_is_among_the_first_three_passages() {
    let words = Words::of(Language::English);
    let index = handbook(&words);
    let mut first = 0;
    let mut missed = Vec::new();
    for (question, document) in QUESTIONS {
        let found = index.search(question, &words, PASSAGES);
        let names: Vec<&str> = found
            .iter()
            .map(|passage| passage.document().name.as_str())
            .collect();
        first += usize::from(names.first() == Some(&document));
        if !names.iter().take(3).any(|name| *name == document) {
            missed.push((question, document, names.join(" ")));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(
        first * 100 >= QUESTIONS.len() * FIRST_PERCENT,
        "{first} of {} first",
        QUESTIONS.len()
    );
}
