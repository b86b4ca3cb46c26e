//! Power cuts: whatever part of the unsynced writes survives, the store opens, holds every
//! acknowledged commit, and can be written; also where the power fails again meanwhile.

use std::sync::Arc;

use super::anchored::{Known, Memory};
use super::content::{self, Found, Model, abandon, change, same, write};
use super::dice::{Dice, Repeatable};
use super::event::{Event, Fault, Sabotage};
use super::history::History;
use super::image::Image;
use super::life::{Life, Weather};
use super::loss::lose_power;
use super::moment::{Allowed, Moment, moment};
use super::proof::{Proof, Tally};
use super::simulated::Simulated;
use crate::engine::Engine;
use crate::{Anchor, Error};

/// Cases that cut the same recorded life.
pub(super) const CASES_PER_LIFE: u64 = 256;
/// Power cuts that follow each other at most.
const CUTS: usize = 3;
/// Chance in percent that the power fails again.
const AGAIN: usize = 15;

/// Cuts the power at one moment of `history` and looks at what is left.
pub(super) fn cut(history: &History, dice: &mut Dice, tally: &mut Tally) -> Result<(), String> {
    let point = history.start + 1 + dice.below(history.log.len() - history.start);
    let none = Allowed {
        states: Vec::new(),
        lied: false,
    };
    let mut moment = moment(
        &Image::default(),
        &none,
        &history.log,
        &history.states,
        point,
    );
    moment.known = dice.percent(50).then(|| history.known(point));
    let lied = if moment.allowed.lied {
        ", after lies"
    } else {
        ""
    };
    let weather = history.weather;
    after(moment, history, 1, dice, tally)
        .map_err(|why| format!("{weather:?}, cut at event {point}{lied}: {why}"))
}

/// Looks at what a power cut leaves, and cuts again.
fn after(
    moment: Moment<'_>,
    history: &History,
    cuts: usize,
    dice: &mut Dice,
    tally: &mut Tally,
) -> Result<(), String> {
    let Moment {
        durable,
        pending,
        allowed,
        known,
    } = moment;
    let image = lose_power(&durable, pending, dice);
    let disk = Simulated::holding(image.clone());
    let known = known.map(|known| known.lose_power(dice));
    let anchor = known.map(|mark| Memory::knowing(mark, &disk));
    let again = cuts < CUTS && dice.percent(AGAIN);
    if allowed.lied {
        *tally.entry("lied").or_default() += 1;
    }
    let Some((engine, found)) = recover(&disk, anchor.as_ref(), &allowed, dice, tally)? else {
        *tally.entry("refused_after_lies").or_default() += 1;
        return Ok(());
    };
    let which = allowed.states.iter().position(|state| same(&found, state));
    let Some(which) = which else {
        return Err(blame(&found, history));
    };
    let mut states = vec![Arc::clone(&allowed.states[which])];
    disk.tell(Event::Certain(0));
    if dice.percent(if again { 50 } else { 8 }) {
        match go_on(engine, &disk, anchor.as_ref(), &states[0], dice, tally)? {
            Ok(next) => states.push(next),
            // A block that the disk had lied about was needed only now.
            Err(error) if allowed.lied && is_damage(&error) => {
                *tally.entry("refused_after_lies").or_default() += 1;
                return Ok(());
            }
            Err(error) => return Err(format!("UNWRITABLE: {error}")),
        }
    } else if again && dice.percent(50) {
        drop(engine);
    } else {
        // What closing writes is of no interest where nobody looks at it.
        abandon(engine);
    }
    if !again {
        return Ok(());
    }
    *tally.entry("cut_again").or_default() += 1;
    let log = disk.take_log();
    let point = dice.below(log.len() + 1);
    let mut moment = self::moment(&image, &allowed, &log, &states, point);
    moment.known = known.map(|mark| Known::exactly(mark).after(&log[..point]));
    after(moment, history, cuts + 1, dice, tally)
        .map_err(|why| format!("cut {} at event {point}: {why}", cuts + 1))
}

/// Opens the store and reads everything. A call of the disk may fail meanwhile: then again.
/// `None` where the disk had lied, and the store says that it is damaged.
fn recover(
    disk: &Arc<Simulated>,
    anchor: Option<&Arc<dyn Anchor>>,
    allowed: &Allowed,
    dice: &mut Dice,
    tally: &mut Tally,
) -> Result<Option<(Engine, Found)>, String> {
    let failing = dice.percent(4);
    if failing {
        *tally.entry("failing_recovery").or_default() += 1;
        let from = 1 + dice.below(30);
        let fault = dice.pick(&[Fault::Broken, Fault::LossySync]);
        disk.misbehave(0, None, Dice::new(dice.next()));
        disk.fail(fault, from, from + 1 + dice.below(2));
    }
    let attempt = || {
        let engine = content::open_with(disk, anchor)?;
        let found = content::content(&engine)?;
        Ok((engine, found))
    };
    let mut opened = attempt();
    while let Err(Error::Io { .. } | Error::Interrupted) = opened
        && failing
        && disk.calls() < 1000
    {
        opened = attempt();
    }
    disk.fail(Fault::Broken, 0, 0);
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if allowed.lied && is_damage(&error) => Ok(None),
        Err(error) => Err(format!("UNOPENABLE: {error}")),
    }
}

/// Whether the store refuses because of what is missing from the disk.
fn is_damage(error: &Error) -> bool {
    matches!(
        error,
        Error::Damaged { .. }
            | Error::DamagedHeader
            | Error::Truncated { .. }
            | Error::RolledBack { .. }
    )
}

/// Writes, closes, opens, and compares. The inner error is the store's own.
fn go_on(
    engine: Engine,
    disk: &Arc<Simulated>,
    anchor: Option<&Arc<dyn Anchor>>,
    state: &Arc<Model>,
    dice: &mut Dice,
    tally: &mut Tally,
) -> Result<Result<Arc<Model>, Error>, String> {
    *tally.entry("written_after").or_default() += 1;
    let changes = vec![
        (0, vec![b'k'; 3], Some(Arc::from(dice.bytes(100)))),
        (1, vec![b'k'; 2], None),
    ];
    let mut next = Model::clone(state);
    change(&mut next, &changes);
    disk.tell(Event::Trying(1));
    if let Err(error) = write(&engine, vec![(changes, false)]).remove(0) {
        return Ok(Err(error.into()));
    }
    disk.tell(Event::Certain(1));
    if dice.percent(50) {
        abandon(engine);
    } else {
        drop(engine);
    }
    match content::open_with(disk, anchor).and_then(|engine| content::content(&engine)) {
        Ok(found) if same(&found, &next) => Ok(Ok(Arc::new(next))),
        Ok(_) => Err("LOST: what was written after recovery".into()),
        Err(error) => Ok(Err(error)),
    }
}

/// Says what is wrong with content that may not be there.
fn blame(found: &Found, history: &History) -> String {
    match history.states.iter().position(|state| same(found, state)) {
        Some(state) => format!("LOST: state {state} is an older or an unacknowledged one"),
        None => "WRONG: content that the store never had".into(),
    }
}

/// Runs the proof on lives of some kind.
fn prove(proof: &mut Proof, life: impl Fn(&mut Dice) -> Life) {
    let seed = proof.seed;
    let mut recorded: Option<(u64, History)> = None;
    proof.run(|number, dice, tally| {
        let life_number = number / CASES_PER_LIFE;
        if recorded.as_ref().is_none_or(|(of, _)| *of != life_number) {
            let mut dice = Dice::numbered(!seed, life_number);
            let life = life(&mut dice);
            let history = History::record(&life, &mut dice);
            *tally.entry("lives").or_default() += 1;
            *tally.entry("failed_syncs").or_default() += history.failed_syncs() as u64;
            recorded = Some((life_number, history));
        }
        let (_, history) = recorded.as_ref().unwrap();
        let _repeatable = Repeatable::from(dice);
        cut(history, dice, tally)
    });
}

#[test]
fn proof_power() {
    let mut proof = Proof::of("power", 4000);
    prove(&mut proof, Life::any);
    proof.finish();
}

/// A disk whose syncs lie can lose what was acknowledged. What the store then shows is all the
/// same a state that it had, as a whole.
#[test]
fn proof_lies() {
    let mut proof = Proof::of("lies", 1000);
    prove(&mut proof, |dice| Life {
        weather: Weather::Lying,
        ..Life::any(dice)
    });
    proof.finish();
}

/// Cases within which sabotage is to be found.
const SABOTAGE_CASES: u64 = 4000;

/// How many of [`SABOTAGE_CASES`] fail on lives of this kind.
fn found(life: impl Fn(&mut Dice) -> Life) -> usize {
    let mut proof = Proof::fixed("sabotage", SABOTAGE_CASES);
    prove(&mut proof, life);
    println!("{:?}", proof.tally);
    proof.failed()
}

fn fair(dice: &mut Dice) -> Life {
    Life {
        weather: Weather::Fair,
        value_bytes: 700,
        ..Life::any(dice)
    }
}

#[test]
fn a_store_that_never_syncs_is_found_out() {
    let failed = found(|dice| Life {
        sabotage: Some(Sabotage::NoSync),
        ..fair(dice)
    });
    assert!(failed > 0);
}

#[test]
fn a_store_that_acknowledges_early_is_found_out() {
    let failed = found(|dice| Life {
        hasty: true,
        ..fair(dice)
    });
    assert!(failed > 0);
}

#[test]
fn a_store_that_trusts_the_cache_after_a_failed_sync_is_found_out() {
    let failed = found(|dice| Life {
        weather: Weather::Failing,
        sabotage: Some(Sabotage::NoForget),
        ..fair(dice)
    });
    assert!(failed > 0);
}
