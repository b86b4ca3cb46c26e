//! Work on a file that no one has open: restoring and looking.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use secret::Key;

use super::{T, key, put};
use crate::offline::{self, Restore};
use crate::snapshot::{self, Fault};
use crate::{Error, Mark, Options, Step, Store, Watch};

pub(super) fn go_on() -> impl FnMut(&Step) -> ControlFlow<()> {
    |_| ControlFlow::Continue(())
}

/// A store with something in it, and a full snapshot of it and one of later changes.
fn samples(folder: &Path) -> (PathBuf, Vec<u8>, Vec<u8>, Mark) {
    let path = folder.join("store");
    let store = Store::open(&path, &key(), Options::default()).unwrap();
    put(&store, b"a", &[1; 9000]).unwrap();
    let (mut full, mut changes) = (Vec::new(), Vec::new());
    let mark = store.snapshot(None, &mut full, &mut go_on()).unwrap();
    put(&store, b"b", &[2; 9000]).unwrap();
    let mark = store
        .snapshot(Some(&mark), &mut changes, &mut go_on())
        .unwrap();
    (path, full, changes, mark)
}

fn files(folder: &Path) -> usize {
    folder.read_dir().unwrap().count()
}

#[test]
fn a_restoration_replaces_nothing_and_leaves_nothing_unfinished() {
    let folder = tempfile::tempdir().unwrap();
    let (path, full, changes, _) = samples(folder.path());
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(
        Restore::begin(&path),
        Err(Error::Snapshot(Fault::Exists))
    ));
    let new = folder.path().join("new");
    let mut restore = Restore::begin(&new).unwrap();
    assert!(matches!(
        restore.apply(&mut changes.as_slice(), &mut go_on()),
        Err(Error::Snapshot(Fault::NeedsBase { .. }))
    ));
    drop(restore);
    let mut restore = Restore::begin(&new).unwrap();
    let cut = &full[..full.len() - 1];
    assert!(matches!(
        restore.apply(&mut &*cut, &mut go_on()),
        Err(Error::Snapshot(Fault::Truncated { .. }))
    ));
    drop(restore);
    let restore = Restore::begin(&new).unwrap();
    assert!(restore.finish(None, &mut go_on()).is_err());
    let mut restore = Restore::begin(&new).unwrap();
    restore.apply(&mut full.as_slice(), &mut go_on()).unwrap();
    std::fs::write(&new, "another's").unwrap();
    assert!(matches!(
        restore.finish(None, &mut go_on()),
        Err(Error::Snapshot(Fault::Exists))
    ));
    assert_eq!(std::fs::read(&new).unwrap(), b"another's");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(files(folder.path()), 2);
}

#[test]
fn what_was_tampered_with_is_found_with_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let (_, full, _, mark) = samples(folder.path());
    // Another block's content, in a stream whose hashes fit.
    let mut items: Vec<(u64, [u8; 4096])> = Vec::new();
    let mut header = None;
    let mut parser = snapshot::Parser::new();
    parser
        .push::<Fault>(&full, &mut |item| {
            match item {
                snapshot::Item::Header(found) => header = Some(found.clone()),
                snapshot::Item::Block { address, block } => items.push((address, *block)),
            }
            Ok(())
        })
        .unwrap();
    let swapped = items[0].1;
    items[1].1 = swapped;
    let mut forged = Vec::new();
    let mut writer = snapshot::Writer::begin(&mut forged, &header.unwrap()).unwrap();
    for (address, block) in &items {
        writer.block(*address, block).unwrap();
    }
    writer.finish().unwrap();
    snapshot::verify(&mut forged.as_slice(), &mut go_on()).unwrap();
    let new = folder.path().join("new");
    let apply = |stream: &[u8]| {
        let mut restore = Restore::begin(&new).unwrap();
        restore.apply(&mut &*stream, &mut go_on()).unwrap();
        restore
    };
    let error = apply(&forged).finish(Some(&key()), &mut go_on());
    assert!(matches!(error, Err(Error::Damaged { .. })), "{error:?}");
    let other = Key::new([1; 32]);
    let error = apply(&full).finish(Some(&other), &mut go_on());
    assert!(matches!(error, Err(Error::WrongKey)), "{error:?}");
    // A header that claims another commit than the sealed root names.
    let mut lying = full.clone();
    lying[56] ^= 1;
    let hash = <sha2::Sha256 as sha2::Digest>::digest(&lying[..snapshot::HEADER_BYTES]);
    lying[snapshot::HEADER_BYTES..][..32].copy_from_slice(&hash);
    assert!(snapshot::verify(&mut lying.as_slice(), &mut go_on()).is_err());
    assert_eq!(
        apply(&full).finish(None, &mut go_on()).unwrap().file,
        mark.file
    );
    assert_eq!(files(folder.path()), 2);
}

#[test]
fn changes_go_onto_a_restored_file_too() {
    let folder = tempfile::tempdir().unwrap();
    let (path, full, changes, mark) = samples(folder.path());
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let mut restore = Restore::begin(&first).unwrap();
    restore.apply(&mut full.as_slice(), &mut go_on()).unwrap();
    restore.finish(Some(&key()), &mut go_on()).unwrap();
    let mut restore = Restore::onto(&second, &first, &key(), &mut go_on()).unwrap();
    restore
        .apply(&mut changes.as_slice(), &mut go_on())
        .unwrap();
    assert_eq!(restore.finish(Some(&key()), &mut go_on()).unwrap(), mark);
    let store = Store::open(&second, &key(), Options::default()).unwrap();
    assert_eq!(store.read(|tx| tx.count(T)).unwrap(), 2);
    drop(store);
    // One that was opened since has gone on.
    drop(Store::open(&first, &key(), Options::default()).unwrap());
    put(
        &Store::open(&first, &key(), Options::default()).unwrap(),
        b"c",
        b"3",
    )
    .unwrap();
    std::fs::remove_file(&second).unwrap();
    let mut restore = Restore::onto(&second, &first, &key(), &mut go_on()).unwrap();
    let error = restore.apply(&mut changes.as_slice(), &mut go_on());
    assert!(matches!(
        error,
        Err(Error::Snapshot(Fault::WrongBase { .. }))
    ));
    drop(restore);
    assert_eq!(files(folder.path()), 2);
    drop(path);
}

#[test]
fn looking_changes_nothing_and_damage_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (path, full, _, mark) = samples(folder.path());
    let before = std::fs::read(&path).unwrap();
    let outline = offline::outline(&path).unwrap();
    assert_eq!((outline.version, outline.intact), (2, 2));
    assert_eq!(
        (outline.file, outline.bytes),
        (mark.file, before.len() as u64)
    );
    let info = offline::info(&path, &key()).unwrap();
    assert_eq!((info.data_keys, info.outdated), (1, 0));
    assert_eq!(offline::count(&path, &key(), T).unwrap(), 2);
    assert_eq!(
        offline::count(&path, &key(), crate::Table::new("absent")).unwrap(),
        0
    );
    let other = Key::new([9; 32]);
    assert!(matches!(
        offline::count(&path, &other, T),
        Err(Error::WrongKey)
    ));
    assert!(info.mark.generation >= mark.generation);
    let verified = offline::verify(&path, &key(), Options::default(), &mut go_on()).unwrap();
    assert_eq!(verified.mark, info.mark);
    assert_eq!((verified.tables, verified.records), (1, 2));
    assert!(verified.blocks > 4 && verified.blocks <= info.used);
    let mut again = Vec::new();
    offline::snapshot(&path, &key(), None, &mut again, &mut go_on()).unwrap();
    assert!(again.len() >= full.len() / 2);
    let stop: &mut Watch<'_> = &mut |_| ControlFlow::Break(());
    assert!(matches!(
        offline::verify(&path, &key(), Options::default(), stop),
        Err(Error::Stopped)
    ));
    assert!(matches!(
        offline::verify(&path, &Key::new([1; 32]), Options::default(), &mut go_on()),
        Err(Error::WrongKey)
    ));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let store = Store::open(&path, &key(), Options::default()).unwrap();
    assert!(matches!(offline::outline(&path), Err(Error::InUse)));
    assert!(matches!(offline::info(&path, &key()), Err(Error::InUse)));
    drop(store);
    // Each block that is in use is looked at.
    let blocks = offline::verify(&path, &key(), Options::default(), &mut go_on())
        .unwrap()
        .blocks;
    let image = std::fs::read(&path).unwrap();
    let mut found = 0;
    for block in 10..image.len() / 4096 {
        let mut damaged = image.clone();
        damaged[block * 4096 + 17] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        found +=
            u64::from(offline::verify(&path, &key(), Options::default(), &mut go_on()).is_err());
    }
    assert_eq!(found, blocks);
}
