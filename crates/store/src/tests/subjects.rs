//! Subjects: sealed for one, erased as one.

use secret::Key;

use super::event::Fault;
use super::pair::{ALL, Drawer, INDEX, Pair, begin, erase, start, traces, values};
use super::simulated::Simulated;
use super::{T, block_on, key};
use crate::engine::Engine;
use crate::subject::{HIDDEN_BYTES, KeyTable};
use crate::{Error, Options, Store, Subject, WriteError};

#[test]
fn records_open_until_their_subject_is_erased() {
    let (pair, store, first) = Pair::make();
    let second = begin(&store, b"second").unwrap();
    assert!(second.number() > first.number());
    for (subject, name) in [(first, b"first".as_slice()), (second, b"second")] {
        assert_eq!(traces(&store, subject, name), ALL);
        assert_eq!(
            values(&store, name).unwrap(),
            [b"secret".to_vec(), vec![7; 5000]]
        );
        let found = store.read(|tx| tx.subject_of(T, name)).unwrap();
        assert_eq!(found, Some(subject));
    }
    let old = pair.data.image();
    erase(&store, first, b"first").unwrap();
    assert_eq!(traces(&store, first, b"first"), 0);
    assert_eq!(traces(&store, second, b"second"), ALL);
    let refused = block_on(store.write(move |tx| tx.put_of(first, T, b"first", b"again")));
    assert!(matches!(refused, Err(WriteError::Refused(Error::Erased))));
    erase(&store, first, b"first").unwrap();
    drop(store);
    // An earlier image of the data with the present keys.
    let store = Pair::of(old, pair.keys.image()).open().unwrap();
    assert_eq!(traces(&store, first, b"first"), 0);
    assert_eq!(traces(&store, second, b"second"), ALL);
    let removed = block_on(store.write(|tx| tx.remove_prefix(T, b"first"))).unwrap();
    assert_eq!(removed, 2);
    let third = begin(&store, b"third").unwrap();
    assert!(third.number() > second.number());
}

#[test]
fn an_erasure_reaches_what_its_closure_left() {
    let (_, store, subject) = Pair::make();
    block_on(store.erase(subject, |_| Ok::<_, Error>(()))).unwrap();
    assert_eq!(traces(&store, subject, b"first"), 0);
    let (get, removed) =
        block_on(store.write(|tx| Ok::<_, Error>((tx.get(T, b"first")?, tx.remove(T, b"first")?))))
            .unwrap();
    assert_eq!((get, removed), (None, None));
}

#[test]
fn nothing_is_stored_for_a_subject_erased_in_the_same_commit() {
    let (_, store, subject) = Pair::make();
    let (erased, put) = block_on(async {
        tokio::join!(
            store.erase(subject, |_| Ok::<_, Error>(())),
            store.write(move |tx| tx.put_of(subject, T, b"late", b"x")),
        )
    });
    erased.unwrap();
    assert!(matches!(put, Err(WriteError::Refused(Error::Erased))));
    assert_eq!(store.read(|tx| tx.get(T, b"late")).unwrap(), None);
}

#[test]
fn a_refused_erasure_erases_nothing() {
    let (pair, store, subject) = Pair::make();
    let keys = pair.keys.image();
    let refused = block_on(store.erase(subject, |_| Err::<(), _>(Error::Closed)));
    assert!(matches!(refused, Err(WriteError::Refused(Error::Closed))));
    assert_eq!(traces(&store, subject, b"first"), ALL);
    assert_eq!(pair.keys.image(), keys);
    let foreign = Subject(subject.number() + 100_000);
    let refused = block_on(store.erase(foreign, |_| Ok::<_, Error>(())));
    assert!(matches!(
        refused,
        Err(WriteError::Refused(Error::Inconsistent(_)))
    ));
}

#[test]
fn numbers_are_never_handed_out_again() {
    let (pair, store, first) = Pair::make();
    let old = pair.data.image();
    let mut numbers = vec![first.number()];
    for name in 0..5_u8 {
        numbers.push(begin(&store, &[name]).unwrap().number());
    }
    drop(store);
    // The data go back to before these subjects; their numbers do not.
    let store = Pair::of(old, pair.keys.image()).open().unwrap();
    numbers.push(begin(&store, b"x").unwrap().number());
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

#[test]
fn hidden_keys_show_nothing() {
    let (_, store, subject) = Pair::make();
    let entries = store
        .read(|tx| tx.range(INDEX, ..)?.collect::<Result<Vec<_>, _>>())
        .unwrap();
    let [(key, value)] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    assert_eq!(
        (key.len(), value.as_slice()),
        (HIDDEN_BYTES, b"first".as_slice())
    );
    let removed = block_on(store.write(move |tx| {
        let found = tx.get_hidden(subject, INDEX, b"word")?;
        assert_eq!(found, tx.remove_hidden(subject, INDEX, b"word")?);
        Ok::<_, Error>(found)
    }));
    assert_eq!(removed.unwrap(), Some(b"first".to_vec()));
}

#[test]
fn what_is_wrong_with_a_key_table_is_told_apart() {
    let (pair, store, subject) = Pair::make();
    drop(store);
    let (data, keys) = (pair.data.image(), pair.keys.image());
    let open = |keys: Drawer| start(&Simulated::with(data.clone()), keys, false);
    let with = |image: Vec<u8>| open(Drawer::with(Simulated::with(image)));
    assert!(matches!(open(Drawer::default()), Err(Error::KeysMissing)));
    let (other, store, _) = Pair::make();
    drop(store);
    assert!(matches!(
        with(other.keys.image()),
        Err(Error::KeysOfAnother)
    ));
    let disk = Simulated::with(data.clone());
    let engine = Engine::open(disk, &key(), Options::default()).unwrap();
    engine.rekey(&Key::new([1; 32])).unwrap();
    let drawer = Drawer::with(Simulated::with(keys.clone()));
    let wrong = Store::start_with(engine, Box::new(drawer), false);
    assert!(matches!(wrong, Err(Error::KeysWrongKey)));
    let damaged = |places: &[usize]| {
        let mut keys = keys.clone();
        for place in places {
            keys[*place] ^= 1;
        }
        with(keys)
    };
    for first in [0, 90] {
        assert!(matches!(
            damaged(&[first, 4096 + 90]),
            Err(Error::KeysDamaged)
        ));
        let store = damaged(&[first]).unwrap();
        assert_eq!(traces(&store, subject, b"first"), ALL);
    }
    assert!(matches!(
        damaged(&[8, 4096 + 8]),
        Err(Error::KeysUnsupported { version: 0, .. })
    ));
    assert!(matches!(with(Vec::new()), Err(Error::KeysDamaged)));
    // Given up for good: the old table does not come back, and new subjects have new numbers.
    let drawer = Drawer::default();
    let disk = Simulated::with(data.clone());
    let store = start(&disk, drawer.clone(), true).unwrap();
    assert_eq!(traces(&store, subject, b"first"), 0);
    let next = begin(&store, b"next").unwrap();
    assert!(next.number() > subject.number());
    assert_eq!(traces(&store, next, b"next"), ALL);
    drop(store);
    let store = start(&disk, drawer, false).unwrap();
    assert_eq!(traces(&store, next, b"next"), ALL);
}

#[test]
fn failing_calls_on_the_key_table_are_told_and_made_up_for() {
    for fault in [Fault::Broken, Fault::LossySync, Fault::Full] {
        for call in 1..12 {
            let (pair, store, subject) = Pair::make();
            let second = begin(&store, b"second").unwrap();
            let from = pair.keys.calls();
            pair.keys.fail(fault, from + call, from + call + 1);
            let what = format!("{fault:?} at call {call}");
            match erase(&store, subject, b"first") {
                Ok(()) => {}
                Err(WriteError::Store(Error::EraseUnfinished(_))) => {
                    assert_eq!(traces(&store, subject, b"first"), 0, "{what}");
                    if call % 2 == 0 {
                        erase(&store, subject, b"first").unwrap();
                    } else {
                        // Any other write makes up for it.
                        super::put(&store, b"other", b"x").unwrap();
                    }
                }
                Err(error) => panic!("{what}: {error}"),
            }
            let (data, keys) = (pair.data.image(), pair.keys.image());
            drop(store);
            let store = Pair::of(data, keys).open().unwrap();
            assert_eq!(traces(&store, subject, b"first"), 0, "{what}");
            assert_eq!(traces(&store, second, b"second"), ALL, "{what}");
        }
    }
}

#[test]
fn a_new_credential_key_opens_and_the_old_one_does_not() {
    let (pair, store, subject) = Pair::make();
    let file = store.key_table().file().to_owned();
    drop(store);
    let open = |credential: &Key, image: Vec<u8>| {
        let drawer = Drawer::with(Simulated::with(image));
        KeyTable::open(Box::new(drawer), credential, file, Some(subject), false)
    };
    let (old, new) = (key(), Key::new([9; 32]));
    let keys = pair.keys.clone();
    let key_table = KeyTable::open(
        Box::new(Drawer::with(keys.clone())),
        &old,
        file,
        None,
        false,
    )
    .unwrap();
    let mut between = Vec::new();
    key_table
        .rekey(&new, || {
            between = keys.image();
            Err(Error::Closed)
        })
        .unwrap_err();
    // Which key the data file has is not known: either must open, also after what is tried now.
    assert!(key_table.erase(&[subject]).is_err());
    assert!(key_table.rekey(&new, || Ok(())).is_err());
    assert!(keys.image() == between);
    for credential in [&old, &new] {
        assert!(
            open(credential, between.clone())
                .unwrap()
                .has(subject.number())
        );
    }
    drop(key_table);
    let key_table = KeyTable::open(
        Box::new(Drawer::with(keys.clone())),
        &old,
        file,
        None,
        false,
    );
    let key_table = key_table.unwrap();
    assert!(matches!(open(&new, keys.image()), Err(Error::KeysWrongKey)));
    key_table.rekey(&new, || Ok(())).unwrap();
    assert!(matches!(open(&old, keys.image()), Err(Error::KeysWrongKey)));
    key_table.erase(&[subject]).unwrap();
    assert!(!open(&new, keys.image()).unwrap().has(subject.number()));
}
