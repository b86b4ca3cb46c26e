//! Work on a file that no one has open: other keys, the anchor, and what subjects sealed.

use std::ops::ControlFlow;
use std::sync::Arc;

use secret::Key;

use super::offline::go_on;
use super::{T, block_on, key, put};
use crate::{Error, FileAnchor, Options, Record, Store, offline};

#[test]
fn keys_are_changed_at_once_and_content_step_by_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = Store::open(&path, &key(), Options::default()).unwrap();
    block_on(store.write(|tx| {
        (0..1500_u16).try_for_each(|number| tx.put(T, &number.to_be_bytes(), &[7; 3000]))
    }))
    .unwrap();
    let all: Vec<Record> = super::content(&store).unwrap();
    drop(store);
    let new = Key::new([9; 32]);
    offline::rekey(&path, &key(), &Options::default(), &new).unwrap();
    assert!(matches!(offline::info(&path, &key()), Err(Error::WrongKey)));
    let info = offline::info(&path, &new).unwrap();
    assert_eq!(info.data_keys, 1);
    // Stopped after some steps, and gone on with.
    let mut steps = 0;
    let stopped = offline::renew(&path, &new, Options::default(), &mut |_| {
        steps += 1;
        if steps < 4 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    assert!(matches!(stopped, Err(Error::Stopped)));
    let between = offline::info(&path, &new).unwrap();
    assert_eq!(between.data_keys, 2);
    assert!(between.outdated > 0 && between.outdated < between.used);
    offline::verify(&path, &new, Options::default(), &mut go_on()).unwrap();
    let mut last = 0;
    offline::renew(&path, &new, Options::default(), &mut |step| {
        assert!(step.done >= last);
        last = step.done;
        ControlFlow::Continue(())
    })
    .unwrap();
    let after = offline::info(&path, &new).unwrap();
    assert_eq!((after.data_keys, after.outdated), (1, 0));
    offline::verify(&path, &new, Options::default(), &mut go_on()).unwrap();
    let store = Store::open(&path, &new, Options::default()).unwrap();
    assert!(super::content(&store).unwrap() == all);
}

#[test]
fn commands_keep_to_the_anchor() {
    let folder = tempfile::tempdir().unwrap();
    let (path, anchor) = (folder.path().join("store"), folder.path().join("anchor"));
    let options = |key: &Key| Options {
        anchor: Some(Arc::new(FileAnchor::new(&anchor, key).unwrap())),
        ..Options::default()
    };
    let store = Store::open(&path, &key(), options(&key())).unwrap();
    put(&store, b"a", b"1").unwrap();
    drop(store);
    let older = std::fs::read(&path).unwrap();
    let store = Store::open(&path, &key(), options(&key())).unwrap();
    put(&store, b"b", b"2").unwrap();
    drop(store);
    let verify = |key: &Key| offline::verify(&path, key, options(key), &mut go_on());
    verify(&key()).unwrap();
    let newer = std::fs::read(&path).unwrap();
    std::fs::write(&path, &older).unwrap();
    assert!(matches!(verify(&key()), Err(Error::RolledBack { .. })));
    std::fs::write(&path, &newer).unwrap();
    let new = Key::new([9; 32]);
    offline::rekey(&path, &key(), &options(&key()), &new).unwrap();
    verify(&new).unwrap();
    offline::renew(&path, &new, options(&new), &mut go_on()).unwrap();
    verify(&new).unwrap();
    // An older copy still asks for the older key, which no longer opens the anchor.
    std::fs::write(&path, &older).unwrap();
    assert!(matches!(verify(&key()), Err(Error::AnchorKey)));
    let before = offline::info(&path, &key()).unwrap().mark;
    let accepted = offline::accept(&path, &key(), options(&key())).unwrap();
    assert_ne!(accepted.lineage, before.lineage);
    verify(&key()).unwrap();
    drop(Store::open(&path, &key(), options(&key())).unwrap());
    std::fs::write(&path, &newer).unwrap();
    assert!(verify(&key()).is_err());
}

#[test]
fn a_new_key_opens_what_subjects_sealed_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = Store::open(&path, &key(), Options::default()).unwrap();
    block_on(store.write(|tx| {
        let subject = tx.new_subject()?;
        tx.put_of(subject, T, b"a", b"1")
    }))
    .unwrap();
    drop(store);
    let new = Key::new([9; 32]);
    offline::rekey(&path, &key(), &Options::default(), &new).unwrap();
    let store = Store::open(&path, &new, Options::default()).unwrap();
    assert_eq!(
        store.read(|tx| tx.get(T, b"a")).unwrap().as_deref(),
        Some(b"1".as_slice())
    );
}

#[test]
fn erased_subjects_are_counted_and_the_key_table_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (path, keys) = (
        folder.path().join("store"),
        folder.path().join("store.keys"),
    );
    let store = Store::open(&path, &key(), Options::default()).unwrap();
    put(&store, b"a", b"1").unwrap();
    drop(store);
    assert_eq!(offline::erased(&path, &key()).unwrap(), None);
    let store = Store::open(&path, &key(), Options::default()).unwrap();
    let make = || block_on(store.write(|tx| tx.new_subject())).unwrap();
    let subjects = [make(), make(), make(), make()];
    for subject in [subjects[0], subjects[2]] {
        block_on(store.erase(subject, |_| Ok::<_, Error>(()))).unwrap();
    }
    drop(store);
    // Numbers that were set aside and not used do not count, although they are not used later.
    assert_eq!(offline::erased(&path, &key()).unwrap(), Some(2));
    let store = Store::open(&path, &key(), Options::default()).unwrap();
    let later = block_on(store.write(|tx| tx.new_subject())).unwrap();
    assert!(later.number() > 1000);
    assert!(matches!(offline::erased(&path, &key()), Err(Error::InUse)));
    drop(store);
    // What opening would mend, looking leaves.
    let mut damaged = std::fs::read(&keys).unwrap();
    damaged[100] ^= 1;
    std::fs::write(&keys, &damaged).unwrap();
    assert_eq!(offline::erased(&path, &key()).unwrap(), Some(2));
    assert_eq!(std::fs::read(&keys).unwrap(), damaged);
    damaged[4096 + 100] ^= 1;
    std::fs::write(&keys, &damaged).unwrap();
    assert!(matches!(
        offline::erased(&path, &key()),
        Err(Error::KeysDamaged)
    ));
    let other = Key::new([1; 32]);
    assert!(matches!(
        offline::erased(&path, &other),
        Err(Error::WrongKey)
    ));
}
