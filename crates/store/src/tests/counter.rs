//! A store and its anchor put back together: refused where a TPM counted on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tpm::Count;

use super::{T, block_on, content, key};
use crate::{Error, FileAnchor, Options, Store};

const NEW: Count = Count {
    index: 0x0180_0000,
    first: 40,
    value: 40,
};

/// A machine with a store, its anchor, and a counter that the store's unit is shown.
struct Machine {
    folder: tempfile::TempDir,
    counter: Option<Count>,
}

impl Machine {
    fn new(counter: Option<Count>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, counter }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, accept_rollback: bool) -> Result<Store, Error> {
        let anchor = FileAnchor::counted(&self.path("anchor"), &key(), self.counter)?;
        let options = Options {
            anchor: Some(Arc::new(anchor)),
            accept_rollback,
            ..Options::default()
        };
        Store::open(&self.path("store"), &key(), options)
    }

    /// Opens, has the counter moved as is done once the store serves, and writes `word`.
    fn serve(&mut self, word: &str) {
        let store = self.open(false).unwrap();
        self.counter = self.counter.map(Count::next);
        let word = word.as_bytes().to_vec();
        block_on(store.write(move |tx| tx.put(T, &word, b""))).unwrap();
    }

    fn copy(&self, to: &str) {
        copy(self.folder.path(), &self.path(to));
    }

    fn put_back(&self, from: &str) {
        copy(&self.path(from), self.folder.path());
    }

    fn words(&self) -> usize {
        content(&self.open(false).unwrap()).unwrap().len()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in ["store", "anchor"] {
        match fs::copy(from.join(name), to.join(name)) {
            Ok(_) => {}
            Err(_) => drop(fs::remove_file(to.join(name))),
        }
    }
}

#[test]
fn both_put_back_are_refused_and_the_newest_taken_again() {
    let mut machine = Machine::new(Some(NEW));
    machine.serve("one");
    machine.copy("older");
    machine.serve("two");
    machine.serve("three");
    machine.copy("newest");
    machine.put_back("older");
    let refused = machine.open(false);
    assert!(matches!(refused, Err(Error::AnchorPutBack { openings: 2 })));
    // Also where one of the two is gone, or both.
    fs::remove_file(machine.path("anchor")).unwrap();
    assert!(matches!(
        machine.open(false),
        Err(Error::AnchorPutBack { openings: 3 })
    ));
    fs::remove_file(machine.path("store")).unwrap();
    assert!(matches!(
        machine.open(false),
        Err(Error::AnchorPutBack { openings: 3 })
    ));
    assert!(!machine.path("store").exists());
    machine.put_back("newest");
    assert_eq!(machine.words(), 3);
}

#[test]
fn starts_that_failed_do_not_look_like_an_older_copy() {
    let mut machine = Machine::new(Some(NEW));
    for _ in 0..3 {
        machine.open(false).unwrap();
    }
    machine.serve("one");
    for _ in 0..3 {
        machine.open(false).unwrap();
    }
    machine.serve("two");
    assert_eq!(machine.words(), 2);
}

#[test]
fn a_store_from_before_there_was_a_tpm_is_bound_and_its_former_copies_refused() {
    let mut machine = Machine::new(None);
    machine.serve("one");
    machine.copy("older");
    machine.counter = Some(NEW);
    machine.serve("two");
    machine.put_back("older");
    let refused = machine.open(false);
    assert!(matches!(refused, Err(Error::AnchorPutBack { openings: 1 })));
}

#[test]
fn a_tpm_that_is_gone_or_another_is_told_and_can_be_accepted() {
    let mut machine = Machine::new(Some(NEW));
    machine.serve("one");
    let before = machine.counter;
    machine.counter = None;
    assert!(matches!(machine.open(false), Err(Error::CounterMissing)));
    machine.counter = Some(Count {
        first: 90,
        value: 90,
        ..NEW
    });
    assert!(matches!(machine.open(false), Err(Error::CounterForeign)));
    machine.counter = before;
    assert_eq!(machine.words(), 1);
    // Without one from now on.
    machine.counter = None;
    machine.open(true).unwrap();
    assert_eq!(machine.words(), 1);
    // And with another.
    machine.counter = Some(Count {
        first: 90,
        value: 90,
        ..NEW
    });
    machine.serve("two");
    assert_eq!(machine.words(), 2);
}

#[test]
fn an_older_copy_that_was_accepted_is_the_newest_from_then_on() {
    let mut machine = Machine::new(Some(NEW));
    machine.serve("one");
    machine.copy("older");
    machine.serve("two");
    machine.copy("newest");
    machine.put_back("older");
    machine.open(true).unwrap();
    machine.serve("three");
    assert_eq!(machine.words(), 2);
    machine.copy("accepted");
    machine.put_back("newest");
    let refused = machine.open(false);
    assert!(matches!(refused, Err(Error::AnchorPutBack { openings: 1 })));
    machine.put_back("accepted");
    assert_eq!(machine.words(), 2);
}

#[test]
fn what_is_refused_says_what_would_be_lost_and_the_way_out() {
    for error in [
        Error::AnchorPutBack { openings: 3 },
        Error::CounterMissing,
        Error::CounterForeign,
    ] {
        let said = error.to_string();
        assert!(
            said.contains("casemate store accept") && said.contains("stored"),
            "{said}"
        );
    }
}

#[test]
fn rekeying_keeps_the_counter() {
    let mut machine = Machine::new(Some(NEW));
    machine.serve("one");
    machine.copy("older");
    let anchor = FileAnchor::counted(&machine.path("anchor"), &key(), machine.counter).unwrap();
    let anchor = Arc::new(anchor);
    let options = Options {
        anchor: Some(anchor),
        ..Options::default()
    };
    let store = Store::open(&machine.path("store"), &key(), options).unwrap();
    store.rekey(&key()).unwrap();
    drop(store);
    machine.counter = machine.counter.map(Count::next);
    assert_eq!(machine.words(), 1);
    machine.put_back("older");
    assert!(matches!(
        machine.open(false),
        Err(Error::AnchorPutBack { .. })
    ));
}

/// An anchor that cannot note the opening: the next would pass for an older one.
#[test]
fn where_the_opening_cannot_be_noted_the_store_stays_closed() {
    use crate::{Anchor, Mark};

    #[derive(Debug)]
    struct Stuck(FileAnchor);

    impl Anchor for Stuck {
        fn read(&self, file: &[u8; 16]) -> Result<Option<Mark>, Error> {
            self.0.read(file)
        }
        fn advance(&self, _mark: &Mark) -> Result<(), Error> {
            Err(Error::NoSpace)
        }
        fn settle(&self) -> Result<(), Error> {
            Ok(())
        }
        fn open(&self) -> Result<(), Error> {
            Err(Error::NoSpace)
        }
    }

    let mut machine = Machine::new(Some(NEW));
    machine.serve("one");
    for accept_rollback in [false, true] {
        let anchor = FileAnchor::counted(&machine.path("anchor"), &key(), machine.counter).unwrap();
        let options = Options {
            anchor: Some(Arc::new(Stuck(anchor))),
            accept_rollback,
            ..Options::default()
        };
        let stays = Store::open(&machine.path("store"), &key(), options);
        assert!(matches!(stays, Err(Error::NoSpace)), "{accept_rollback}");
    }
}
