//! A process killed under load loses nothing that it had acknowledged, and its lock goes with it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use store::{Options, Store, Table};

const T: Table = Table::new("t");
const WRITERS: u32 = 4;
const ROUNDS: u64 = 20;
const FOLDER: &str = "STORE_KILL_FOLDER";

fn open(folder: &Path) -> Store {
    let key = secret::Key::new([3; 32]);
    Store::open(&folder.join("store"), &key, Options::default()).unwrap()
}

/// Runs in a process of its own: writes without end, and prints each write once acknowledged.
#[test]
#[ignore = "started by the test below"]
fn child() {
    let folder = std::env::var_os(FOLDER).unwrap();
    let store = open(Path::new(&folder));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        local.spawn_local(async move {
            let prefix = writer.to_be_bytes();
            let mut next = store.read(|tx| Ok(tx.prefix(T, &prefix)?.count())).unwrap();
            loop {
                let key = [&prefix[..], &(next as u64).to_be_bytes()].concat();
                let value = vec![1; (next % 7) * 1000];
                store
                    .write(move |tx| tx.put(T, &key, &value))
                    .await
                    .unwrap();
                next += 1;
                println!("acknowledged {writer} {next}");
            }
        });
    }
    runtime.block_on(local);
}

#[test]
fn killing_the_process_loses_no_acknowledged_write() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = [0; WRITERS as usize];
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--ignored"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut note = |line: String| {
            let mut words = line
                .split(' ')
                .skip(1)
                .map(|word| word.parse::<usize>().unwrap());
            let (writer, count) = (words.next().unwrap(), words.next().unwrap());
            acknowledged[writer] = count;
        };
        // The child is under load once it has acknowledged; then it dies at some moment.
        for line in lines
            .by_ref()
            .map(Result::unwrap)
            .filter(|l| l.starts_with("ack"))
            .take(5)
        {
            note(line);
        }
        std::thread::sleep(Duration::from_millis(3 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        lines
            .map(Result::unwrap)
            .filter(|l| l.starts_with("acknowledged "))
            .for_each(note);
        let store = open(folder.path());
        for (writer, acknowledged) in (0..WRITERS).zip(acknowledged) {
            let found = store
                .read(|tx| Ok(tx.prefix(T, &writer.to_be_bytes())?.count()))
                .unwrap();
            assert!(
                found >= acknowledged,
                "writer {writer}: {found} of {acknowledged} in round {round}"
            );
        }
    }
    println!("{acknowledged:?} writes acknowledged");
    assert!(acknowledged.iter().all(|count| *count as u64 > ROUNDS));
}
