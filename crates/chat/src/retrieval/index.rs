//! The inverted index.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chat_api::DocumentName;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::Words;
use crate::knowledge::Chunk;

/// How much a word's repetition in a passage counts (BM25's k1; Robertson and Zaragoza 2009, 3.4.3).
const K1: f64 = 1.2;

/// How much a passage's length counts (BM25's b).
const B: f64 = 0.75;

/// How often a word of a passage's headings counts: headings say what a passage is about.
const HEADING_WEIGHT: u16 = 2;

/// How often a word of the document's title counts, in each of its passages that stand under a heading of their own. For
/// the others the title is the heading.
const TITLE_WEIGHT: u16 = 1;

/// A document as it is searched and quoted.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name in the knowledge base.
    pub name: DocumentName,
    /// Its title.
    pub title: String,
    /// Its readable text.
    pub text: String,
    /// The passages of its text.
    pub chunks: Vec<Chunk>,
    /// Its size in bytes, as it was given.
    pub bytes: u64,
    /// When it was added, in milliseconds since 1970.
    pub added: u64,
    /// The hash of what it is written in and of its content.
    pub digest: [u8; 32],
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("bytes", &self.bytes)
            .field("chunks", &self.chunks.len())
            .finish_non_exhaustive()
    }
}

/// Where a word stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Posting {
    /// The document's place in [`Index::slots`].
    slot: u32,
    /// The passage in the document.
    chunk: u16,
    /// How often it stands there, as weighted.
    count: u16,
}

/// A document with its words counted, ready for an index. Making one is the work; adding it is little.
#[derive(Debug)]
pub struct Analysed {
    document: Document,
    /// Words of each passage.
    lengths: Vec<u32>,
    words: HashMap<Box<str>, Vec<(u16, u16)>>,
}

impl Analysed {
    /// The document.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }
}

/// Counts a document's words.
#[must_use]
pub fn analyse(document: Document, words: &Words) -> Analysed {
    let mut found: HashMap<Box<str>, Vec<(u16, u16)>> = HashMap::new();
    let mut lengths = Vec::with_capacity(document.chunks.len());
    for (number, chunk) in document.chunks.iter().enumerate() {
        // Reading bounds a document's passages far below this.
        let Ok(number) = u16::try_from(number) else {
            break;
        };
        let mut length = 0_u32;
        let text = document
            .text
            .get(chunk.start..chunk.end)
            .unwrap_or_default();
        let title_weight = if chunk.heading.is_empty() {
            HEADING_WEIGHT
        } else {
            TITLE_WEIGHT
        };
        for (part, weight) in [
            (text, 1),
            (&*chunk.heading, HEADING_WEIGHT),
            (&*document.title, title_weight),
        ] {
            words.each(part, |word| {
                length += 1;
                count(&mut found, word, number, weight);
            });
        }
        lengths.push(length);
    }
    Analysed {
        document,
        lengths,
        words: found,
    }
}

fn count(found: &mut HashMap<Box<str>, Vec<(u16, u16)>>, word: &str, chunk: u16, weight: u16) {
    if let Some(places) = found.get_mut(word) {
        match places.last_mut() {
            Some((last, count)) if *last == chunk => *count = count.saturating_add(weight),
            _ => places.push((chunk, weight)),
        }
    } else {
        found.insert(word.into(), vec![(chunk, weight)]);
    }
}

#[derive(Debug)]
struct Slot {
    document: Arc<Document>,
    lengths: Box<[u32]>,
    words: Box<[Arc<str>]>,
}

/// All documents of a bot, searchable. Cloning shares everything.
#[derive(Debug, Clone, Default)]
pub struct Index {
    slots: Vec<Option<Arc<Slot>>>,
    names: BTreeMap<DocumentName, usize>,
    postings: HashMap<Arc<str>, Arc<Vec<Posting>>>,
    /// The number of the first passage of each slot, counted over all.
    bases: Vec<usize>,
    chunks: usize,
    text_bytes: usize,
    /// Words of all passages.
    length: u64,
}

/// A passage that was found.
#[derive(Debug, Clone)]
pub struct Passage {
    document: Arc<Document>,
    chunk: usize,
    /// How well it fits; the higher the better, and comparable within one search only.
    pub score: f64,
}

impl Passage {
    /// The document that it stands in.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The headings that it stands under.
    #[must_use]
    pub fn heading(&self) -> &str {
        self.document
            .chunks
            .get(self.chunk)
            .map_or("", |chunk| &chunk.heading)
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        let chunk = self.document.chunks.get(self.chunk);
        chunk
            .and_then(|chunk| self.document.text.get(chunk.start..chunk.end))
            .unwrap_or_default()
    }
}

impl Index {
    /// Adds a document, in place of the one of its name.
    pub fn insert(&mut self, analysed: Analysed) {
        let Analysed {
            document,
            lengths,
            words: found,
        } = analysed;
        self.take(&document.name);
        let slot = self
            .slots
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.slots.len());
        // Bounded by the number of documents.
        let Ok(number) = u32::try_from(slot) else {
            return;
        };
        let mut words = Vec::with_capacity(found.len());
        for (word, places) in found {
            let added = places.into_iter().map(|(chunk, count)| Posting {
                slot: number,
                chunk,
                count,
            });
            let word: Arc<str> = match self.postings.get_key_value(&*word) {
                Some((known, _)) => Arc::clone(known),
                None => word.into(),
            };
            let postings = self.postings.entry(Arc::clone(&word)).or_default();
            Arc::make_mut(postings).extend(added);
            words.push(word);
        }
        self.names.insert(document.name.clone(), slot);
        let kept = Slot {
            document: Arc::new(document),
            lengths: lengths.into(),
            words: words.into(),
        };
        if slot == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot] = Some(Arc::new(kept));
        self.count();
    }

    /// Removes a document. Says whether there was one of that name.
    pub fn remove(&mut self, name: &DocumentName) -> bool {
        let found = self.take(name);
        self.count();
        found
    }

    fn take(&mut self, name: &DocumentName) -> bool {
        let Some(number) = self.names.remove(name) else {
            return false;
        };
        let Some(slot) = self.slots.get_mut(number).and_then(Option::take) else {
            return false;
        };
        for word in &slot.words {
            let Some(postings) = self.postings.get_mut(word) else {
                continue;
            };
            let left: Vec<Posting> = postings
                .iter()
                .filter(|posting| posting.slot as usize != number)
                .copied()
                .collect();
            if left.is_empty() {
                self.postings.remove(word);
            } else {
                *postings = Arc::new(left);
            }
        }
        true
    }

    fn count(&mut self) {
        self.bases.clear();
        (self.chunks, self.length, self.text_bytes) = (0, 0, 0);
        for slot in &self.slots {
            self.bases.push(self.chunks);
            if let Some(slot) = slot {
                self.chunks += slot.lengths.len();
                self.length += slot
                    .lengths
                    .iter()
                    .map(|length| u64::from(*length))
                    .sum::<u64>();
                self.text_bytes += slot.document.text.len();
            }
        }
    }

    /// How many passages all documents have.
    #[must_use]
    pub fn chunks(&self) -> usize {
        self.chunks
    }

    /// Bytes of readable text in all documents.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    /// How many documents there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Tells these documents from others: a hash of their names and contents, in hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut all = Sha256::new();
        for document in self.documents() {
            let name = document.name.as_str().as_bytes();
            all.update((name.len() as u64).to_be_bytes());
            all.update(name);
            all.update(document.digest);
        }
        HEXLOWER.encode(&all.finalize())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The document of this name.
    #[must_use]
    pub fn get(&self, name: &DocumentName) -> Option<&Document> {
        let slot = self.slots.get(*self.names.get(name)?)?.as_ref()?;
        Some(&slot.document)
    }

    /// All documents, by name.
    pub fn documents(&self) -> impl Iterator<Item = &Document> {
        self.names.keys().filter_map(|name| self.get(name))
    }

    /// The passages that fit a question best: at most `most`, best first. Those that fit equally well come by document
    /// and place, so that the same question finds the same passages.
    #[must_use]
    pub fn search(&self, question: &str, words: &Words, most: usize) -> Vec<Passage> {
        let mut asked: Vec<(&Arc<Vec<Posting>>, f64)> = Vec::new();
        let mut seen: Vec<&Arc<str>> = Vec::new();
        words.each(question, |word| {
            if let Some((word, postings)) = self.postings.get_key_value(word)
                && !seen.contains(&word)
            {
                seen.push(word);
                asked.push((postings, self.rarity(postings.len())));
            }
        });
        let mut scores = vec![0.0_f64; self.chunks];
        let mut touched: Vec<(u32, u16)> = Vec::new();
        let mean = self.length as f64 / self.chunks.max(1) as f64;
        for (postings, rarity) in asked {
            for posting in postings.iter() {
                let (slot, chunk) = (posting.slot as usize, usize::from(posting.chunk));
                let Some(length) = self.length_of(slot, chunk) else {
                    continue;
                };
                let count = f64::from(posting.count);
                let score = &mut scores[self.bases[slot] + chunk];
                if *score == 0.0 {
                    touched.push((posting.slot, posting.chunk));
                }
                *score += rarity * count * (K1 + 1.0)
                    / (count + K1 * (1.0 - B + B * f64::from(length) / mean));
            }
        }
        let mut found: Vec<Passage> = touched
            .into_iter()
            .filter_map(|(slot, chunk)| {
                let (slot, chunk) = (slot as usize, usize::from(chunk));
                let document = Arc::clone(&self.slots.get(slot)?.as_ref()?.document);
                Some(Passage {
                    document,
                    chunk,
                    score: scores[self.bases[slot] + chunk],
                })
            })
            .collect();
        let order = |one: &Passage, other: &Passage| {
            other
                .score
                .total_cmp(&one.score)
                .then_with(|| one.document.name.cmp(&other.document.name))
                .then_with(|| one.chunk.cmp(&other.chunk))
        };
        if found.len() > most && most > 0 {
            found.select_nth_unstable_by(most - 1, order);
        }
        found.truncate(most);
        found.sort_unstable_by(order);
        found
    }

    fn length_of(&self, slot: usize, chunk: usize) -> Option<u32> {
        self.slots.get(slot)?.as_ref()?.lengths.get(chunk).copied()
    }

    /// How much a word that stands in this many passages tells (BM25's idf; never negative).
    fn rarity(&self, passages: usize) -> f64 {
        let (all, with) = (self.chunks as f64, passages as f64);
        (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
