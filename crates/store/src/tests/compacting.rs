//! A compaction that is stopped at any step leaves the store with all that it had.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::dice::Dice;
use super::simulated::Simulated;
use super::{T, block_on, content, create, key, open, put};
use crate::engine::Engine;
use crate::{Error, Options, Record, Step};

/// Longer than the time between two steps, so that some are shown while the engine works.
const SYNC_TIME: Duration = Duration::from_millis(30);
const MOVING: &str = "moving records together";
const SHORTENING: &str = "shortening the file";

/// A disk with a store much of which is free.
fn sparse() -> Vec<u8> {
    let disk = Simulated::recording();
    let store = create(&disk);
    let mut dice = Dice::new(5);
    for key in 0..100_u8 {
        put(&store, &[key], &dice.bytes(40_000)).unwrap();
    }
    block_on(store.write(|tx| {
        for key in 0..100_u8 {
            if key % 4 != 3 {
                tx.remove(T, &[key])?;
            }
        }
        Ok::<_, Error>(())
    }))
    .unwrap();
    drop(store);
    disk.image()
}

/// Compacts until step number `at` of those that do `doing`; returns how much was done by then, or
/// `None` where there are fewer.
fn stopped(disk: &Arc<Simulated>, doing: &str, at: usize) -> Option<u64> {
    let mut engine = Engine::open(disk.clone(), &key(), Options::default()).unwrap();
    let (mut number, mut last) = (0, None);
    let done = engine.compact(&|| disk.calls() as u64, &mut |step: &Step| {
        if step.doing != doing {
            return ControlFlow::Continue(());
        }
        number += 1;
        last = Some(step.done);
        if number > at {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    match done {
        Ok(()) => None,
        Err(Error::Stopped) => last,
        Err(error) => panic!("stopped at {doing}, {at}: {error}"),
    }
}

/// Stops at step number `at`, and looks whether all is there and more can be written.
fn look(image: &[u8], before: &[Record], doing: &str, at: usize) -> (Option<u64>, usize) {
    let disk = Simulated::with(image.to_vec());
    if doing == MOVING {
        disk.slow_syncs(SYNC_TIME);
    }
    let stop = stopped(&disk, doing, at);
    disk.slow_syncs(Duration::ZERO);
    let store = open(&disk).unwrap();
    assert!(content(&store).unwrap() == before, "stopped at {stop:?}");
    put(&store, b"more", b"still writable").unwrap();
    drop(store);
    (stop, disk.image().len())
}

#[test]
fn a_compaction_can_be_stopped_at_every_step() {
    let image = sparse();
    let before = content(&open(&Simulated::with(image.clone())).unwrap()).unwrap();
    // How many steps the engine is watched for depends on the machine; there are always some.
    let moving: Vec<_> = (0..4)
        .map(|at| look(&image, &before, MOVING, at).0)
        .collect();
    assert_eq!(moving[0], Some(0));
    assert!(
        moving[1..].iter().flatten().any(|done| *done > 0),
        "{moving:?}"
    );
    let mut most = 0;
    for at in 0.. {
        match look(&image, &before, SHORTENING, at) {
            (Some(done), _) => most = most.max(done),
            (None, short) => {
                assert!(at > 1 && most > 0, "{at} steps, {most} blocks");
                assert!(short < image.len() / 2, "{} to {short}", image.len());
                break;
            }
        }
    }
}
