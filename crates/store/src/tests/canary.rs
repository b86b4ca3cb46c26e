//! Nothing that is stored is ever in the clear outside the process: not in the file, at any moment,
//! nor in anything else beside it, nor in a snapshot's stream or what is restored of it, nor in a
//! core dump of a process that is kept from writing one.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::process::{Resource, Rlimit, setrlimit};

use super::canary_copies::Copies;
use super::dice::Dice;
use super::needles::{NEEDLE_BYTES, Needle, Needles};
use super::proof::Proof;
use super::{block_on, key};
use crate::{Error, Options, Store, Table};

/// Canaries in one commit.
const BATCH: usize = 400;
/// Tables, whose names are canaries' neighbours and secret too.
const TABLE: Table = Table::new("a table of canaries");
/// What else must not be readable: names of tables, and how the engine's own file begins.
const NAMES: [&[u8]; 3] = [
    b"a table of canaries",
    b"casemate.erasures",
    b"redb\x1a\n\xa9\r\n",
];
/// Parts in which the canaries are stored. After each the store is closed, and before that its
/// snapshots are taken.
const PARTS: usize = 3;
const FOLDER: &str = "STORE_CANARY_FOLDER";
const CORE: &str = "STORE_CANARY_CORE";

/// Canary number `number` of a seed.
fn canary(seed: u64, number: u64) -> Needle {
    let mut bytes = [0; NEEDLE_BYTES];
    Dice::numbered(seed, number).fill(&mut bytes);
    bytes
}

/// Stores canaries as keys, as values and amid values, and takes some out again.
fn store_all(store: &Store, canaries: &[Needle]) {
    for batch in canaries.chunks(BATCH) {
        let batch = batch.to_vec();
        block_on(store.write(move |tx| {
            for (number, canary) in batch.iter().enumerate() {
                match number % 4 {
                    0 => tx.put(TABLE, canary, b"")?,
                    1 => tx.put(TABLE, &canary[..4], canary)?,
                    2 => tx.put(TABLE, canary, &canary.repeat(1 + number % 40))?,
                    _ => {
                        tx.put(TABLE, canary, canary)?;
                        tx.remove(TABLE, canary)?;
                    }
                }
            }
            Ok::<_, Error>(())
        }))
        .unwrap();
    }
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
}

/// Looks into every file of `folder`.
fn search(folder: &Path, needles: &Needles) -> Option<(String, usize)> {
    files(folder).find_map(|path| {
        let number = needles.find_in(&path)?;
        Some((path.display().to_string(), number))
    })
}

/// Runs in a process of its own: stores canaries, and ends in the most talkative way.
#[test]
#[ignore = "started by the test below"]
fn child() {
    let folder = std::env::var_os(FOLDER).unwrap();
    let limit = std::env::var(CORE).unwrap().parse().unwrap();
    let limit = Rlimit {
        current: Some(limit),
        maximum: Some(limit),
    };
    // Nobody but root can raise a limit; anybody can lower it.
    let set = setrlimit(Resource::Core, limit);
    assert!(set.is_ok() || limit.current > Some(0));
    let store = Store::open(
        &Path::new(&folder).join("store"),
        &key(),
        Options::default(),
    )
    .unwrap();
    let canaries: Vec<Needle> = (0..100).map(|number| canary(1, number)).collect();
    store_all(&store, &canaries);
    std::process::abort();
}

/// Lets a process abort that may write `limit` bytes of core; whether it wrote one, and whether
/// that gives a canary away.
fn abort(limit: u64, needles: &Needles) -> (bool, bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "tests::canary::child", "--ignored"])
        .env(FOLDER, folder.path())
        .env(CORE, limit.to_string())
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    let status = child.status().unwrap();
    assert_eq!(status.signal(), Some(6), "{status}");
    let found = search(folder.path(), needles).is_some();
    (status.core_dumped(), found)
}

#[test]
fn a_unit_s_limit_keeps_canaries_out_of_core_dumps() {
    let canaries: Vec<Needle> = (0..100).map(|number| canary(1, number)).collect();
    let needles = Needles::new(&canaries);
    // Every unit has LimitCORE=0.
    assert_eq!(abort(0, &needles), (false, false));
    // Without it the search finds them, where this machine writes cores to files.
    let (dumped, found) = abort(1 << 30, &needles);
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let to_file = !pattern.starts_with('|') && !pattern.starts_with('/');
    println!("without the limit: core {dumped}, canaries in it {found}, pattern {pattern}");
    assert!(!dumped || !to_file || found, "the search finds nothing");
}

#[test]
fn proof_canary() {
    let mut proof = Proof::of("canary", 4000);
    let seed = proof.seed;
    let canaries: Vec<Needle> = proof.numbers().map(|number| canary(seed, number)).collect();
    let needles = Needles::new(&canaries);
    let folder = tempfile::tempdir().unwrap();
    let (done, searches) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut streams, mut restored) = (0, 0);
    let look = || {
        searches.fetch_add(1, Ordering::Relaxed);
        search(folder.path(), &needles)
    };
    let found = std::thread::scope(|scope| {
        // Looks while the store is made and written, so that what is there for a moment is seen.
        let watcher = scope.spawn(|| {
            loop {
                let last = done.load(Ordering::Acquire);
                let found = look();
                if found.is_some() || last {
                    return found;
                }
            }
        });
        let path = folder.path().join("store");
        let mut copies = Copies::new(folder.path());
        for part in canaries.chunks(canaries.len().div_ceil(PARTS)) {
            let store = Store::open(&path, &key(), Options::default()).unwrap();
            copies.begin(&store);
            store_all(&store, part);
            copies.take(&store);
        }
        restored = copies.restore(&path, TABLE);
        streams = copies.streams();
        done.store(true, Ordering::Release);
        watcher.join().unwrap()
    });
    if let Some((file, number)) = found.or_else(look) {
        proof.fail(number as u64, &format!("in the clear in {file}"));
    }
    for path in files(folder.path()) {
        let bytes = std::fs::read(&path).unwrap();
        for name in NAMES {
            if bytes.windows(name.len()).any(|window| window == name) {
                let (name, path) = (name.escape_ascii(), path.display());
                proof.fail(0, &format!("{name} is in the clear in {path}"));
            }
        }
        // Were one in this file, and in no other, it would have been found.
        if proof.failed() == 0 {
            let mut planted = bytes.clone();
            let middle = planted.len() / 2;
            planted[middle..middle + NEEDLE_BYTES].copy_from_slice(&canaries[canaries.len() / 2]);
            std::fs::write(&path, planted).unwrap();
            let found = look().map(|(file, _)| file);
            assert_eq!(found, Some(path.display().to_string()));
            std::fs::write(&path, bytes).unwrap();
        }
    }
    proof.tally.insert("searches", searches.into_inner());
    proof.tally.insert("streams", streams);
    proof.tally.insert("restored", restored);
    proof.finish();
}
