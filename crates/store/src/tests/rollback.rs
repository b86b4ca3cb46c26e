//! Older copies of the whole file, put back: each is refused while something outside knows better,
//! and no power cut makes the newest one look older.

use std::path::Path;
use std::sync::{Arc, Mutex};

use secret::Key;

use super::dice::{Dice, cases, seed};
use super::event::{Event, apply, lose_power};
use super::simulated::Simulated;
use super::{T, block_on, content, key, put};
use crate::engine::Engine;
use crate::{Anchor, Error, FileAnchor, Mark, Options, Store};

/// Commits of one history.
const COMMITS: usize = 25;

/// An anchor in memory that notes in the disk's log when it was advanced and when settled.
#[derive(Debug, Default)]
struct Memory {
    marks: Mutex<Vec<Mark>>,
    disk: Option<Arc<Simulated>>,
}

const SETTLED: usize = usize::MAX;

impl Memory {
    fn knowing(marks: &[Mark]) -> Arc<Self> {
        let marks = Mutex::new(marks.to_vec());
        Arc::new(Self { marks, disk: None })
    }

    fn noting(disk: &Arc<Simulated>) -> Arc<Self> {
        let disk = Some(Arc::clone(disk));
        Arc::new(Self {
            marks: Mutex::default(),
            disk,
        })
    }

    fn note(&self, number: usize) {
        if let Some(disk) = &self.disk {
            disk.mark(number);
        }
    }
}

impl Anchor for Memory {
    fn read(&self, _file: &[u8; 16]) -> Result<Option<Mark>, Error> {
        Ok(self.marks.lock().unwrap().last().copied())
    }

    fn advance(&self, mark: &Mark) -> Result<(), Error> {
        let mut marks = self.marks.lock().unwrap();
        self.note(marks.len());
        marks.push(*mark);
        Ok(())
    }

    fn settle(&self) -> Result<(), Error> {
        self.note(SETTLED);
        Ok(())
    }
}

fn with(anchor: Arc<Memory>) -> Options {
    Options {
        anchor: Some(anchor),
        ..Options::default()
    }
}

fn open(image: Vec<u8>, options: Options) -> Result<Store, Error> {
    Store::start(Engine::open(Simulated::with(image), &key(), options)?)
}

/// The error of an opening that must not succeed.
fn refused(image: Vec<u8>, options: Options, what: &str) -> Error {
    let disk = Simulated::with(image.clone());
    let Err(error) = Engine::open(disk.clone(), &key(), options) else {
        panic!("{what}: an older copy was opened");
    };
    assert!(
        disk.image() == image,
        "{what}: the refused copy was changed"
    );
    error
}

/// Writes something of a random size.
fn write(store: &Store, dice: &mut Dice) {
    let length = if dice.percent(5) {
        100_000
    } else {
        dice.below(3000)
    };
    let (key, value) = (dice.bytes(1), dice.bytes(length));
    block_on(store.write(move |tx| tx.put(T, &key, &value))).unwrap();
}

#[test]
fn every_older_copy_is_refused() {
    let seed = seed();
    let mut dice = Dice::new(seed);
    let (mut tried, cases) = (0, cases(300));
    while tried < cases {
        let disk = Simulated::recording();
        let anchor = Memory::knowing(&[]);
        let engine = Store::make(disk.clone(), &key(), with(anchor.clone())).unwrap();
        let mut store = Store::start(engine).unwrap();
        let mut copies = Vec::new();
        for _ in 0..COMMITS {
            write(&store, &mut dice);
            copies.push((disk.image(), store.mark().unwrap()));
            if dice.percent(10) {
                drop(store);
                let engine = Engine::open(disk.clone(), &key(), with(anchor.clone())).unwrap();
                store = Store::start(engine).unwrap();
            }
        }
        drop(store);
        let newest = anchor.read(&[0; 16]).unwrap().unwrap();
        for (image, mark) in copies {
            tried += 1;
            let what = format!("STORE_SEED={seed} commit {}", mark.generation);
            let by_receipt = dice.percent(30);
            let options = if by_receipt {
                Options {
                    receipts: vec![newest],
                    ..Options::default()
                }
            } else {
                with(anchor.clone())
            };
            if mark == newest {
                open(image, options).unwrap();
                continue;
            }
            let missing = newest.generation - mark.generation;
            match refused(image, options, &what) {
                Error::RolledBack { commits, .. } => assert_eq!(commits, missing, "{what}"),
                error => panic!("{what}: {error}"),
            }
        }
        open(disk.image(), with(anchor)).unwrap();
    }
}

#[test]
fn no_power_cut_makes_the_newest_copy_look_older() {
    let seed = seed();
    let mut dice = Dice::new(seed);
    let cases = cases(300);
    // It has its name, durably, before it is first anchored.
    let disk = Simulated::recording();
    drop(Store::make(disk.clone(), &key(), Options::default()).unwrap());
    let named = disk.image();
    let disk = Simulated::with(named.clone());
    let anchor = Memory::noting(&disk);
    for _ in 0..3 {
        let options = with(anchor.clone());
        let store = Store::start(Engine::open(disk.clone(), &key(), options).unwrap()).unwrap();
        for _ in 0..COMMITS {
            write(&store, &mut dice);
        }
    }
    let marks = anchor.marks.lock().unwrap().clone();
    let log = disk.take_log();
    for _ in 0..cases {
        let point = dice.below(log.len() + 1);
        let what = format!("STORE_SEED={seed} cut at {point}");
        let synced = log[..point].iter().rposition(|e| matches!(e, Event::Sync));
        let (done, pending) = log[..point].split_at(synced.map_or(0, |at| at + 1));
        let mut durable = named.clone();
        apply(&mut durable, done);
        let image = lose_power(&durable, pending, &mut dice);
        // What is left of the anchor is anything from where it was settled last to the newest.
        let noted = || {
            log[..point].iter().filter_map(|event| match event {
                Event::Mark(number) => Some(*number),
                _ => None,
            })
        };
        let advanced = noted().filter(|number| *number != SETTLED).count();
        let settled_at = log[..point]
            .iter()
            .rposition(|e| matches!(e, Event::Mark(SETTLED)));
        let settled = log[..settled_at.unwrap_or(0)]
            .iter()
            .filter(|e| matches!(e, Event::Mark(number) if *number != SETTLED))
            .count();
        let left = settled + dice.below(advanced - settled + 1);
        let anchor = Memory::knowing(&marks[..left]);
        let store = open(image, with(anchor.clone())).unwrap_or_else(|e| panic!("{what}: {e}"));
        content(&store).unwrap();
        put(&store, b"after", b"it").unwrap();
        let known = anchor.read(&[0; 16]).unwrap();
        assert_eq!(known, Some(store.mark().unwrap()), "{what}");
    }
}

#[test]
fn a_copy_that_was_accepted_goes_on_and_the_other_one_is_refused_from_then_on() {
    let disk = Simulated::recording();
    let anchor = Memory::knowing(&[]);
    let engine = Store::make(disk.clone(), &key(), with(anchor.clone())).unwrap();
    let store = Store::start(engine).unwrap();
    put(&store, b"early", b"1").unwrap();
    let older = disk.image();
    put(&store, b"late", b"2").unwrap();
    put(&store, b"later", b"3").unwrap();
    drop(store);
    let newest = disk.image();
    let accepting = Options {
        accept_rollback: true,
        ..with(anchor.clone())
    };
    let disk = Simulated::with(older.clone());
    let store = Store::start(Engine::open(disk.clone(), &key(), accepting).unwrap()).unwrap();
    assert_eq!(
        content(&store).unwrap(),
        [(b"early".to_vec(), b"1".to_vec())]
    );
    // The anchor knows before anything else is written.
    assert_eq!(anchor.read(&[0; 16]).unwrap(), Some(store.mark().unwrap()));
    for (image, what) in [(older, "older"), (newest, "newest")] {
        let error = refused(image, with(anchor.clone()), what);
        assert!(matches!(error, Error::Forked { .. }), "{what}: {error}");
    }
    put(&store, b"other", b"4").unwrap();
    drop(store);
    let store = open(disk.image(), with(anchor)).unwrap();
    assert_eq!(content(&store).unwrap().len(), 2);
}

#[test]
fn accepting_what_need_not_be_changes_no_lineage() {
    let disk = Simulated::recording();
    let anchor = Memory::knowing(&[]);
    drop(Store::make(disk.clone(), &key(), with(anchor.clone())).unwrap());
    let before = anchor.read(&[0; 16]).unwrap().unwrap();
    let accepting = Options {
        accept_rollback: true,
        ..with(anchor)
    };
    let store = open(disk.image(), accepting).unwrap();
    assert_eq!(store.mark().unwrap().lineage, before.lineage);
}

fn on_disk(anchor: &Path, key: &Key) -> Options {
    Options {
        anchor: Some(Arc::new(FileAnchor::new(anchor, key).unwrap())),
        ..Options::default()
    }
}

#[test]
fn with_an_anchor_in_a_file_a_store_is_missed_and_changes_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let (path, anchor) = (folder.path().join("store"), folder.path().join("anchor"));
    let store = Store::open(&path, &key(), on_disk(&anchor, &key())).unwrap();
    put(&store, b"a", b"1").unwrap();
    drop(store);
    let older = std::fs::read(&path).unwrap();
    let store = Store::open(&path, &key(), on_disk(&anchor, &key())).unwrap();
    let next = Key::new([43; 32]);
    store.rekey(&next).unwrap();
    put(&store, b"a", b"2").unwrap();
    drop(store);
    drop(Store::open(&path, &next, on_disk(&anchor, &next)).unwrap());

    // The older copy has the former key, and who has that finds an anchor that it does not open.
    let newest = std::fs::read(&path).unwrap();
    std::fs::write(&path, older).unwrap();
    let error = Store::open(&path, &key(), on_disk(&anchor, &key())).unwrap_err();
    assert!(matches!(error, Error::AnchorKey), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = Store::open(&path, &next, on_disk(&anchor, &next)).unwrap_err();
    assert!(matches!(error, Error::Gone { .. }), "{error}");
    assert!(!path.exists(), "a new store was made");
    std::fs::write(&path, newest).unwrap();
    let kept = std::fs::read(&anchor).unwrap();
    std::fs::remove_file(&anchor).unwrap();
    let error = Store::open(&path, &next, on_disk(&anchor, &next)).unwrap_err();
    assert!(matches!(error, Error::AnchorMissing { .. }), "{error}");
    std::fs::write(&anchor, kept).unwrap();
    let store = Store::open(&path, &next, on_disk(&anchor, &next)).unwrap();
    assert_eq!(content(&store).unwrap(), [(b"a".to_vec(), b"2".to_vec())]);
}
