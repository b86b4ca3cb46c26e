//! Changing keys, interrupted at every moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use secret::Key;

use super::dice::Dice;
use super::event::{Event, Fault, apply, lose_power};
use super::simulated::Simulated;
use super::{T, content, key, put};
use crate::engine::Engine;
use crate::layout::{BLOCK_BYTES, POOL_AT, SUPERBLOCKS, offset};
use crate::renew::STEP_BLOCKS;
use crate::{Error, Options, Record, Store};

fn other_key() -> Key {
    Key::new([43; 32])
}

fn open_with(disk: &Arc<Simulated>, key: &Key) -> Result<Store, Error> {
    Store::start(Engine::open(disk.clone(), key, Options::default())?)
}

/// A store of several hundred blocks, and its content.
fn filled() -> (Arc<Simulated>, Vec<Record>) {
    let disk = Simulated::recording();
    let store = super::create(&disk);
    let mut dice = Dice::new(3);
    for key in 0..60_u8 {
        put(&store, &[key], &dice.bytes(20_000)).unwrap();
    }
    let content = content(&store).unwrap();
    drop(store);
    (Simulated::with(disk.image()), content)
}

fn engine(disk: &Arc<Simulated>, key: &Key) -> Engine {
    Engine::open(disk.clone(), key, Options::default()).unwrap()
}

fn content_of(disk: &Arc<Simulated>, key: &Key) -> Vec<Record> {
    content(&open_with(disk, key).unwrap()).unwrap()
}

#[test]
fn another_credential_key_opens_the_store_and_the_old_one_no_longer_does() {
    let (disk, before) = filled();
    let store = open_with(&disk, &key()).unwrap();
    let image = disk.image();
    store.rekey(&other_key()).unwrap();
    let [first, second] = SUPERBLOCKS
        .map(offset)
        .map(|at| usize::try_from(at).unwrap());
    let now = disk.image();
    assert_ne!(now[first..second], image[first..second]);
    assert_eq!(
        now[second + 4096..],
        image[second + 4096..],
        "more than the superblock was written"
    );
    put(&store, b"more", b"still writable").unwrap();
    drop(store);
    assert!(matches!(open_with(&disk, &key()), Err(Error::WrongKey)));
    let mut found = content_of(&disk, &other_key());
    found.retain(|(key, _)| key != b"more");
    assert_eq!(found, before);
}

/// Power fails at every call of a rekey: one of the two keys opens, the new one once it is done.
#[test]
fn a_change_of_the_credential_key_survives_power_cuts() {
    let (disk, before) = filled();
    let image = disk.image();
    let engine = engine(&disk, &key());
    drop(disk.take_log());
    let disk_now = Simulated::with(disk.image());
    drop(engine);
    let engine = self::engine(&disk_now, &key());
    disk_now.mark(0);
    engine.rekey(&other_key()).unwrap();
    disk_now.mark(1);
    let log = disk_now.take_log();
    let mut dice = Dice::new(9);
    for cut in 0..=log.len() {
        let done = log[..cut].iter().any(|e| matches!(e, Event::Mark(1)));
        let synced = log[..cut].iter().rposition(|e| matches!(e, Event::Sync));
        let (durable, pending) = log[..cut].split_at(synced.map_or(0, |at| at + 1));
        let mut base = image.clone();
        apply(&mut base, durable);
        for _ in 0..20 {
            let torn = Simulated::with(lose_power(&base, pending, &mut dice));
            let opened = match open_with(&torn, &key()) {
                Ok(store) if !done => store,
                _ => open_with(&torn, &other_key()).unwrap(),
            };
            assert_eq!(content(&opened).unwrap(), before, "cut at {cut}");
        }
    }
}

#[test]
fn a_new_data_key_seals_all_blocks_in_the_end_and_the_old_one_goes() {
    let (disk, before) = filled();
    let engine = engine(&disk, &key());
    engine.renew().unwrap();
    let mut steps = 0;
    while !engine.renew_step().unwrap() {
        steps += 1;
        // A process that ends in between goes on where it was.
        if steps == 1 {
            let copy = Simulated::with(disk.image());
            let second = self::engine(&copy, &key());
            assert!(second.is_renewing());
            while !second.renew_step().unwrap() {}
            drop(second);
            assert_eq!(content_of(&copy, &key()), before);
        }
    }
    assert!(steps > 1, "{steps} steps");
    assert!(!engine.is_renewing());
    drop(engine);
    assert_eq!(content_of(&disk, &key()), before);
    let store = open_with(&disk, &key()).unwrap();
    assert_eq!(store.progress().unwrap().outdated, 0);
}

#[test]
fn a_store_that_is_longer_than_its_tree_is_high_changes_its_data_key() {
    let disk = Simulated::recording();
    let store = super::create(&disk);
    put(&store, b"little", b"content").unwrap();
    drop(store);
    let engine = engine(&disk, &key());
    engine.renew().unwrap();
    while !engine.renew_step().unwrap() {}
    drop(engine);
    let found = content_of(&disk, &key());
    assert_eq!(found, [(b"little".to_vec(), b"content".to_vec())]);
}

/// The same under power cuts, with writes between the steps.
#[test]
fn sealing_anew_survives_power_cuts() {
    let (disk, before) = filled();
    let start = disk.image();
    let engine = engine(&disk, &key());
    engine.renew().unwrap();
    while !engine.renew_step().unwrap() {}
    drop(engine);
    let log = disk.take_log();
    let mut dice = Dice::new(11);
    for _ in 0..100 {
        let cut = dice.below(log.len() + 1);
        let synced = log[..cut].iter().rposition(|e| matches!(e, Event::Sync));
        let (durable, pending) = log[..cut].split_at(synced.map_or(0, |at| at + 1));
        let mut base = start.clone();
        apply(&mut base, durable);
        let torn = Simulated::with(lose_power(&base, pending, &mut dice));
        let engine = self::engine(&torn, &key());
        while !engine.renew_step().unwrap() {}
        drop(engine);
        assert_eq!(content_of(&torn, &key()), before, "cut at {cut}");
    }
}

#[test]
fn the_background_seals_anew_while_others_write() {
    let (disk, _) = filled();
    let store = open_with(&disk, &key()).unwrap();
    store.renew().unwrap();
    // More than one step's worth, of which the background may have done some already.
    let begun = store.progress().unwrap();
    assert!(begun.blocks > STEP_BLOCKS, "{begun:?}");
    let mut written = 0_u32;
    loop {
        put(&store, b"busy", &written.to_be_bytes()).unwrap();
        written += 1;
        if store.progress().unwrap().outdated == 0 {
            break;
        }
        assert!(written < 100_000, "{:?}", store.progress());
    }
    let found = store.read(|tx| tx.get(T, b"busy")).unwrap();
    assert_eq!(found.unwrap(), (written - 1).to_be_bytes());
    let blocks = disk.image().len() as u64 / offset(1);
    assert!(blocks < 4 * begun.blocks + POOL_AT, "{blocks} blocks");
}

#[test]
fn sealing_anew_that_failed_is_tried_again_after_the_next_write() {
    let (disk, _) = filled();
    let store = open_with(&disk, &key()).unwrap();
    // Both copies of the superblock, each written and synced, have room; nothing after them has.
    disk.fail(Fault::Full, disk.calls() + 5, usize::MAX);
    store.renew().unwrap();
    assert!(put(&store, b"more", b"no room").is_err());
    let begun = store.progress().unwrap();
    assert_eq!(begun.outdated, begun.blocks);
    disk.fail(Fault::Full, 0, 0);
    put(&store, b"more", b"room").unwrap();
    let tried = Instant::now();
    while store.progress().unwrap().outdated > 0 {
        assert!(tried.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn data_keys_are_not_heaped_up() {
    let (disk, before) = filled();
    let engine = engine(&disk, &key());
    for _ in 1..crate::superblock::DATA_KEYS_MAX {
        engine.renew().unwrap();
    }
    assert!(matches!(engine.renew(), Err(Error::TooManyDataKeys)));
    while !engine.renew_step().unwrap() {}
    engine.renew().unwrap();
    drop(engine);
    assert_eq!(content_of(&disk, &key()), before);
}

/// Pages that a transaction which was given up had pushed out of the cache may wait to be written:
/// they are there to be sealed anew although the file does not have them yet.
#[test]
fn what_waits_to_be_written_is_sealed_anew_too() {
    let (disk, before) = filled();
    let engine = engine(&disk, &key());
    let opening = engine.present().unwrap();
    let mut page = [0; BLOCK_BYTES];
    let waits = (1..100).map(offset).find(|at| {
        let vault = opening.backend().vault();
        vault.read(*at, &mut page).is_ok() && vault.write(*at, &page).is_ok()
    });
    assert!(waits.is_some());
    engine.renew().unwrap();
    while !engine.renew_step().unwrap() {}
    drop((opening, engine));
    assert_eq!(content_of(&disk, &key()), before);
}

/// Whoever can write to the disk can put any state back that was ever durable.
#[test]
fn every_durable_state_of_a_new_store_can_be_opened() {
    let disk = Simulated::recording();
    drop(Store::make(disk.clone(), &key(), Options::default()).unwrap());
    let log = disk.take_log();
    let mut states = 0;
    for (at, event) in log.iter().enumerate() {
        if matches!(event, Event::Sync) {
            let mut image = Vec::new();
            apply(&mut image, &log[..at]);
            assert_eq!(content_of(&Simulated::with(image), &key()), []);
            states += 1;
        }
    }
    assert!(states > 2, "{states} states");
}
