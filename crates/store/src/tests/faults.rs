//! Full disks and failing calls: the write that was hit gets an error, nothing acknowledged is
//! lost, reads go on, and the store works again by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::dice::seed;
use super::event::Fault;
use super::simulated::Simulated;
use super::{content, create, open, put};
use crate::{Error, Store, WriteError};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

const WRITES: u8 = 12;

/// Mostly small, and twice so large that the file must grow.
fn value(number: u8) -> Vec<u8> {
    let length = if number % 6 == 4 { 700_000 } else { 1500 };
    vec![number; length]
}

fn compare(store: &Store, model: &Model, what: &str) {
    let found: Model = content(store)
        .unwrap_or_else(|error| panic!("{what}: {error}"))
        .into_iter()
        .collect();
    assert!(found == *model, "{what}: wrong content");
}

/// Writes until all went through once; calls `from` to `until` of the disk fail.
/// Returns how many calls there were in all, and how many writes failed.
fn run(fault: Fault, from: usize, until: usize) -> (usize, usize) {
    let disk = Simulated::recording();
    let store = create(&disk);
    let start = disk.calls();
    disk.fail(fault, start + from, start + until);
    let what = format!("{fault:?} at calls {from} to {until}");
    let mut model = Model::new();
    let mut failed = 0;
    for number in 0..WRITES {
        let key = [number % 9];
        let value = value(number);
        loop {
            match put(&store, &key, &value) {
                Ok(()) => break,
                Err(WriteError::Store(Error::NoSpace)) => {
                    assert!(matches!(fault, Fault::Full | Fault::FullWhereNew), "{what}");
                    // The disk is still full; what is committed can be read.
                    compare(&store, &model, &what);
                }
                Err(WriteError::Store(Error::Io { .. })) => {
                    assert!(
                        !matches!(fault, Fault::Full | Fault::FullWhereNew),
                        "{what}"
                    );
                }
                Err(WriteError::Store(Error::Unconfirmed(_))) => {
                    assert!(until - from > 1, "{what}: a single failure can be told");
                }
                Err(error) => panic!("{what}: {error}"),
            }
            failed += 1;
            assert!(failed < 10_000, "{what}: the store does not recover");
        }
        model.insert(key.to_vec(), value);
    }
    compare(&store, &model, &what);
    drop(store);
    let calls = disk.calls() - start;
    let reopened: Arc<Simulated> = Simulated::with(disk.image());
    compare(&open(&reopened).unwrap(), &model, &what);
    (calls, failed)
}

#[test]
fn any_one_call_may_fail() {
    let (calls, failed) = run(Fault::Broken, usize::MAX / 2, usize::MAX / 2);
    assert_eq!(failed, 0);
    assert!(calls > 60, "{calls} calls are too few to tell");
    let mut hit = 0;
    let turn = usize::try_from(seed() % 2).unwrap();
    for call in 1..=calls {
        let other = [Fault::Broken, Fault::LossySync][(call + turn) % 2];
        for fault in [Fault::Full, other] {
            hit += run(fault, call, call + 1).1;
        }
    }
    println!("{calls} calls, {hit} writes failed and were repeated");
    assert!(hit > calls / 2, "{hit} failures are too few to tell");
}

#[test]
fn a_disk_may_stay_full_or_broken_for_a_while() {
    let mut hit = 0;
    for from in (1..150).step_by(11) {
        for fault in [
            Fault::Full,
            Fault::FullWhereNew,
            Fault::Broken,
            Fault::LossySync,
        ] {
            hit += run(fault, from, from + 40).1;
        }
    }
    assert!(hit > 100, "{hit} failures are too few to tell");
}
