//! Whole files put back: every copy that lacks a commit is refused, by an anchor or by a backup's
//! receipt, and left as it was; accepted, it holds what it held, and the newer file is refused.

use std::sync::Arc;

use super::anchored::Memory;
use super::content::{self, key, options, same};
use super::dice::{Dice, Repeatable};
use super::event::Event;
use super::history::History;
use super::image::Image;
use super::life::{Life, Weather};
use super::loss::lose_power;
use super::proof::{Proof, Tally};
use super::simulated::Simulated;
use crate::engine::Engine;
use crate::layout::{BLOCK_BYTES, SUPERBLOCKS};
use crate::{Anchor, Error, Options};

/// Where the copies of the superblock end.
const SUPERBLOCKS_END: usize = SUPERBLOCKS.len() * BLOCK_BYTES;
/// Cases that put back copies of the same file.
const CASES_PER_FILE: u64 = 64;

/// A copy of the file, as it was at some moment before its last commit.
fn copy(history: &History, dice: &mut Dice) -> (Image, usize) {
    let told = |event: &Event| matches!(event, Event::Anchored(_));
    let last = history.log.iter().rposition(told).unwrap();
    let before = history.log[..last].iter().rposition(told).unwrap();
    let point = history.start + dice.below(before + 1 - history.start);
    let settled = history.log[..point]
        .iter()
        .rposition(|event| matches!(event, Event::Settled(_)));
    let settled = settled.unwrap();
    let Event::Settled(durable) = &history.log[settled] else {
        unreachable!("looked for")
    };
    let pending = &history.log[settled..point];
    // Copied while the machine was off after a power cut, or while all was well.
    let image = if dice.percent(50) {
        lose_power(durable, pending, dice)
    } else {
        let mut image = durable.clone();
        image.apply(pending);
        image
    };
    (image, point)
}

fn put_back(history: &History, dice: &mut Dice, tally: &mut Tally) -> Result<(), String> {
    let newest = history.known(history.log.len()).newest();
    let (image, point) = copy(history, dice);
    let disk = Simulated::holding(image.clone());
    let anchor = Memory::knowing(newest, &disk);
    let with_receipt = dice.percent(30);
    let open = |accept_rollback| {
        let options = Options {
            anchor: (!with_receipt).then(|| Arc::clone(&anchor)),
            receipts: newest.into_iter().filter(|_| with_receipt).collect(),
            accept_rollback,
            ..options()
        };
        Engine::open(disk.clone(), &key(), options)
    };
    match open(false) {
        Err(Error::RolledBack { .. }) => {}
        Err(error) => return Err(format!("copy at event {point}: another error: {error}")),
        Ok(_) => return Err(format!("copy at event {point}: an older copy was opened")),
    }
    // But for a damaged copy of the superblock, which is mended whatever else is found.
    if dice.percent(10) && disk.image()[SUPERBLOCKS_END..] != image.to_vec()[SUPERBLOCKS_END..] {
        return Err(format!(
            "copy at event {point}: the refused copy was changed"
        ));
    }
    if dice.percent(10) {
        *tally.entry("accepted").or_default() += 1;
        accept(history, &open, with_receipt, &anchor)
            .map_err(|why| format!("copy at event {point}: {why}"))?;
    }
    Ok(())
}

/// Accepts the loss.
fn accept(
    history: &History,
    open: &dyn Fn(bool) -> Result<Engine, Error>,
    with_receipt: bool,
    anchor: &Arc<dyn Anchor>,
) -> Result<(), String> {
    let engine = open(true).map_err(|error| format!("accepted in vain: {error}"))?;
    let found = content::content(&engine).map_err(|error| format!("UNREADABLE: {error}"))?;
    if !history.acknowledged().any(|state| same(&found, state)) {
        return Err("WRONG: content that the store never had".into());
    }
    drop(engine);
    if with_receipt {
        return Ok(());
    }
    // From now on the other file is the wrong one.
    let newer = Simulated::holding(history.last());
    match content::open_with(&newer, Some(anchor)) {
        Err(Error::Forked { .. }) => Ok(()),
        Err(error) => Err(format!("the newer file: another error: {error}")),
        Ok(_) => Err("the newer file was opened after an older one was accepted".into()),
    }
}

/// What is refused is refused by the anchor: without one, all of these copies open.
#[test]
fn without_an_anchor_older_copies_are_not_found_out() {
    let mut dice = Dice::new(11);
    let life = Life {
        weather: Weather::Fair,
        ..Life::any(&mut dice)
    };
    let history = History::record(&life, &mut dice);
    for _ in 0..50 {
        let (image, _) = copy(&history, &mut dice);
        content::open(&Simulated::holding(image)).unwrap();
    }
}

#[test]
fn proof_rollback() {
    let mut proof = Proof::of("rollback", 500);
    let seed = proof.seed;
    let mut recorded: Option<(u64, History)> = None;
    proof.run(|number, dice, tally| {
        let file = number / CASES_PER_FILE;
        if recorded.as_ref().is_none_or(|(of, _)| *of != file) {
            let mut dice = Dice::numbered(!seed, file);
            let life = Life {
                weather: Weather::Fair,
                ..Life::any(&mut dice)
            };
            recorded = Some((file, History::record(&life, &mut dice)));
        }
        let (_, history) = recorded.as_ref().unwrap();
        let _repeatable = Repeatable::from(dice);
        put_back(history, dice, tally)
    });
    proof.finish();
}
