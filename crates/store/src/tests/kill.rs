//! A process killed under load loses nothing that it had acknowledged, and its lock goes with it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::dice::Dice;
use super::proof::Proof;
use super::{T, key};
use crate::{Error, Options, Store};

/// Writers, each with one write under way.
const WRITERS: usize = 4;
/// Keys that each writer uses in turn, so that the store stays small.
const KEYS: u64 = 8;
const FOLDER: &str = "STORE_KILL_FOLDER";

fn open(folder: &Path) -> Result<Store, Error> {
    Store::open(&folder.join("store"), &key(), Options::default())
}

fn key_of(writer: usize, number: u64) -> Vec<u8> {
    vec![
        u8::try_from(writer).unwrap(),
        u8::try_from(number % KEYS).unwrap(),
    ]
}

/// What a writer stores as its write number `number`, beginning with the number.
fn value_of(writer: usize, number: u64) -> Vec<u8> {
    let mut dice = Dice::numbered(writer as u64, number);
    let length = [10, 300, 300, 3000, 9000][dice.below(5)];
    [number.to_le_bytes().to_vec(), dice.bytes(length)].concat()
}

/// The newest write of a writer that the store holds, once everything around it is as it should be.
fn newest(store: &Store, writer: usize) -> Result<u64, String> {
    let found = store
        .read(|tx| {
            (0..KEYS)
                .map(|number| tx.get(T, &key_of(writer, number)))
                .collect::<Result<Vec<_>, _>>()
        })
        .map_err(|error| format!("UNREADABLE: {error}"))?;
    let number = |value: &Vec<u8>| value.first_chunk().map(|first| u64::from_le_bytes(*first));
    let newest = found.iter().flatten().filter_map(number).max().unwrap_or(0);
    for slot in 0..KEYS {
        // The last write to this key up to the newest; number 0 was never written.
        let last = (0..KEYS)
            .filter_map(|back| newest.checked_sub(back))
            .find(|n| n % KEYS == slot);
        let expected = last.filter(|n| *n > 0).map(|n| value_of(writer, n));
        let at = usize::try_from(slot).unwrap();
        if found[at] != expected {
            return Err(format!(
                "WRONG: key {slot} of writer {writer} at write {newest}"
            ));
        }
    }
    Ok(newest)
}

/// Runs in a process of its own: writes without end, and tells of each write once acknowledged.
#[test]
#[ignore = "started by the test below"]
fn child() {
    let folder = std::env::var_os(FOLDER).unwrap();
    let store = open(Path::new(&folder)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        let mut number = newest(&store, writer).unwrap();
        local.spawn_local(async move {
            loop {
                number += 1;
                let (key, value) = (key_of(writer, number), value_of(writer, number));
                store
                    .write(move |tx| tx.put(T, &key, &value))
                    .await
                    .unwrap();
                let line = format!("acknowledged {writer} {number}\n");
                std::io::stdout().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    runtime.block_on(local);
}

/// Starts the child, kills it at some moment, and returns what it had acknowledged by then.
fn round(folder: &Path, acknowledged: &mut [u64; WRITERS], dice: &mut Dice) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::kill::child", "--nocapture", "--ignored"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut count = 0;
    let mut note = |line: String| {
        // The test harness begins lines without ending them.
        let Some(at) = line.find("acknowledged ") else {
            return;
        };
        let mut words = line[at..].split(' ').skip(1);
        let (writer, number) = (words.next().unwrap(), words.next().unwrap());
        acknowledged[writer.parse::<usize>().unwrap()] = number.parse().unwrap();
        count += 1;
    };
    // Mostly under load; sometimes while it opens.
    let wait = if dice.percent(15) {
        0
    } else {
        2 + dice.below(30)
    };
    for line in lines.by_ref().take(wait) {
        note(line.unwrap());
    }
    let pause = if wait == 0 { 12_000 } else { 3000 };
    std::thread::sleep(Duration::from_micros(dice.next() % pause));
    child.kill().unwrap();
    child.wait().unwrap();
    for line in lines {
        note(line.unwrap());
    }
    count
}

#[test]
fn proof_kill() {
    let mut proof = Proof::of("kill", 20);
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let mut acknowledged = [0; WRITERS];
    proof.run(|_, dice, tally| {
        let count = round(folder.path(), &mut acknowledged, dice);
        *tally.entry("acknowledged").or_default() += count;
        let store = open(folder.path()).map_err(|error| format!("UNOPENABLE: {error}"))?;
        for (writer, acknowledged) in acknowledged.iter_mut().enumerate() {
            let found = newest(&store, writer)?;
            let known = *acknowledged;
            *acknowledged = found;
            if found < known {
                return Err(format!(
                    "LOST: writer {writer} at {found}, acknowledged {known}"
                ));
            }
            if found > known + 1 {
                return Err(format!(
                    "WRONG: writer {writer} at {found}, never began that"
                ));
            }
        }
        Ok(())
    });
    assert!(proof.tally["acknowledged"] > 0);
    proof.finish();
}
