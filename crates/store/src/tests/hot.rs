//! Snapshots of a store that is written to at full load, and what they restore to.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::dice::{Dice, cases, seed};
use super::{T, block_on, key, put};
use crate::offline::{self, Restore};
use crate::snapshot::{self, Fault};
use crate::{Error, Mark, Options, Record, Step, Store};

/// Records that are written over and over.
const PLACES: u64 = 500;
const WRITERS: usize = 4;
const COUNTER: &[u8] = b"counter";

fn go_on() -> impl FnMut(&Step) -> ControlFlow<()> {
    |_| ControlFlow::Continue(())
}

/// The record that write number `number` makes.
fn record(number: u64) -> Record {
    let place = (number % PLACES).to_be_bytes().to_vec();
    let length = usize::try_from(number * 7919 % 3000).unwrap();
    (place, vec![number.to_le_bytes()[0]; length])
}

/// All records after so many writes.
fn model(writes: u64) -> Vec<Record> {
    let first = writes.saturating_sub(PLACES);
    let mut all: Vec<_> = (first..writes).map(record).collect();
    if writes > 0 {
        all.push((COUNTER.to_vec(), writes.to_le_bytes().to_vec()));
    }
    all.sort_unstable();
    all
}

fn count(bytes: Option<Vec<u8>>) -> u64 {
    bytes.map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
}

/// Writes once; returns how many writes there were then.
fn write(store: &Store) -> u64 {
    let written = store.write(|tx| {
        let number = count(tx.get(T, COUNTER)?);
        let (key, value) = record(number);
        tx.put(T, &key, &value)?;
        tx.put(T, COUNTER, &(number + 1).to_le_bytes())?;
        Ok::<_, Error>(number + 1)
    });
    block_on(written).unwrap()
}

/// Restores `streams`, verifies, and returns how many writes the result holds.
fn restored(folder: &Path, streams: &[PathBuf], mark: &Mark) -> u64 {
    let path = folder.join("restored");
    let mut restore = Restore::begin(&path).unwrap();
    for stream in streams {
        let mut file = File::open(stream).unwrap();
        restore.apply(&mut file, &mut go_on()).unwrap();
    }
    assert_eq!(restore.finish(Some(&key()), &mut go_on()).unwrap(), *mark);
    let found = offline::info(&path, &key()).unwrap();
    assert_eq!(found.mark, *mark);
    let store = Store::open(&path, &key(), Options::default()).unwrap();
    let writes = count(store.read(|tx| tx.get(T, COUNTER)).unwrap());
    let all: Vec<_> = store
        .read(|tx| tx.range(T, ..)?.collect::<Result<_, _>>())
        .unwrap();
    assert!(all == model(writes), "{writes} writes do not leave this");
    drop(store);
    std::fs::remove_file(path).unwrap();
    writes
}

/// Ends the writers, also where the test fails.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn under_full_load_each_restores_to_its_own_commit() {
    let mut dice = Dice::new(seed());
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let store = Store::open(&folder.join("store"), &key(), Options::default()).unwrap();
    let (stop, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let _guard = Stopping(&stop);
        for _ in 0..WRITERS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    acknowledged.fetch_max(write(&store), Ordering::SeqCst);
                }
            });
        }
        let mut chain: Vec<PathBuf> = Vec::new();
        let mut base: Option<Mark> = None;
        let mut longest = 0;
        for number in 0..cases(24) {
            if chain.len() > 5 || dice.percent(10) {
                (chain, base) = (Vec::new(), None);
            }
            if dice.percent(15) {
                // Data keys come and go under the snapshot.
                match store.renew() {
                    Ok(()) | Err(Error::TooManyDataKeys) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            let path = folder.join(format!("stream{number}"));
            let before = acknowledged.load(Ordering::SeqCst);
            let mut file = File::create(&path).unwrap();
            let slow = dice.percent(30);
            let mark = store
                .snapshot(base.as_ref(), &mut file, &mut |step| {
                    if slow && step.done.is_multiple_of(64) {
                        std::thread::sleep(std::time::Duration::from_millis(2));
                    }
                    ControlFlow::Continue(())
                })
                .unwrap();
            let mut file = File::open(&path).unwrap();
            let summary = snapshot::verify(&mut file, &mut go_on()).unwrap();
            assert_eq!(summary.mark, mark);
            assert_eq!(summary.base, base.map_or(0, |base| base.generation));
            chain.push(path);
            longest = longest.max(chain.len());
            let held = restored(folder, &chain, &mark);
            assert!(held >= before, "{held} writes of {before} acknowledged");
            assert!(held <= acknowledged.load(Ordering::SeqCst) + 1000);
            base = Some(mark);
        }
        assert!(longest > 1);
    });
    println!("{} writes", acknowledged.load(Ordering::SeqCst));
}

#[test]
fn changes_are_much_less_than_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store"), &key(), Options::default()).unwrap();
    for number in 0..300_u16 {
        put(&store, &number.to_be_bytes(), &[7; 2000]).unwrap();
    }
    let mut full = Vec::new();
    let mark = store.snapshot(None, &mut full, &mut go_on()).unwrap();
    assert_eq!(mark, store.mark().unwrap());
    put(&store, b"one", b"more").unwrap();
    let mut changes = Vec::new();
    let newer = store
        .snapshot(Some(&mark), &mut changes, &mut go_on())
        .unwrap();
    assert_eq!(newer.generation, mark.generation + 1);
    println!("{} bytes in full, {} of changes", full.len(), changes.len());
    assert!(changes.len() * 4 < full.len());
    let mut none = Vec::new();
    store
        .snapshot(Some(&newer), &mut none, &mut go_on())
        .unwrap();
    assert!(none.len() < 10_000);
    for base in [
        Mark {
            file: [1; 16],
            ..newer
        },
        Mark {
            lineage: [1; 16],
            ..newer
        },
        Mark {
            generation: newer.generation + 1,
            ..newer
        },
    ] {
        assert!(matches!(
            store.snapshot(Some(&base), &mut Vec::new(), &mut go_on()),
            Err(Error::Snapshot(Fault::Unrelated(_)))
        ));
    }
}
