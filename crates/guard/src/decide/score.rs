//! Pure: scores that halve with time, of as many clients as there is room for.

mod pieces;
mod rows;

#[cfg(test)]
mod tests;

use guard_api::Evidence;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use self::pieces::{Piece, Pieces};
use self::rows::{Client, Row, Rows};
use super::Seen;
use crate::kinds;
use crate::names::{Name, Names};
use crate::prefix::Prefix;
use crate::rules::Rule;

/// Scores of clients, of all rules together. Which one goes when one more comes, `rows` says.
pub const SCORES_MAX: usize = 16_384;

/// What is kept of that which led to a score: the first, and the latest.
pub const EVIDENCE_MAX: usize = 8;

/// The highest score that is restored, as a logarithm to base 2.
const LEVEL_MAX: f64 = 40.0;

/// Milliseconds in a second.
const MS: f64 = 1000.0;

/// A score as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    prefix: IpNet,
    level: f64,
    evidence: Vec<Evidence>,
}

/// How one rule's scores fade, and how high they get.
#[derive(Debug, Clone, Copy)]
struct Pace {
    half_life_ms: f64,
    /// The logarithm to base 2 of the score that is banned.
    threshold: f64,
}

impl Pace {
    fn half_lives(&self, now_ms: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact for 280 000 years")]
        let now = now_ms as f64;
        now / self.half_life_ms
    }
}

/// The scores of all rules.
///
/// All scores of a rule halve in the same time. What is kept is a score's logarithm to base 2 plus the number of
/// half-lives since 1970, its level, which does not change while nothing comes.
#[derive(Debug)]
pub struct Scores {
    paces: Vec<Pace>,
    rows: Rows,
    pieces: Pieces,
    kinds: Names,
    units: Names,
    added: u32,
}

impl Scores {
    /// No scores yet, and room for so many.
    #[must_use]
    pub fn new(rules: &[Rule], room: usize) -> Self {
        let pace = |rule: &Rule| {
            #[expect(clippy::cast_precision_loss, reason = "bounded where it is configured")]
            let half_life_ms = rule.half_life_s.max(1) as f64 * MS;
            Pace {
                half_life_ms,
                threshold: rule.threshold.log2(),
            }
        };
        Self {
            paces: rules.iter().map(pace).collect(),
            rows: Rows::new(room),
            pieces: Pieces::default(),
            kinds: Names::default(),
            units: Names::default(),
            added: 0,
        }
    }

    fn pace(&self, rule: usize) -> Option<(u8, Pace)> {
        Some((u8::try_from(rule).ok()?, *self.paces.get(rule)?))
    }

    /// The score by the rule of that place at `now_ms`, in milliseconds since 1970.
    #[must_use]
    pub fn score(&self, rule: usize, of: &Prefix, now_ms: u64) -> f64 {
        let Some((number, pace)) = self.pace(rule) else {
            return 0.0;
        };
        let row = self.rows.get(Client::of(of), number);
        row.map_or(0.0, |row| (row.level - pace.half_lives(now_ms)).exp2())
    }

    /// Adds points by the rule of that place, and gives the new score. `now_ms` must not go back.
    pub fn add(
        &mut self,
        rule: usize,
        to: &Prefix,
        points: f64,
        seen: &Seen<'_>,
        now_ms: u64,
    ) -> f64 {
        let Some((rule, pace)) = self.pace(rule) else {
            return 0.0;
        };
        let (client, half_lives) = (Client::of(to), pace.half_lives(now_ms));
        let piece = self.piece(now_ms / 1000, seen);
        self.added = self.added.wrapping_add(1);
        let (touched, mut score) = (self.added, points);
        let level = |score: f64| (score.log2() + half_lives).max(0.0);
        let (paces, pieces) = (&self.paces, &mut self.pieces);
        self.rows.change(
            client,
            rule,
            |row| {
                score += (row.level - half_lives).exp2();
                row.level = level(score);
                row.touched = touched;
                row.latest = pieces.put(client, piece, row.latest);
                row.count = row.count.saturating_add(1);
            },
            || Row::new(client, rule, level(points), piece, touched),
            |row| worth(paces, row, now_ms),
        );
        score
    }

    fn piece(&mut self, at: u64, seen: &Seen<'_>) -> Piece {
        // Kinds are few, and never go.
        let kind = self.kinds.number(seen.kind, |_| {});
        let unit = self.unit(seen.unit);
        Piece::new(seen.client, at, seen.times, kind, unit)
    }

    fn unit(&mut self, unit: &str) -> Name {
        let (rows, pieces) = (&self.rows, &self.pieces);
        self.units.number(unit, |used| {
            let firsts = rows.iter().map(|row| &row.first);
            firsts
                .chain(pieces.iter())
                .for_each(|piece| used(piece.unit()));
        })
    }

    fn shown(&self, row: &Row) -> Vec<Evidence> {
        let most = usize::from(row.count).min(EVIDENCE_MAX).saturating_sub(1);
        let names = (&self.kinds, &self.units);
        self.pieces
            .shown(row.client(), &row.first, row.latest, most, names)
    }

    /// What led to the score, the earliest first.
    #[must_use]
    pub fn evidence(&self, rule: usize, of: &Prefix) -> Vec<Evidence> {
        let row = self.pace(rule);
        let row = row.and_then(|(rule, _)| self.rows.get(Client::of(of), rule));
        row.map(|row| self.shown(row)).unwrap_or_default()
    }

    /// The highest scores of each rule, at most `most` of each, for [`Self::restore`].
    #[must_use]
    pub fn dump(&self, most: usize) -> Vec<Vec<Kept>> {
        let mut rules: Vec<Vec<&Row>> = self.paces.iter().map(|_| Vec::new()).collect();
        for row in self.rows.iter() {
            if let Some(rule) = rules.get_mut(usize::from(row.rule)) {
                rule.push(row);
            }
        }
        let highest = rules.into_iter().map(|mut rows| {
            if rows.len() > most {
                rows.select_nth_unstable_by(most, |one, other| other.level.total_cmp(&one.level));
                rows.truncate(most);
            }
            let kept = rows.into_iter().filter_map(|row| {
                Some(Kept {
                    prefix: row.client().prefix()?.into(),
                    level: row.level,
                    evidence: self.shown(row),
                })
            });
            kept.collect()
        });
        highest.collect()
    }

    /// Takes a score that [`Self::dump`] gave. `now_ms` keeps one of another clock from being taken for a high one.
    pub fn restore(&mut self, rule: usize, kept: &Kept, now_ms: u64) {
        let Some((rule, pace)) = self.pace(rule) else {
            return;
        };
        let client = Client::of(&kept.prefix.into());
        let most = pace.half_lives(now_ms) + LEVEL_MAX;
        if !(kept.level.is_finite() && kept.level <= most) || self.rows.get(client, rule).is_some()
        {
            return;
        }
        let mut pieces = Vec::new();
        for one in kept.evidence.iter().take(EVIDENCE_MAX) {
            let seen = Seen {
                kind: kinds::named(&one.kind).unwrap_or_default(),
                client: one.client,
                unit: &one.unit,
                times: one.times,
            };
            pieces.push(self.piece(one.at, &seen));
        }
        let mut later = pieces.into_iter();
        let Some(first) = later.next() else { return };
        self.added = self.added.wrapping_add(1);
        let mut row = Row::new(client, rule, kept.level.max(0.0), first, self.added);
        for piece in later {
            row.latest = self.pieces.put(client, piece, row.latest);
            row.count = row.count.saturating_add(1);
        }
        let paces = &self.paces;
        self.rows.change(
            client,
            rule,
            |_| {},
            || row,
            |row| worth(paces, row, now_ms),
        );
    }

    /// Forgets a client's scores by all rules.
    pub fn forget(&mut self, of: &Prefix) {
        self.rows.forget(Client::of(of));
    }

    /// How many scores there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nobody has a score.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.len() == 0
    }
}

/// How near a ban a score is, as a logarithm: what scores of different rules are compared by.
fn worth(paces: &[Pace], row: &Row, now_ms: u64) -> f64 {
    let pace = paces.get(usize::from(row.rule));
    pace.map_or(f64::MIN, |pace| {
        row.level - pace.half_lives(now_ms) - pace.threshold
    })
}
