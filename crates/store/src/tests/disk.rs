//! The store on a real file.

use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;

use secret::Key;

use super::pair::{ALL, begin, erase, traces};
use super::{T, block_on, content, key, put};
use crate::{Error, Options, Step, Store, WriteError};

#[test]
fn writes_outlive_the_store_in_a_private_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.redb");
    let store = Store::open(&path, &key(), Options::default()).unwrap();
    put(&store, b"a", b"1").unwrap();
    put(&store, b"b", b"2").unwrap();
    assert!(matches!(
        Store::open(&path, &key(), Options::default()),
        Err(Error::InUse)
    ));
    drop(store);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let names: Vec<_> = folder.path().read_dir().unwrap().collect();
    assert_eq!(names.len(), 1, "a temporary file was left: {names:?}");
    let store = Store::open(&path, &key(), Options::default()).unwrap();
    let all = store
        .read(|tx| tx.range(T, ..)?.collect::<Result<Vec<_>, _>>())
        .unwrap();
    assert_eq!(
        all,
        [
            (b"a".to_vec(), b"1".to_vec()),
            (b"b".to_vec(), b"2".to_vec())
        ]
    );
    assert_eq!(store.read(|tx| tx.count(T)).unwrap(), 2);
    drop(store);
    assert!(matches!(
        Store::open(&path, &Key::new([1; 32]), Options::default()),
        Err(Error::WrongKey)
    ));
}

#[test]
fn a_refused_write_leaves_nothing_and_spoils_no_neighbour() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("s"), &key(), Options::default()).unwrap();
    put(&store, b"kept", b"before").unwrap();
    let refused = store.write(|tx| {
        tx.put(T, b"kept", b"after")?;
        tx.put(T, b"new", b"x")?;
        tx.remove(T, b"kept")?;
        Err::<(), _>(Error::Closed)
    });
    let good = store.write(|tx| tx.put(T, b"good", b"y"));
    let (refused, good) = block_on(async { (refused.await, good.await) });
    assert!(matches!(refused, Err(WriteError::Refused(Error::Closed))));
    good.unwrap();
    let all = store
        .read(|tx| tx.prefix(T, b"")?.collect::<Result<Vec<_>, _>>())
        .unwrap();
    assert_eq!(
        all,
        [
            (b"good".to_vec(), b"y".to_vec()),
            (b"kept".to_vec(), b"before".to_vec())
        ]
    );
}

#[test]
fn a_compacted_file_is_short_and_holds_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = Store::open(&path, &key(), Options::default()).unwrap();
    for round in 0..4_u8 {
        let writes = (0..200_u8).map(move |at| (at, vec![at ^ round; 3000]));
        block_on(store.write(move |tx| {
            for (at, value) in writes {
                tx.put(T, &[at], &value)?;
            }
            Ok::<_, Error>(())
        }))
        .unwrap();
    }
    block_on(store.write(|tx| {
        for at in 0..150_u8 {
            tx.remove(T, &[at])?;
        }
        Ok::<_, Error>(())
    }))
    .unwrap();
    let before = content(&store).unwrap();
    drop(store);
    let mut steps = Vec::new();
    let mut note = |step: &Step| {
        steps.push((step.doing, step.done));
        ControlFlow::Continue(())
    };
    let (long, short) = crate::compact(&path, &key(), Options::default(), &mut note).unwrap();
    assert_eq!(steps.first(), Some(&("moving records together", 0)));
    assert!(steps.contains(&("shortening the file", 0)), "{steps:?}");
    assert_eq!(short, path.metadata().unwrap().len());
    // 50 records of 3000 bytes lie in pages of 4096 bytes.
    assert!(short < long / 2 && short < 120 * 4096, "{long} to {short}");
    let store = Store::open(&path, &key(), Options::default()).unwrap();
    assert_eq!(content(&store).unwrap(), before);
    let none = folder.path().join("none");
    let missing = crate::compact(&none, &key(), Options::default(), &mut |_| {
        ControlFlow::Continue(())
    });
    assert!(matches!(missing, Err(Error::Io { .. })), "{missing:?}");
}

#[test]
fn the_key_table_is_a_private_file_beside_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.redb");
    let keys = folder.path().join("chat.redb.keys");
    let store = Store::open(&path, &key(), Options::default()).unwrap();
    assert!(!keys.exists());
    let subject = begin(&store, b"first").unwrap();
    assert_eq!(keys.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    drop(store);
    let old = std::fs::read(&path).unwrap();
    let store = Store::open(&path, &key(), Options::default()).unwrap();
    assert_eq!(traces(&store, subject, b"first"), ALL);
    erase(&store, subject, b"first").unwrap();
    drop(store);
    assert_eq!(folder.path().read_dir().unwrap().count(), 2);
    std::fs::write(&path, old).unwrap();
    let store = Store::open(&path, &key(), Options::default()).unwrap();
    assert_eq!(traces(&store, subject, b"first"), 0);
    drop(store);
    std::fs::rename(&path, folder.path().join("moved")).unwrap();
    assert!(matches!(
        Store::open(&path, &key(), Options::default()),
        Err(Error::KeysOfAnother)
    ));
    assert!(
        !path.exists(),
        "a store was made beside another's key table"
    );
    std::fs::rename(folder.path().join("moved"), &path).unwrap();
    std::fs::remove_file(&keys).unwrap();
    assert!(matches!(
        Store::open(&path, &key(), Options::default()),
        Err(Error::KeysMissing)
    ));
    let options = Options {
        give_subjects_up: true,
        ..Options::default()
    };
    let store = Store::open(&path, &key(), options).unwrap();
    assert!(keys.exists());
    assert_eq!(traces(&store, subject, b"first"), 0);
}
