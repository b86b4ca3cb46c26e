//! What leaves the store that holds the canaries: streams of snapshots, and what is restored of them.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::key;
use crate::offline::Restore;
use crate::{Mark, Options, Record, Step, Store, Table};

/// Streams in files of a folder, where they are looked into as any file there.
pub(super) struct Copies<'f> {
    folder: &'f Path,
    full: Vec<PathBuf>,
    changes: Vec<PathBuf>,
    last: Option<Mark>,
}

fn go_on(_: &Step) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// All that the store at `path` has in `table`.
fn content(path: &Path, table: Table) -> Vec<Record> {
    let store = Store::open(path, &key(), Options::default()).unwrap();
    store
        .read(|tx| tx.range(table, ..)?.collect::<Result<_, _>>())
        .unwrap()
}

impl<'f> Copies<'f> {
    pub(super) const fn new(folder: &'f Path) -> Self {
        Self {
            folder,
            full: Vec::new(),
            changes: Vec::new(),
            last: None,
        }
    }

    /// Takes a full snapshot of the store as it is before the first canary, if none was taken.
    pub(super) fn begin(&mut self, store: &Store) {
        if self.last.is_none() {
            self.last = Some(self.full(store));
        }
    }

    /// Takes a full snapshot, and one of what changed since the last.
    pub(super) fn take(&mut self, store: &Store) {
        let base = self.last.unwrap();
        let path = self.folder.join(format!("changes-{}", self.changes.len()));
        let mut out = File::create_new(&path).unwrap();
        let mark = store.snapshot(Some(&base), &mut out, &mut go_on).unwrap();
        self.changes.push(path);
        assert!(mark.generation > base.generation);
        assert_eq!(self.full(store), mark);
        self.last = Some(mark);
    }

    fn full(&mut self, store: &Store) -> Mark {
        let path = self.folder.join(format!("full-{}", self.full.len()));
        let mut out = File::create_new(&path).unwrap();
        let mark = store.snapshot(None, &mut out, &mut go_on).unwrap();
        self.full.push(path);
        mark
    }

    /// How many streams there are.
    pub(super) fn streams(&self) -> u64 {
        (self.full.len() + self.changes.len()) as u64
    }

    /// Restores the newest state of the store at `path`, which is closed: of the last full
    /// snapshot, and of the first with all changes. Returns how many files were made, each of which
    /// holds what the store does.
    pub(super) fn restore(&self, path: &Path, table: Table) -> u64 {
        let held = content(path, table);
        let (first, last) = (self.full.first().unwrap(), self.full.last().unwrap());
        let step_by_step: Vec<_> = [first].into_iter().chain(&self.changes).collect();
        let mut made = 0;
        for streams in [vec![last], step_by_step] {
            let restored = self.folder.join(format!("restored-{made}"));
            let mut restore = Restore::begin(&restored).unwrap();
            for stream in streams {
                let mut stream = File::open(stream).unwrap();
                restore.apply(&mut stream, &mut go_on).unwrap();
            }
            assert_eq!(restore.finish(Some(&key()), &mut go_on).ok(), self.last);
            assert!(content(&restored, table) == held);
            made += 1;
        }
        made
    }
}
