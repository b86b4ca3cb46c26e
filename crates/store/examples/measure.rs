//! Measures the store beside plain redb, on the disk of the folder given (the present one
//! otherwise): `cargo run --release -p casemate-store --example measure -- FOLDER`.
//!
//! Both have the same cache. Each figure is taken in turns, so that a change of the machine's
//! load strikes both.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool for developers"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase, TableDefinition};
use rustix::time::{ClockId, clock_gettime};
use store::{CACHE_BYTES, Options, Store, Table};

const T: Table = Table::new("t");
const PLAIN: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("t");
const TURNS: usize = 3;
const TURN: Duration = Duration::from_secs(2);
const RECORDS: u32 = 100_000;
const HOT: u32 = 1_000;
const READS: u32 = 100_000;
const LOAD_BATCH: u32 = 1_000;

fn main() {
    let folder = std::env::args_os().nth(1).unwrap_or_else(|| ".".into());
    let folder = tempfile::tempdir_in(folder).unwrap();
    let (ours, plain) = open(folder.path());
    report(
        "durable commits/s, 1 writer",
        || commits(&ours, 1),
        || plain_commits(&plain, 1),
    );
    report(
        "durable commits/s, 16 writers",
        || commits(&ours, 16),
        || plain_commits(&plain, 16),
    );
    let (loaded, plain_loaded) = (load(&ours), plain_load(&plain));
    print("bulk load of 1 KiB, records/s", loaded, plain_loaded);
    report(
        "point reads/CPU-s, cached",
        || reads(&ours, HOT),
        || plain_reads(&plain, HOT),
    );
    report(
        "point reads/CPU-s, not cached",
        || reads(&ours, RECORDS),
        || plain_reads(&plain, RECORDS),
    );
    report(
        "durable commits/s, 1 writer, loaded",
        || commits(&ours, 1),
        || plain_commits(&plain, 1),
    );
    report(
        "durable commits/s, 16 writers, loaded",
        || commits(&ours, 16),
        || plain_commits(&plain, 16),
    );
    drop((ours, plain));
    let start = Instant::now();
    let _open = open(folder.path());
    println!("both opened again in {:?}", start.elapsed());
    for name in ["store", "plain"] {
        println!(
            "{name}: {} MiB",
            folder.path().join(name).metadata().unwrap().len() >> 20
        );
    }
}

fn open(folder: &Path) -> (Store, Database) {
    let key = secret::Key::new([7; 32]);
    let store = Store::open(&folder.join("store"), &key, Options::default()).unwrap();
    let plain = Database::builder()
        .set_cache_size(CACHE_BYTES)
        .create(folder.join("plain"))
        .unwrap();
    (store, plain)
}

fn report(what: &str, ours: impl Fn() -> f64, plain: impl Fn() -> f64) {
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        mine.push(ours());
        theirs.push(plain());
    }
    print(what, median(mine), median(theirs));
}

fn print(what: &str, ours: f64, plain: f64) {
    println!("{what:40} {ours:12.0} {plain:12.0}  {:6.2}x", ours / plain);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs `operation` on so many threads for one turn; returns how often a second.
fn rate(threads: u32, operation: impl Fn(u32) + Sync) -> f64 {
    let start = Instant::now();
    let count: u32 = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|thread| {
                let operation = &operation;
                scope.spawn(move || {
                    let mut count = 0_u32;
                    while start.elapsed() < TURN {
                        operation(thread.wrapping_mul(0x0100_0000).wrapping_add(count));
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap())
            .sum()
    });
    f64::from(count) / start.elapsed().as_secs_f64()
}

fn commits(store: &Store, writers: u32) -> f64 {
    rate(writers, |number| {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(store.write(move |tx| tx.put(T, &number.to_be_bytes(), &[1; 300])))
            .unwrap();
    })
}

fn plain_commits(plain: &Database, writers: u32) -> f64 {
    rate(writers, |number| {
        let tx = plain.begin_write().unwrap();
        tx.open_table(PLAIN)
            .unwrap()
            .insert(number.to_be_bytes().as_slice(), [1; 300].as_slice())
            .unwrap();
        tx.commit().unwrap();
    })
}

fn key(number: u32) -> [u8; 8] {
    // Spread, so that neighbours in time are none in the tree.
    u64::from(number)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .to_be_bytes()
}

fn load(store: &Store) -> f64 {
    let start = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for first in (0..RECORDS).step_by(LOAD_BATCH as usize) {
        runtime
            .block_on(store.write(move |tx| {
                (first..first + LOAD_BATCH).try_for_each(|n| tx.put(T, &key(n), &[2; 1024]))
            }))
            .unwrap();
    }
    f64::from(RECORDS) / start.elapsed().as_secs_f64()
}

fn plain_load(plain: &Database) -> f64 {
    let start = Instant::now();
    for first in (0..RECORDS).step_by(LOAD_BATCH as usize) {
        let tx = plain.begin_write().unwrap();
        let mut table = tx.open_table(PLAIN).unwrap();
        for number in first..first + LOAD_BATCH {
            table
                .insert(key(number).as_slice(), [2; 1024].as_slice())
                .unwrap();
        }
        drop(table);
        tx.commit().unwrap();
    }
    f64::from(RECORDS) / start.elapsed().as_secs_f64()
}

/// Reads per second of this thread's processor time, which others' load does not change much.
fn read_rate(operation: impl Fn(u32)) -> f64 {
    let start = clock_gettime(ClockId::ThreadCPUTime);
    (0..READS).for_each(operation);
    let spent: Duration = (clock_gettime(ClockId::ThreadCPUTime) - start)
        .try_into()
        .unwrap();
    f64::from(READS) / spent.as_secs_f64()
}

fn reads(store: &Store, among: u32) -> f64 {
    read_rate(|number| {
        let key = key(number.wrapping_mul(7919) % among);
        assert!(store.read(|tx| tx.get(T, &key)).unwrap().is_some());
    })
}

fn plain_reads(plain: &Database, among: u32) -> f64 {
    read_rate(|number| {
        let key = key(number.wrapping_mul(7919) % among);
        let table = plain.begin_read().unwrap().open_table(PLAIN).unwrap();
        let value = table.get(key.as_slice()).unwrap().unwrap();
        assert_eq!(value.value().to_vec().len(), 1024);
    })
}
