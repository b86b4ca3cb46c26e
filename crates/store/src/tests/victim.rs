//! A file that is changed: how it came to be, and what is done to it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::content::Model;
use super::dice::Dice;
use super::event::Event;
use super::history::History;
use super::image::{Image, SECTOR};
use super::life::{Life, Weather};
use crate::Mark;
use crate::layout::BLOCK_BYTES;

/// A file, and how it came to be.
pub(super) struct Victim {
    pub(super) image: Image,
    /// What it holds.
    pub(super) model: Arc<Model>,
    /// What the anchor knows.
    pub(super) newest: Option<Mark>,
    /// What it held before.
    pub(super) older: Vec<Arc<Model>>,
    /// Every place that was ever written, with all that it held, oldest first.
    versions: BTreeMap<usize, Vec<Arc<[u8]>>>,
    /// Where writes went, oldest first.
    written: Vec<usize>,
}

/// The block of the file that `at` lies in.
fn place(at: usize) -> Range<usize> {
    let first = at / BLOCK_BYTES * BLOCK_BYTES;
    first..first + BLOCK_BYTES
}

impl Victim {
    pub(super) fn make(dice: &mut Dice) -> Self {
        let life = Life {
            commits: 20 + dice.below(30),
            weather: Weather::Fair,
            value_bytes: dice.pick(&[700, 700, 700, 9000]),
            ..Life::any(dice)
        };
        let history = History::record(&life, dice);
        let mut versions: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut written = Vec::new();
        for event in &history.log {
            if let Event::Write { at, data } = event {
                let mut at = *at;
                let mut rest = &data[..];
                while !rest.is_empty() {
                    let (now, later) = rest.split_at(rest.len().min(place(at).end - at));
                    versions.entry(at).or_default().push(Arc::from(now));
                    written.push(at);
                    at += now.len();
                    rest = later;
                }
            }
        }
        Self {
            image: history.last(),
            model: Arc::clone(history.states.last().unwrap()),
            newest: history.known(history.log.len()).newest(),
            older: history.acknowledged().cloned().collect(),
            versions,
            written,
        }
    }

    /// A place that was written; often one of the last.
    fn place(&self, dice: &mut Dice) -> Range<usize> {
        let from = match dice.below(3) {
            0 => self.written.len().saturating_sub(40),
            1 => self.written.len().saturating_sub(150),
            _ => 0,
        };
        place(dice.pick(&self.written[from..]))
    }

    /// Some byte of a place that was written.
    fn byte(&self, dice: &mut Dice) -> usize {
        let place = self.place(dice);
        place.start + dice.below(place.len())
    }

    fn replay(&self, image: &mut Image, dice: &mut Dice) {
        let at = self.place(dice).start;
        if let Some(versions) = self.versions.get(&at) {
            image.write(at, &versions[dice.below(versions.len())]);
        }
    }

    pub(super) fn mutate(&self, dice: &mut Dice) -> (Image, &'static str) {
        let mut image = self.image.clone();
        let how = match dice.below(12) {
            0 => {
                flip(&mut image, self.byte(dice), dice);
                "a bit flipped"
            }
            1 => {
                for _ in 0..=dice.below(100) {
                    flip(&mut image, self.byte(dice), dice);
                }
                "bits flipped"
            }
            2 => {
                let at = self.byte(dice) / SECTOR * SECTOR;
                put(&mut image, at, &[0; SECTOR]);
                "a sector zeroed"
            }
            3 => {
                let place = self.place(dice);
                put(&mut image, place.start, &vec![0; place.len()]);
                "a block zeroed"
            }
            4 => {
                let (one, other) = (self.place(dice), self.place(dice));
                let mut copy = vec![0; one.len()];
                image.read(one.start, &mut copy);
                put(&mut image, other.start, &copy);
                "a block put over another"
            }
            5 => {
                let (one, other) = (self.place(dice), self.place(dice));
                let (mut first, mut second) = (vec![0; one.len()], vec![0; other.len()]);
                image.read(one.start, &mut first);
                image.read(other.start, &mut second);
                put(&mut image, other.start, &first);
                put(&mut image, one.start, &second);
                "two blocks swapped"
            }
            6 => {
                let length = if dice.percent(50) {
                    self.byte(dice)
                } else {
                    dice.below(image.len())
                };
                image.resize(length);
                "cut short"
            }
            7 => {
                let more = dice.below(20_000);
                let noise = dice.bytes(more);
                image.write(image.len(), &noise);
                "made longer"
            }
            8 => {
                let at = self.byte(dice);
                let length = 1 + dice.below(200);
                let noise = dice.bytes(length);
                put(&mut image, at, &noise);
                "noise"
            }
            9 => {
                self.replay(&mut image, dice);
                "a block replayed"
            }
            10 => {
                for _ in 0..2 + dice.below(30) {
                    self.replay(&mut image, dice);
                }
                "blocks replayed"
            }
            _ => {
                self.replay(&mut image, dice);
                flip(&mut image, self.byte(dice), dice);
                "a block replayed, a bit flipped"
            }
        };
        (image, how)
    }
}

fn flip(image: &mut Image, at: usize, dice: &mut Dice) {
    let mut byte = [0];
    if image.read(at, &mut byte) {
        image.write(at, &[byte[0] ^ (1 << dice.below(8))]);
    }
}

/// Writes what of it lies within the file.
fn put(image: &mut Image, at: usize, data: &[u8]) {
    let length = image.len().saturating_sub(at).min(data.len());
    image.write(at.min(image.len()), &data[..length]);
}
