//! Power cuts: whatever part of the unsynced writes survives, the store opens, and holds every
//! acknowledged commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::dice::{Dice, cases, seed};
use super::simulated::{Event, Simulated, apply, lose_power};
use super::{T, block_on, content, open};
use crate::{Error, Store};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// Commits of one recorded run.
const COMMITS: usize = 40;

/// Runs commits of mixed sizes on a recording disk; returns the log and the content after each.
fn run(dice: &mut Dice) -> (Vec<Event>, Vec<Model>) {
    let disk = Simulated::recording();
    let store = super::create(&disk);
    let mut model = Model::new();
    let mut models = vec![model.clone()];
    disk.mark(0);
    for commit in 1..=COMMITS {
        let mut changes = Vec::new();
        for _ in 0..=dice.below(4) {
            let key = vec![b'k', u8::try_from(dice.below(30)).unwrap()];
            let length = match dice.below(20) {
                0 => 200_000,
                1..5 => 10_000,
                _ => dice.below(300),
            };
            let value = (!dice.percent(25)).then(|| dice.bytes(length));
            changes.push((key, value));
        }
        for (key, value) in changes.clone() {
            match value {
                Some(value) => drop(model.insert(key, value)),
                None => drop(model.remove(&key)),
            }
        }
        models.push(model.clone());
        block_on(store.write(move |tx| {
            for (key, value) in &changes {
                match value {
                    Some(value) => tx.put(T, key, value)?,
                    None => drop(tx.remove(T, key)?),
                }
            }
            Ok::<_, Error>(())
        }))
        .unwrap();
        disk.mark(commit);
    }
    drop(store);
    (disk.take_log(), models)
}

/// Opens what a power cut left and compares; returns the disk for a second cut.
fn check(image: Vec<u8>, allowed: &[Model], what: &str) -> Arc<Simulated> {
    let disk = Simulated::with(image);
    let store: Store = open(&disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    let found: Model = content(&store).unwrap().into_iter().collect();
    assert!(allowed.contains(&found), "{what}: wrong content");
    drop(store);
    disk
}

#[test]
fn every_power_cut_leaves_every_acknowledged_commit() {
    let seed = seed();
    let mut dice = Dice::new(seed);
    let cases = cases(3000);
    let runs = cases.div_ceil(1000);
    for run_number in 0..runs {
        let (log, models) = run(&mut dice);
        // Before the first mark the file does not have its name yet.
        let start = log
            .iter()
            .position(|e| matches!(e, Event::Mark(0)))
            .unwrap();
        let mut points: Vec<usize> = (0..cases / runs)
            .map(|_| start + dice.below(log.len() - start))
            .collect();
        points.sort_unstable();
        let (mut durable, mut applied, mut acknowledged) = (Vec::new(), 0, 0);
        for point in points {
            let synced = log[..point]
                .iter()
                .rposition(|e| matches!(e, Event::Sync))
                .unwrap();
            apply(&mut durable, &log[applied..=synced.max(applied)]);
            applied = applied.max(synced + 1);
            for event in &log[..point] {
                if let Event::Mark(commit) = event {
                    acknowledged = *commit;
                }
            }
            let what = format!("STORE_SEED={seed} run {run_number} cut at {point}");
            let allowed = &models[acknowledged..(acknowledged + 2).min(models.len())];
            let image = lose_power(&durable, &log[synced + 1..point], &mut dice);
            let disk = check(image.clone(), allowed, &what);
            if dice.percent(25) {
                // A second cut, while the store recovers from the first.
                let log = disk.take_log();
                let point = dice.below(log.len() + 1);
                let synced = log[..point].iter().rposition(|e| matches!(e, Event::Sync));
                let (done, pending) = log[..point].split_at(synced.map_or(0, |at| at + 1));
                let mut durable = image;
                apply(&mut durable, done);
                let image = lose_power(&durable, pending, &mut dice);
                check(image, allowed, &format!("{what}, and again at {point}"));
            }
        }
    }
}
