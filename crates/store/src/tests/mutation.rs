//! A file that someone changed gives an error or the right content: never wrong data, never a
//! panic.

use std::sync::Arc;

use super::anchored::Memory;
use super::content::{self, Found, Model, TABLES, abandon, change, same, write};
use super::dice::{Dice, Repeatable};
use super::image::Image;
use super::proof::{Proof, Tally};
use super::simulated::Simulated;
use super::stale::Careless;
use super::victim::Victim;
use crate::engine::Engine;
use crate::{Anchor, Error};

/// Cases that change the same file.
const CASES_PER_FILE: u64 = 256;
/// Keys that are looked up where not everything can be read.
const LOOKUPS: usize = 3;

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
