//! Weighs the sentences of the passages against the question.

use llm_api::Passage;

use super::{
    blocks::{Block, Kind, blocks},
    sentences::sentences,
    terms::{Query, TERMS},
};

/// What a question's term is worth where it stands, against one in the sentence itself.
const IN_HEADING: f32 = 0.8;
const IN_TITLE: f32 = 0.5;
const IN_PASSAGE: f32 = 0.35;
/// How much more a term weighs that is nowhere in the passages.
const ABSENT: f32 = 1.5;
/// What each place further down in the retrieval's order costs.
const PLACE: f32 = 0.02;
/// What it is worth to be the first sentence under a heading.
const LEAD: f32 = 0.04;
/// How much less code and rows are worth than sentences, which answer by themselves.
const BARE: f32 = 0.75;
/// How much less a question is worth, which answers none.
const QUESTION: f32 = 0.7;
/// What a figure is worth where the question asks for one.
const FIGURE: f32 = 0.08;

/// The share of the best block's match below which a block is not split into sentences.
const SPLIT: f32 = 0.7;
/// Longest sentence that is quoted, in bytes: a longer one is no sentence but a text without stops.
pub(super) const SENTENCE_BYTES: usize = 900;

/// A set of the question's terms, one bit each.
pub(super) type Set = u32;
const _: () = assert!(TERMS <= Set::BITS as usize);

/// One sentence, list item, row or piece of code.
pub(super) struct Unit<'a> {
    /// The index of its passage.
    pub(super) passage: usize,
    /// What it is.
    pub(super) kind: Kind,
    /// Its text as it stands in the passage.
    pub(super) text: &'a str,
    /// Which block of the passage it is of.
    pub(super) block: usize,
    /// The question's terms in it.
    pub(super) terms: Set,
    /// The share of the question that it covers, its headings and passage included.
    pub(super) covers: f32,
    /// How many words of topic it and its headings share with the question.
    pub(super) topics: u32,
    /// By which units are ordered.
    pub(super) score: f32,
}

/// The passages' sentences, weighed.
pub(super) struct Ranking<'a> {
    /// All units in the order of the text. Blocks without any of the terms are one unit each.
    units: Vec<Unit<'a>>,
    /// What each term weighs.
    weights: Vec<f32>,
    /// The terms that carry the topic.
    topic: Set,
}

impl<'a> Ranking<'a> {
    /// Weighs every sentence of the passages.
    pub(super) fn new(query: &Query, passages: &'a [Passage]) -> Self {
        let readings: Vec<Reading<'a>> = passages
            .iter()
            .map(|passage| Reading::new(query, passage))
            .collect();
        let topics = (0..query.len()).filter(|term| query.is_topic(*term));
        let mut ranking = Self {
            units: Vec::new(),
            weights: weights(query, &readings),
            topic: topics.fold(0, |set, term| set | 1 << term),
        };
        let covers = |reading: &Reading<'_>, own| ranking.covers(own, reading);
        let best = readings
            .iter()
            .flat_map(|reading| {
                reading
                    .blocks
                    .iter()
                    .map(move |(_, own)| covers(reading, *own))
            })
            .fold(0.0, f32::max);
        for (index, reading) in readings.iter().enumerate() {
            ranking.add(query, index, reading, SPLIT * best);
        }
        ranking
    }

    /// Adds the units of a passage. Its blocks are taken as they are where they cover less than `split` of the question:
    /// finding the sentences is most of the work, and theirs will not be quoted for their own sake.
    fn add(&mut self, query: &Query, index: usize, reading: &Reading<'a>, split: f32) {
        let place = PLACE * f32::from(u8::try_from(index).unwrap_or(u8::MAX));
        let mut lead = LEAD;
        for (at, (block, terms)) in reading.blocks.iter().enumerate() {
            let bare = block.kind == Kind::Lines;
            let texts = if bare || self.covers(*terms, reading) < split {
                vec![block.text]
            } else {
                sentences(block.text)
            };
            let whole = texts.len() == 1;
            for text in texts {
                let own = if whole { *terms } else { terms_in(query, text) };
                let covers = self.covers(own, reading);
                let figure =
                    query.asks_for_figure() && text.bytes().any(|byte| byte.is_ascii_digit());
                let worth = if bare {
                    BARE
                } else if text.ends_with(['?', '？']) {
                    QUESTION
                } else {
                    1.0
                };
                let score =
                    covers * worth * (1.0 - place) + lead + if figure { FIGURE } else { 0.0 };
                let topics = ((own | reading.heading | reading.title) & self.topic).count_ones();
                let (kind, block) = (block.kind, at);
                self.units.push(Unit {
                    passage: index,
                    kind,
                    text,
                    block,
                    terms: own,
                    covers,
                    topics,
                    score,
                });
                lead = 0.0;
            }
        }
    }

    /// The share of the question that terms of the passage cover, with what stands around them.
    fn covers(&self, own: Set, around: &Reading<'_>) -> f32 {
        let (mut covered, mut all) = (0.0, 0.0);
        for (term, weight) in self.weights.iter().enumerate() {
            let has = |set: Set| set & (1 << term) != 0;
            all += weight;
            covered += weight
                * if has(own) {
                    1.0
                } else if has(around.heading) {
                    IN_HEADING
                } else if has(around.title) {
                    IN_TITLE
                } else if has(around.anywhere) {
                    IN_PASSAGE
                } else {
                    0.0
                };
        }
        if all > 0.0 { covered / all } else { 0.0 }
    }

    /// The share of the question that the unit's own words cover.
    pub(super) fn own_share(&self, unit: &Unit<'_>) -> f32 {
        self.covers(unit.terms, &Reading::default())
    }

    /// All units, in the order of the text.
    pub(super) fn units(&self) -> &[Unit<'a>] {
        &self.units
    }

    /// The unit at an index.
    pub(super) fn unit(&self, index: usize) -> &Unit<'a> {
        &self.units[index]
    }

    /// How many words of topic the question has.
    pub(super) fn topics(&self) -> u32 {
        self.topic.count_ones()
    }

    /// The unit with the highest score that can be quoted.
    pub(super) fn best(&self) -> Option<usize> {
        let quotable = |unit: &&(usize, &Unit<'_>)| unit.1.text.len() <= SENTENCE_BYTES;
        self.units
            .iter()
            .enumerate()
            .filter(|unit| quotable(&unit))
            .max_by(|one, other| {
                one.1
                    .score
                    .total_cmp(&other.1.score)
                    .then(other.0.cmp(&one.0))
            })
            .map(|(index, _)| index)
    }
}

/// A passage, read for its terms.
#[derive(Default)]
struct Reading<'a> {
    title: Set,
    heading: Set,
    /// In any of its blocks.
    anywhere: Set,
    blocks: Vec<(Block<'a>, Set)>,
}

impl<'a> Reading<'a> {
    fn new(query: &Query, passage: &'a Passage) -> Self {
        let read = |block: Block<'a>| (block, terms_in(query, block.text));
        let blocks: Vec<_> = blocks(&passage.text).into_iter().map(read).collect();
        Self {
            title: terms_in(query, &passage.title),
            heading: terms_in(query, &passage.heading),
            anywhere: blocks.iter().fold(0, |all, (_, own)| all | own),
            blocks,
        }
    }
}

fn terms_in(query: &Query, text: &str) -> Set {
    let mut set = 0;
    query.matches(text, |term| set |= 1 << term);
    set
}

/// How rare each term is among the blocks (inverse document frequency). One that is in none of them weighs more than any:
/// retrieval would have found it, so the documents do not speak of it.
fn weights(query: &Query, readings: &[Reading<'_>]) -> Vec<f32> {
    let blocks = || readings.iter().flat_map(|reading| &reading.blocks);
    let all = number(blocks().count());
    let labels = readings
        .iter()
        .fold(0, |all, reading| all | reading.heading | reading.title);
    (0..query.len())
        .map(|term| {
            let has = |set: Set| set & (1 << term) != 0;
            let with = number(blocks().filter(|(_, own)| has(*own)).count());
            let absent = with == 0.0 && !has(labels);
            query.weight(term)
                * if absent { ABSENT } else { 1.0 }
                * (1.0 + (all + 0.5) / (with + 0.5)).ln()
        })
        .collect()
}

fn number(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}
