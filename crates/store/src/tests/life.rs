//! How a store is to live before its power is cut: how long, in what weather, and what is written.

use std::sync::Arc;

use super::content::Change;
use super::dice::Dice;
use super::event::Sabotage;

/// Keys of each table.
const KEYS: usize = 12;
/// What can go wrong while the store lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Weather {
    Fair,
    /// Calls fail.
    Failing,
    /// Syncs lie.
    Lying,
}

/// How a life is to be.
#[derive(Clone)]
pub(crate) struct Life {
    pub(crate) commits: usize,
    pub(crate) weather: Weather,
    /// Longest value in bytes, which few values have.
    pub(crate) value_bytes: usize,
    pub(crate) cache_bytes: usize,
    pub(crate) sabotage: Option<Sabotage>,
    /// Acknowledges before committing, to prove that the tests find it.
    pub(crate) hasty: bool,
}

impl Life {
    /// One of those that are met in practice.
    pub(crate) fn any(dice: &mut Dice) -> Self {
        Self {
            commits: 8 + dice.below(24),
            weather: match dice.below(10) {
                0..=2 => Weather::Failing,
                _ => Weather::Fair,
            },
            value_bytes: match dice.below(64) {
                0 => 150_000,
                1..=7 => 12_000,
                _ => 700,
            },
            cache_bytes: dice.pick(&[0, 20_000, 1 << 20, 1 << 20]),
            sabotage: None,
            hasty: false,
        }
    }
}

/// Some changes, as one caller makes them.
pub(crate) fn changes(life: &Life, dice: &mut Dice) -> Vec<Change> {
    (0..1 + dice.below(3))
        .map(|_| {
            let key = vec![b'k'; 1 + dice.below(KEYS)];
            let length = match dice.below(10) {
                0 => dice.below(life.value_bytes + 1),
                1 => 0,
                _ => dice.below(life.value_bytes.min(400)),
            };
            let value = (!dice.percent(30)).then(|| Arc::from(dice.bytes(length)));
            (dice.below(2), key, value)
        })
        .collect()
}
