//! Chooses which sentences to quote, and whether any of them is an answer.

use super::{
    blocks::Kind,
    rank::{Ranking, SENTENCE_BYTES, Unit},
};

/// The least share of the question that the best sentence must cover, its headings included. Chosen by the questions in
/// `tests.rs`, which hold it.
const THRESHOLD: f32 = 0.45;
/// The fewest words of topic that the best sentence and its headings share with a question that has as many.
const TOPICS: u32 = 2;
/// The share below which a further sentence of the same passage is not worth quoting beside the best.
const BESIDE: f32 = 0.75;
/// The share below which a sentence of another passage is not worth quoting beside the best.
const ELSEWHERE: f32 = 0.95;
/// Most sentences that are chosen for themselves.
const CHOSEN: usize = 3;
/// What is quoted grows by the sentences that follow until it has this many bytes.
const GOAL_BYTES: usize = 360;
/// A list or a piece of code that belongs to what is quoted is added up to this many bytes.
const LIST_BYTES: usize = 600;

/// The indices of the units to quote, in the order of the text; none when the passages do not answer.
pub(super) fn choose(ranking: &Ranking<'_>) -> Vec<usize> {
    let Some(best) = ranking.best().filter(|best| answers(ranking, *best)) else {
        return Vec::new();
    };
    let mut chosen = vec![best];
    grow(ranking, best, &mut chosen);
    let mut others: Vec<usize> = (0..ranking.units().len())
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

/// Whether a unit matches well enough to be an answer.
fn answers(ranking: &Ranking<'_>, index: usize) -> bool {
    let unit = ranking.unit(index);
    unit.covers >= THRESHOLD && unit.topics >= TOPICS.min(ranking.topics())
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
        && !unit.text.ends_with(['?', '？'])
        && unit.score >= share * top.score
        && ranking.own_share(unit) >= share * ranking.own_share(top)
        && unit.text != top.text
}

/// Adds what the best unit needs beside it to be understood.
fn grow(ranking: &Ranking<'_>, best: usize, chosen: &mut Vec<usize>) {
    let passage = ranking.unit(best).passage;
    let same = |index: usize| {
        ranking
            .units()
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
    for unit in ranking.units() {
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
