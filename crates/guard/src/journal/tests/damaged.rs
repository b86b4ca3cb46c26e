//! Damage to a file costs what is damaged, and no more.

use super::*;
use crate::journal::cursor::AHEAD_MS;

/// A file with entries before and after one that is damaged at `at`, counted from its beginning.
fn damaged(at: usize, to: [u8; 8]) -> (tempfile::TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = own(folder.path()).join("system.journal");
    let mut made = Made::new(true, 1);
    for number in 0..10 {
        made.failed(&client(number));
    }
    let place = made.last() + at;
    for number in 10..20 {
        made.failed(&client(number));
    }
    let mut bytes = made.bytes();
    bytes[place..place + 8].copy_from_slice(&to);
    std::fs::write(path, bytes).unwrap();
    let others = (0..20).filter(|number| *number != 9).map(client).collect();
    (folder, others)
}

#[test]
fn one_damaged_entry_blinds_nobody() {
    const SEQUENCE: usize = 16;
    const REALTIME: usize = 24;
    let future = (NOW_MS + AHEAD_MS + 1) * 1000;
    for (at, to) in [
        (SEQUENCE, u64::MAX),
        (SEQUENCE, 1 << 40),
        (SEQUENCE, 20),
        (REALTIME, u64::MAX),
        (REALTIME, future),
    ] {
        let (folder, others) = damaged(at, to.to_le_bytes());
        let mut follower = follow(folder.path(), Cursors::new(), 0);
        assert_eq!(all(&mut follower), others, "{at} {to}");
        // Nor after a restart, whenever it is.
        let path = own(folder.path()).join("system.journal");
        let mut made = Made::new(true, 1);
        for number in 0..21 {
            made.failed(&client(number));
        }
        made.write(&path);
        let mut follower = follow(folder.path(), follower.cursors(), 0);
        assert_eq!(all(&mut follower), [client(20)], "{at} {to}");
    }
}

#[test]
fn a_clock_that_was_set_back_is_not_gone_ahead_of() {
    let folder = tempfile::tempdir().unwrap();
    let mut made = Made::new(true, 1);
    made.failed(&client(1));
    made.write(&own(folder.path()).join("system.journal"));
    // A little ahead is now (all_at checks it); more is no time.
    let now_ms = made.time_ms(0) - AHEAD_MS;
    let mut follower = follow(folder.path(), Cursors::new(), 0);
    assert_eq!(all_at(&mut follower, now_ms), [client(1)]);
    let mut follower = follow(folder.path(), Cursors::new(), 0);
    assert!(all_at(&mut follower, now_ms - 1).is_empty());
}

#[test]
fn damaged_files_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = own(folder.path()).join("system.journal");
    let mut made = Made::new(true, 1);
    for number in 0..10 {
        made.failed(&client(number));
    }
    let first_half = made.bytes().len();
    for number in 10..20 {
        made.failed(&client(number));
    }
    let last = made.last();
    let bytes = made.bytes();
    for at in (0..bytes.len()).filter(|at| *at < 300 || at % 29 == 0) {
        for to in [0_u8, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] = to;
            let cut = at % 97 == 0;
            if cut {
                bytes.truncate(at);
            }
            std::fs::write(&path, bytes).unwrap();
            let mut follower = follow(folder.path(), Cursors::new(), 0);
            let told = all(&mut follower);
            assert!(told.len() <= 20, "{at}");
            // One byte of an entry or a field costs those that have it, and no others: the last one shares the first
            // ones' fields, so it may go with them, but it is read wherever an entry of its own is damaged.
            if !cut && at >= first_half && at + 300 < last {
                assert_eq!(told.last(), Some(&client(19)), "{at} {to}");
            }
        }
    }
}
