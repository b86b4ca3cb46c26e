//! Copies of a store made while it is written to: with any number of commits between any two of
//! their blocks, each is the commit that it was begun at, in full or on top of an earlier one.

use std::sync::Arc;

use super::content::{self, Model, change, key, options, same, write};
use super::dice::{Dice, Repeatable};
use super::image::Image;
use super::life::{Life, Weather, changes};
use super::proof::{Proof, Tally};
use super::simulated::Simulated;
use crate::engine::Engine;
use crate::held::Held;
use crate::layout::{BLOCK_BYTES, POOL_AT, SUPERBLOCKS, offset, slot_copies, slot_of};
use crate::{Error, Mark, Store};

/// Copies of one store, each but the first of what changed since the one before.
const CHAIN: usize = 3;

/// A store under load, and what it holds.
struct Loaded {
    engine: Engine,
    model: Model,
    life: Life,
}

impl Loaded {
    fn commit(&mut self, dice: &mut Dice) {
        let changes = changes(&self.life, dice);
        change(&mut self.model, &changes);
        write(&self.engine, vec![(changes, false)])
            .remove(0)
            .unwrap();
    }

    /// Copies what changed since `base` onto its copy, while commits go on.
    fn copy(
        &mut self,
        image: &mut Image,
        base: Option<Mark>,
        dice: &mut Dice,
    ) -> Result<Mark, Error> {
        let held = Held::take(self.engine.present()?)?;
        let mark = held.mark();
        let load = dice.pick(&[0, 5, 30, 100]);
        held.walk(
            base.map_or(0, |base| base.generation),
            &mut |address, block| {
                put(image, address, block);
                while dice.percent(load) {
                    self.commit(dice);
                    if load == 100 {
                        break;
                    }
                }
                Ok(())
            },
        )?;
        for address in SUPERBLOCKS {
            put(image, address, held.superblock());
        }
        for address in slot_copies(slot_of(mark.generation)) {
            put(image, address, held.slot());
        }
        Ok(mark)
    }
}

fn put(image: &mut Image, address: u64, block: &[u8; BLOCK_BYTES]) {
    image.write(usize::try_from(offset(address)).unwrap(), block);
}

fn chain(dice: &mut Dice, tally: &mut Tally) -> Result<(), String> {
    let life = Life {
        weather: Weather::Fair,
        ..Life::any(dice)
    };
    let disk = Simulated::recording();
    let mut loaded = Loaded {
        engine: Store::make(disk.clone(), &key(), options()).unwrap(),
        model: Model::default(),
        life,
    };
    let (mut image, mut base) = (Image::default(), None);
    image.resize(usize::try_from(offset(POOL_AT)).unwrap());
    for number in 0..1 + dice.below(CHAIN) {
        for _ in 0..dice.below(6) {
            loaded.commit(dice);
        }
        if dice.percent(10) {
            loaded.engine.renew().unwrap();
        }
        let model = loaded.model.clone();
        let mark = loaded
            .copy(&mut image, base, dice)
            .map_err(|error| format!("copy {number}: {error}"))?;
        base = Some(mark);
        *tally.entry("copies").or_default() += 1;
        let found = content::open(&Simulated::holding(image.clone()))
            .and_then(|engine| content::content(&engine))
            .map_err(|error| format!("UNOPENABLE: copy {number}: {error}"))?;
        if !same(&found, &model) {
            return Err(format!(
                "WRONG: copy {number} is not the commit that it names"
            ));
        }
    }
    // Being copied has done the store no harm.
    drop(loaded.engine);
    let found = content::open(&disk)
        .and_then(|engine| content::content(&engine))
        .map_err(|error| format!("UNOPENABLE: the store itself: {error}"))?;
    let model = Arc::new(loaded.model);
    if same(&found, &model) {
        Ok(())
    } else {
        Err("LOST: the store is not as it was written".into())
    }
}

#[test]
fn proof_copies() {
    let mut proof = Proof::of("copies", 200);
    proof.run(|_, dice, tally| {
        let _repeatable = Repeatable::from(dice);
        chain(dice, tally)
    });
    proof.finish();
}

/// A copy of the file itself, made while it is written to, is of no use: the proof is not empty.
#[test]
fn blocks_of_two_commits_make_no_store() {
    let mut dice = Dice::new(5);
    let disk = Simulated::recording();
    let mut loaded = Loaded {
        engine: Store::make(disk.clone(), &key(), options()).unwrap(),
        model: Model::default(),
        life: Life::any(&mut dice),
    };
    for _ in 0..20 {
        loaded.commit(&mut dice);
    }
    let mut image = disk.shown();
    for _ in 0..20 {
        loaded.commit(&mut dice);
    }
    // The start of the file, with the roots, after its end.
    image.write(0, &disk.shown().bytes(0, 10 * BLOCK_BYTES));
    let opened = content::open(&Simulated::holding(image));
    let found = opened.and_then(|engine| content::content(&engine));
    assert!(!found.is_ok_and(|found| same(&found, &loaded.model)));
}
