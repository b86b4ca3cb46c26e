//! A file that someone changed gives an error or the right content: never wrong data, never a
//! panic.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::anchored::Memory;
use super::content::{self, Found, Model, TABLES, abandon, change, same, write};
use super::dice::{Dice, Repeatable};
use super::history::{History, Life, Weather};
use super::image::{Image, SECTOR};
use super::proof::{Proof, Tally};
use super::simulated::{Event, Simulated};
use super::stale::Careless;
use crate::engine::Engine;
use crate::layout::BLOCK_BYTES;
use crate::{Anchor, Error, Mark};

/// Cases that change the same file.
const CASES_PER_FILE: u64 = 256;
/// Keys that are looked up where not everything can be read.
const LOOKUPS: usize = 3;

/// A file, and how it came to be.
struct Victim {
    image: Image,
    /// What it holds.
    model: Arc<Model>,
    /// What the anchor knows.
    newest: Option<Mark>,
    /// What it held before.
    older: Vec<Arc<Model>>,
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
    fn make(dice: &mut Dice) -> Self {
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

    fn mutate(&self, dice: &mut Dice) -> (Image, &'static str) {
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

/// Whether damage was refused as it should be: by a tag, and not because the engine stumbled over
/// what had passed as whole.
fn refused(error: &Error) -> Result<(), String> {
    match error {
        Error::Inconsistent(why) => Err(format!("WRONG: damage reached the engine: {why}")),
        Error::Io { doing, source } => {
            Err(format!("damage passed for a failure: {doing} {source}"))
        }
        _ => Ok(()),
    }
}

/// The state that may be found: without an `anchor`, damage to the newest commit can bring back an
/// older one, but never a mixture.
fn state<'v>(
    found: &Found,
    victim: &'v Victim,
    anchored: bool,
    tally: &mut Tally,
) -> Option<&'v Model> {
    if same(found, &victim.model) {
        *tally.entry("right").or_default() += 1;
        return Some(&victim.model);
    }
    if anchored {
        return None;
    }
    let older = victim.older.iter().find(|state| same(found, state))?;
    *tally.entry("older").or_default() += 1;
    Some(older)
}

fn look(image: Image, victim: &Victim, dice: &mut Dice, tally: &mut Tally) -> Result<(), String> {
    let disk = Simulated::holding(image);
    let anchor = dice
        .percent(50)
        .then(|| Memory::knowing(victim.newest, &disk));
    let anchor = anchor.as_ref();
    let engine = match content::open_with(&disk, anchor) {
        Ok(engine) => engine,
        Err(error) => {
            *tally.entry("refused").or_default() += 1;
            return refused(&error);
        }
    };
    let model = match content::content(&engine) {
        Ok(found) => Some(state(&found, victim, anchor.is_some(), tally).ok_or("WRONG content")?),
        Err(error) => {
            *tally.entry("refused_in_part").or_default() += 1;
            refused(&error)?;
            look_up(&engine, victim, anchor.is_some(), dice)?;
            None
        }
    };
    if dice.percent(20) {
        return go_on(engine, &disk, anchor, model, dice);
    }
    abandon(engine);
    Ok(())
}

/// Point reads take other paths, and go on where a block elsewhere is damaged.
fn look_up(
    engine: &Engine,
    victim: &Victim,
    anchored: bool,
    dice: &mut Dice,
) -> Result<(), String> {
    let mut states = vec![&victim.model];
    if !anchored {
        states.extend(&victim.older);
    }
    for _ in 0..LOOKUPS {
        let table = dice.below(TABLES.len());
        let key = vec![b'k'; 1 + dice.below(12)];
        match content::read(engine, |tx| tx.get(TABLES[table], &key)) {
            Ok(found) => states.retain(|state| {
                let value = state[table].get(&key).map(|value| &value[..]);
                found.as_deref() == value
            }),
            Err(error) => refused(&error)?,
        }
        match content::read(engine, |tx| tx.count(TABLES[table])) {
            Ok(found) => states.retain(|state| found == state[table].len() as u64),
            Err(error) => refused(&error)?,
        }
    }
    if states.is_empty() {
        return Err("WRONG: what was looked up belongs to no one state".into());
    }
    Ok(())
}

/// Writes to a damaged store: what it then has is as before but for the write, where all of it
/// could be read before.
fn go_on(
    engine: Engine,
    disk: &Arc<Simulated>,
    anchor: Option<&Arc<dyn Anchor>>,
    model: Option<&Model>,
    dice: &mut Dice,
) -> Result<(), String> {
    let changes = vec![(0, vec![b'k'; 3], Some(Arc::from(dice.bytes(100))))];
    let mut next = model.cloned();
    let stored = write(&engine, vec![(changes.clone(), false)])
        .remove(0)
        .is_ok();
    drop(engine);
    if let Some(next) = next.as_mut().filter(|_| stored) {
        change(next, &changes);
    }
    match (
        content::open_with(disk, anchor).and_then(|engine| content::content(&engine)),
        next,
    ) {
        (Ok(found), Some(next)) if !same(&found, &next) => {
            Err("WRONG content after a write".into())
        }
        (Ok(_), _) => Ok(()),
        (Err(error), _) => refused(&error),
    }
}

/// Runs the proof.
fn prove(proof: &mut Proof) {
    let seed = proof.seed;
    let mut victim: Option<(u64, Victim)> = None;
    proof.run(|number, dice, tally| {
        let file = number / CASES_PER_FILE;
        if victim.as_ref().is_none_or(|(of, _)| *of != file) {
            victim = Some((file, Victim::make(&mut Dice::numbered(!seed, file))));
        }
        let (_, victim) = victim.as_ref().unwrap();
        let _repeatable = Repeatable::from(dice);
        let (image, how) = victim.mutate(dice);
        look(image, victim, dice, tally).map_err(|why| format!("{how}: {why}"))
    });
}

#[test]
fn proof_mutation() {
    let mut proof = Proof::of("mutation", 4000);
    prove(&mut proof);
    proof.finish();
}

#[test]
fn a_store_that_takes_stale_blocks_is_found_out() {
    let _careless = Careless::begin();
    let mut proof = Proof::fixed("stale", 2000);
    prove(&mut proof);
    assert!(proof.failed() > 0);
}
