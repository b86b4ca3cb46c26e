//! Weighs the sentences of the passages against the question, and chooses which to quote.

use llm_api::Passage;

use super::{
    blocks::{Block, Kind, blocks},
    sentences::sentences,
    terms::{Query, TERMS},
};

/// The least share of the question that the best sentence must cover, its headings included. Chosen by the questions in
/// `tests.rs`, which hold it.
const THRESHOLD: f32 = 0.55;
/// The share below which a further sentence of the same passage is not worth quoting beside the best.
const BESIDE: f32 = 0.75;
/// The share below which a sentence of another passage is not worth quoting beside the best.
const ELSEWHERE: f32 = 0.95;
/// Most sentences that are chosen for themselves.
const CHOSEN: usize = 3;
/// What is quoted grows by the sentences that follow until it has this many bytes.
const GOAL_BYTES: usize = 240;
/// A list or a piece of code that belongs to what is quoted is added up to this many bytes.
const LIST_BYTES: usize = 600;
/// Longest sentence that is quoted, in bytes: a longer one is no sentence but a text without stops.
const SENTENCE_BYTES: usize = 900;

/// What a question's term is worth where it stands, against one in the sentence itself.
const IN_HEADING: f32 = 0.8;
const IN_TITLE: f32 = 0.5;
const IN_PASSAGE: f32 = 0.35;
/// What each place further down in the retrieval's order costs.
const PLACE: f32 = 0.02;
/// What it is worth to be the first sentence under a heading.
const LEAD: f32 = 0.04;
/// How much less code and rows are worth than sentences, which answer by themselves.
const BARE: f32 = 0.85;

/// A set of the question's terms, one bit each.
type Set = u32;
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
    block: usize,
    /// The question's terms in it.
    terms: Set,
    /// The share of the question that it covers, its headings and passage included.
    covers: f32,
    /// By which units are ordered.
    score: f32,
}

/// The passages' sentences, weighed.
pub(super) struct Ranking<'a> {
    /// All units in the order of the text. Blocks without any of the terms are one unit each.
    units: Vec<Unit<'a>>,
    /// What each term weighs.
    weights: Vec<f32>,
}

impl<'a> Ranking<'a> {
    /// Weighs every sentence of the passages.
    pub(super) fn new(query: &Query, passages: &'a [Passage]) -> Self {
        let texts: Vec<Vec<(Block<'a>, Set)>> = passages
            .iter()
            .map(|passage| {
                blocks(&passage.text)
                    .into_iter()
                    .map(|block| (block, terms_in(query, block.text)))
                    .collect()
            })
            .collect();
        let mut ranking = Self {
            units: Vec::new(),
            weights: weights(query, &texts),
        };
        for (index, (passage, blocks)) in passages.iter().zip(&texts).enumerate() {
            ranking.add(query, index, passage, blocks);
        }
        ranking
    }

    fn add(
        &mut self,
        query: &Query,
        index: usize,
        passage: &'a Passage,
        blocks: &[(Block<'a>, Set)],
    ) {
        let title = terms_in(query, &passage.title);
        let heading = terms_in(query, &passage.heading);
        let anywhere = blocks.iter().fold(0, |all, (_, terms)| all | terms);
        let mut lead = true;
        for (at, (block, terms)) in blocks.iter().enumerate() {
            // Nobody splits what is not going to be quoted for its own sake.
            let whole = block.kind == Kind::Lines;
            let split = if whole || (*terms == 0 && !lead) {
                vec![block.text]
            } else {
                sentences(block.text)
            };
            let several = split.len() > 1;
            for text in split {
                let own = if several {
                    terms_in(query, text)
                } else {
                    *terms
                };
                let covers = self.covers(own, heading, title, anywhere);
                let bare = if whole { BARE } else { 1.0 };
                let place =
                    1.0 - PLACE * f32::from(u8::try_from(index).unwrap_or(u8::MAX)).min(20.0);
                let score = covers * bare * place + if lead { LEAD } else { 0.0 };
                self.units.push(Unit {
                    passage: index,
                    kind: block.kind,
                    text,
                    block: at,
                    terms: own,
                    covers,
                    score,
                });
                lead = false;
            }
        }
    }

    fn covers(&self, own: Set, heading: Set, title: Set, anywhere: Set) -> f32 {
        let (mut covered, mut all) = (0.0, 0.0);
        for (term, weight) in self.weights.iter().enumerate() {
            let has = |set: Set| set & (1 << term) != 0;
            all += weight;
            covered += weight
                * if has(own) {
                    1.0
                } else if has(heading) {
                    IN_HEADING
                } else if has(title) {
                    IN_TITLE
                } else if has(anywhere) {
                    IN_PASSAGE
                } else {
                    0.0
                };
        }
        if all > 0.0 { covered / all } else { 0.0 }
    }

    /// The share of the question that the unit's own words cover.
    fn own_share(&self, unit: &Unit<'_>) -> f32 {
        self.covers(unit.terms, 0, 0, 0)
    }

    /// The unit at an index.
    pub(super) fn unit(&self, index: usize) -> &Unit<'a> {
        &self.units[index]
    }

    fn best(&self) -> Option<usize> {
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

fn terms_in(query: &Query, text: &str) -> Set {
    let mut set = 0;
    query.matches(text, |term| set |= 1 << term);
    set
}

/// How rare each term is among the blocks (inverse document frequency); one that is in none weighs most.
fn weights(query: &Query, texts: &[Vec<(Block<'_>, Set)>]) -> Vec<f32> {
    let blocks = || texts.iter().flatten();
    let all = number(blocks().count());
    (0..query.len())
        .map(|term| {
            let with = number(
                blocks()
                    .filter(|(_, terms)| terms & (1 << term) != 0)
                    .count(),
            );
            query.weight(term) * (1.0 + (all + 0.5) / (with + 0.5)).ln()
        })
        .collect()
}

fn number(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}

/// The indices of the units to quote, in the order of the text; none when the passages do not answer.
pub(super) fn choose(ranking: &Ranking<'_>) -> Vec<usize> {
    let Some(best) = ranking
        .best()
        .filter(|best| ranking.unit(*best).covers >= THRESHOLD)
    else {
        return Vec::new();
    };
    let mut chosen = vec![best];
    grow(ranking, best, &mut chosen);
    let mut others: Vec<usize> = (0..ranking.units.len())
        .filter(|index| worth(ranking, best, *index))
        .collect();
    others.sort_by(|one, other| {
        ranking
            .unit(*other)
            .score
            .total_cmp(&ranking.unit(*one).score)
    });
    for index in others.into_iter().take(CHOSEN - 1) {
        if !chosen.contains(&index) {
            chosen.push(index);
        }
    }
    chosen.sort_unstable();
    chosen
}

/// Whether a unit adds to what the best one says.
fn worth(ranking: &Ranking<'_>, best: usize, index: usize) -> bool {
    let (top, unit) = (ranking.unit(best), ranking.unit(index));
    let share = if unit.passage == top.passage {
        BESIDE
    } else {
        ELSEWHERE
    };
    index != best
        && unit.text.len() <= SENTENCE_BYTES
        && unit.terms != 0
        && unit.score >= share * top.score
        && ranking.own_share(unit) >= share * ranking.own_share(top)
        && unit.text != top.text
}

/// Adds what the best unit needs beside it to be understood.
fn grow(ranking: &Ranking<'_>, best: usize, chosen: &mut Vec<usize>) {
    let passage = ranking.unit(best).passage;
    let same = |index: usize| {
        ranking
            .units
            .get(index)
            .filter(|unit| unit.passage == passage)
    };
    // Code and items are introduced by what stands before them.
    let mut first = best;
    while !is_running(ranking.unit(first).kind) && best - first < CHOSEN {
        let Some(before) = first.checked_sub(1).filter(|index| same(*index).is_some()) else {
            break;
        };
        if is_running(ranking.unit(before).kind) && !introduces(ranking.unit(before).text) {
            break;
        }
        first = before;
        chosen.push(first);
    }
    let mut bytes: usize = chosen
        .iter()
        .map(|index| ranking.unit(*index).text.len())
        .sum();
    let mut last = best;
    while let Some(next) = same(last + 1) {
        let unit = ranking.unit(last);
        let belongs = introduces(unit.text) || (!is_running(unit.kind) && !is_running(next.kind));
        let follows = next.block == unit.block
            || (is_running(unit.kind) && is_running(next.kind) && bytes < GOAL_BYTES / 2);
        let limit = if belongs { LIST_BYTES } else { GOAL_BYTES };
        if !(belongs || follows) || bytes + next.text.len() > limit {
            break;
        }
        bytes += next.text.len();
        last += 1;
        chosen.push(last);
    }
}

fn is_running(kind: Kind) -> bool {
    kind == Kind::Paragraph
}

fn introduces(text: &str) -> bool {
    text.ends_with([':', '：'])
}

/// Most sources of a provider's answer.
const SUPPORTING: usize = 3;
/// The least share of the answer that a sentence of the passage has in common with it.
const SHARED: f32 = 0.15;
/// The fewest terms that the two have in common.
const SHARED_TERMS: u32 = 3;

/// The best sentence of each passage that a whole answer rests on, best passage first.
pub(super) fn supporting<'r, 'a>(ranking: &'r Ranking<'a>) -> Vec<&'r Unit<'a>> {
    let mut best: Vec<(f32, &Unit<'a>)> = Vec::new();
    for unit in &ranking.units {
        let share = ranking.own_share(unit);
        if share < SHARED
            || unit.terms.count_ones() < SHARED_TERMS
            || unit.text.len() > SENTENCE_BYTES
        {
            continue;
        }
        match best
            .iter_mut()
            .find(|(_, other)| other.passage == unit.passage)
        {
            Some(other) if other.0 < share => *other = (share, unit),
            Some(_) => {}
            None => best.push((share, unit)),
        }
    }
    best.sort_by(|one, other| other.0.total_cmp(&one.0));
    best.truncate(SUPPORTING);
    best.into_iter().map(|(_, unit)| unit).collect()
}
