//! What the interface promises.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::event::Event;
use super::simulated::Simulated;
use super::{T, block_on, content, create, open, put};
use crate::{Error, KEY_BYTES_MAX, Table, WriteError};

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u16),
    Remove(u8),
    RemovePrefix(u8),
    /// Changes that are taken back.
    Refuse(Vec<(u8, Option<u16>)>),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<u8>(), any::<u16>()).prop_map(|(key, value)| Step::Put(key, value)),
        2 => any::<u8>().prop_map(Step::Remove),
        1 => any::<u8>().prop_map(Step::RemovePrefix),
        2 => proptest::collection::vec((any::<u8>(), any::<Option<u16>>()), 1..5)
            .prop_map(Step::Refuse),
        1 => Just(Step::Reopen),
    ]
}

/// Keys of one or two bytes, so that some are prefixes of others.
fn spread(key: u8) -> Vec<u8> {
    if key < 128 {
        vec![key / 8]
    } else {
        vec![(key - 128) / 8, key]
    }
}

fn value(seed: u16) -> Vec<u8> {
    vec![seed.to_le_bytes()[0]; usize::from(seed) % 9000]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_an_ordered_map(steps in proptest::collection::vec(step(), 1..40)) {
        let disk = Simulated::recording();
        let mut store = create(&disk);
        let mut model = BTreeMap::new();
        for step in steps {
            match step {
                Step::Put(key, seed) => {
                    put(&store, &spread(key), &value(seed)).unwrap();
                    model.insert(spread(key), value(seed));
                }
                Step::Remove(key) => {
                    let key = spread(key);
                    let before = model.remove(&key);
                    prop_assert_eq!(block_on(store.write(move |tx| tx.remove(T, &key))).unwrap(), before);
                }
                Step::RemovePrefix(key) => {
                    let prefix = vec![spread(key)[0]];
                    let count = model.len();
                    model.retain(|key, _| !key.starts_with(&prefix));
                    let removed = block_on(store.write(move |tx| tx.remove_prefix(T, &prefix))).unwrap();
                    prop_assert_eq!(removed, (count - model.len()) as u64);
                }
                Step::Refuse(changes) => {
                    let refused = block_on(store.write(move |tx| {
                        for (key, seed) in changes {
                            match seed {
                                Some(seed) => tx.put(T, &spread(key), &value(seed))?,
                                None => drop(tx.remove(T, &spread(key))?),
                            }
                        }
                        Err::<(), _>(Error::Closed)
                    }));
                    prop_assert!(matches!(refused, Err(WriteError::Refused(Error::Closed))));
                }
                Step::Reopen => {
                    drop(store);
                    store = open(&disk).unwrap();
                }
            }
            let expected: Vec<_> = model.clone().into_iter().collect();
            prop_assert_eq!(content(&store).unwrap(), expected);
            prop_assert_eq!(store.read(|tx| tx.count(T)).unwrap(), model.len() as u64);
            let last = model.last_key_value().map(|(k, v)| (k.clone(), v.clone()));
            prop_assert_eq!(store.read(|tx| tx.last(T)).unwrap(), last);
        }
        for first in 0..16_u8 {
            let found = store
                .read(|tx| tx.prefix(T, &[first])?.rev().collect::<Result<Vec<_>, _>>())
                .unwrap();
            let expected: Vec<_> = model
                .iter()
                .rev()
                .filter(|(key, _)| key[0] == first)
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}

#[test]
fn waiting_writers_share_commits() {
    const WRITERS: usize = 16;
    const EACH: usize = 20;
    let disk = Simulated::recording();
    let store = create(&disk);
    disk.slow_syncs(Duration::from_millis(2));
    let before = disk.syncs();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = store.clone();
            scope.spawn(move || {
                for number in 0..EACH {
                    put(&store, format!("{writer} {number}").as_bytes(), b"v").unwrap();
                }
            });
        }
    });
    let syncs = disk.syncs() - before;
    println!("{} writes, {syncs} syncs", WRITERS * EACH);
    assert!(syncs < WRITERS * EACH / 2, "{syncs} syncs");
    assert_eq!(content(&store).unwrap().len(), WRITERS * EACH);
}

#[test]
fn a_panicking_write_costs_no_one_else() {
    let store = create(&Simulated::recording());
    let panicked = block_on(store.write(|tx| {
        tx.put(T, b"half", b"done")?;
        if tx.count(T)? == 1 {
            panic!("a test's own");
        }
        Ok::<_, Error>(())
    }));
    assert!(matches!(panicked, Err(WriteError::Store(Error::Closed))));
    put(&store, b"next", b"v").unwrap();
    assert_eq!(
        content(&store).unwrap(),
        [(b"next".to_vec(), b"v".to_vec())]
    );
}

#[test]
fn dropping_finishes_what_waits() {
    let disk = Simulated::recording();
    let store = create(&disk);
    disk.slow_syncs(Duration::from_millis(5));
    let done = Arc::new(AtomicUsize::new(0));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    for number in 0..50_u8 {
        let (store, done) = (store.clone(), Arc::clone(&done));
        runtime.spawn(async move {
            store
                .write(move |tx| tx.put(T, &[number], b"v"))
                .await
                .unwrap();
            done.fetch_add(1, Ordering::SeqCst);
        });
    }
    // Ends the tasks wherever they are: what they had handed over is written all the same.
    runtime.shutdown_timeout(Duration::from_millis(20));
    drop(store);
    let reopened = open(&disk).unwrap();
    assert!(content(&reopened).unwrap().len() >= done.load(Ordering::SeqCst));
}

#[test]
fn a_snapshot_does_not_move() {
    let store = create(&Simulated::recording());
    put(&store, b"a", b"1").unwrap();
    let seen = store
        .read(|tx| {
            let first = tx.get(T, b"a")?;
            put(&store, b"a", b"2").unwrap();
            Ok((first, tx.get(T, b"a")?))
        })
        .unwrap();
    assert_eq!(seen, (Some(b"1".to_vec()), Some(b"1".to_vec())));
    assert_eq!(
        store.read(|tx| tx.get(T, b"a")).unwrap(),
        Some(b"2".to_vec())
    );
}

#[test]
fn a_key_over_the_limit_is_refused() {
    let store = create(&Simulated::recording());
    let long = vec![0; KEY_BYTES_MAX + 1];
    assert!(matches!(
        put(&store, &long, b""),
        Err(WriteError::Refused(Error::TooLarge { what: "key", .. }))
    ));
    put(&store, &long[1..], b"").unwrap();
}

#[test]
fn no_plaintext_reaches_the_disk() {
    const CANARY: &[u8] = b"canary-Xq7-in-a-coal-mine";
    const NAMED: Table = Table::new("canary-Xq7-table");
    let disk = Simulated::recording();
    let store = create(&disk);
    for number in 0..50_u8 {
        let key = [CANARY, &[number]].concat();
        block_on(store.write(move |tx| tx.put(NAMED, &key, &CANARY.repeat(50)))).unwrap();
    }
    drop(store);
    let mut written = 0;
    for event in disk.take_log() {
        if let Event::Write { data, .. } = event {
            written += 1;
            for needle in [b"canary".as_slice(), b"coal", b"redb", b"casemate.erasures"] {
                assert!(!data.windows(needle.len()).any(|window| window == needle));
            }
        }
    }
    assert!(written > 100, "{written} writes are too few to tell");
}
