#![expect(clippy::unwrap_used, reason = "tests")]

mod damaged;

use std::path::{Path, PathBuf};

use super::cursor::Cursors;
use super::follow::{Follower, Told};
use super::made::{MACHINE, Made, NOW_MS};
use crate::kinds::lines;
use crate::messages::Line;

/// The folder of this machine's journal, in one of journals.
fn own(folder: &Path) -> PathBuf {
    let own = super::find::of_machine(folder, MACHINE);
    std::fs::create_dir_all(&own).unwrap();
    own
}

fn follow(folder: &Path, cursors: Cursors, since_ms: u64) -> Follower {
    Follower::new(&[folder], MACHINE, Vec::new(), cursors, since_ms)
}

fn all_at(follower: &mut Follower, now_ms: u64) -> Vec<String> {
    let mut told = Vec::new();
    let mut each = |one: Told<'_>| {
        assert!(one.at_ms <= now_ms);
        if let Line::Seen {
            kind: lines::SSH_FAILED,
            client,
        } = one.line
        {
            told.push(client.unwrap().to_string());
        }
    };
    follower.look(now_ms);
    while follower.turn(now_ms, &mut each) {}
    told
}

fn all(follower: &mut Follower) -> Vec<String> {
    all_at(follower, NOW_MS)
}

fn client(number: usize) -> String {
    format!("203.0.{}.{}", number / 256, number % 256)
}

#[test]
fn entries_are_read_once_over_rotations_and_restarts() {
    for compact in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let machine = own(folder.path());
        let path = machine.join("system.journal");
        let mut made = Made::new(compact, 1);
        let follow = |cursors| follow(folder.path(), cursors, 0);
        let mut follower = follow(Cursors::new());
        for number in 0..300 {
            made.failed(&client(number));
            made.other();
        }
        made.write(&path);
        let expected: Vec<_> = (0..300).map(client).collect();
        assert_eq!(all(&mut follower), expected);
        assert!(all(&mut follower).is_empty());
        made.failed(&client(300));
        made.write(&path);
        assert_eq!(all(&mut follower), [client(300)]);
        // A restart goes on where it was.
        let mut follower = follow(follower.cursors());
        assert!(all(&mut follower).is_empty());
        made.failed(&client(301));
        made.write(&path);
        let archived = machine.join("system@00-0000000000000001-0000000000000001.journal");
        std::fs::rename(&path, archived).unwrap();
        let mut made = made.rotated();
        made.failed(&client(302));
        made.write(&path);
        assert_eq!(all(&mut follower), [client(301), client(302)]);
        // As does one that was away meanwhile. What was set aside after an unclean stop is read as well.
        made.failed(&client(303));
        made.write(&path);
        let aside = machine.join("system@0000000000000002-0000000000000002.journal~");
        std::fs::rename(&path, aside).unwrap();
        let mut made = made.rotated();
        made.failed(&client(304));
        made.write(&path);
        let mut follower = follow(follower.cursors());
        assert_eq!(all(&mut follower), [client(303), client(304)]);
        // Where nothing has taken its name yet, what was rotated is read to its end all the same.
        made.failed(&client(305));
        made.write(&path);
        let archived = machine.join("system@00-0000000000000003-0000000000000003.journal");
        std::fs::rename(&path, archived).unwrap();
        assert_eq!(all(&mut follower), [client(305)]);
        let mut follower = follow(follower.cursors());
        assert!(all(&mut follower).is_empty() && follower.files() == 0);
    }
}

#[test]
fn without_a_cursor_old_entries_are_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut made = Made::new(true, 1);
    for number in 0..100 {
        made.failed(&client(number));
    }
    made.write(&own(folder.path()).join("system.journal"));
    for first in [0, 1, 50, 99] {
        let mut follower = follow(folder.path(), Cursors::new(), made.time_ms(first));
        let expected: Vec<_> = (first..100).map(client).collect();
        assert_eq!(all(&mut follower), expected, "{first}");
    }
}

#[test]
fn a_backlog_is_read_turn_by_turn() {
    let folder = tempfile::tempdir().unwrap();
    let machine = own(folder.path());
    let mut made = Made::new(true, 1);
    let mut expected = Vec::new();
    for archive in 1..=3 {
        made.failed(&client(archive));
        expected.push(client(archive));
        made.write(&machine.join(format!("system@00-{archive:016x}-{archive:016x}.journal")));
        made = made.rotated();
    }
    made.failed(&client(4));
    expected.push(client(4));
    made.write(&machine.join("system.journal"));
    let mut follower = follow(folder.path(), Cursors::new(), 0);
    follower.look(NOW_MS);
    let (mut told, mut turns) = (Vec::new(), 0);
    loop {
        let before = told.len();
        let more = follower.turn(NOW_MS, &mut |one: Told<'_>| told.push(one.at_ms));
        // One file a turn, so that its bans are in force before the next is read.
        assert!(told.len() <= before + 1);
        turns += 1;
        if !more {
            break;
        }
    }
    assert_eq!((told.len(), turns), (4, 4));
    assert_eq!(all(&mut follow(folder.path(), Cursors::new(), 0)), expected);
}

#[test]
fn what_does_not_count_is_not_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = own(folder.path()).join("system.journal");
    let mut made = Made::new(true, 1);
    made.failed(&client(1));
    made.write(&path);
    let mut follower = follow(folder.path(), Cursors::new(), 0);
    assert_eq!(all(&mut follower).len(), 1);
    let before = follower.cursors();
    made.other();
    made.write(&path);
    assert!(all(&mut follower).is_empty());
    assert_ne!(follower.cursors(), before);
}

#[test]
fn journals_of_others_are_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let mut made = Made::new(true, 1);
    made.failed(&client(1));
    // A container's, beside this machine's own.
    let container = super::find::of_machine(folder.path(), [6; 16]);
    std::fs::create_dir(&container).unwrap();
    made.write(&container.join("system.journal"));
    // One whose header says that it is another's.
    let mut other = made.rotated().of([6; 16]);
    other.failed(&client(2));
    other.write(&own(folder.path()).join("system.journal"));
    let mut follower = follow(folder.path(), Cursors::new(), 0);
    assert!(all(&mut follower).is_empty());
    assert_eq!(follower.files(), 0);
}

#[test]
fn a_journal_that_moves_to_disk_is_read_once() {
    let (memory, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folders = [memory.path(), disk.path()];
    let mut made = Made::new(true, 1);
    made.failed(&client(1));
    made.failed(&client(2));
    let early = own(memory.path()).join("system.journal");
    made.write(&early);
    let mut follower = Follower::new(&folders, MACHINE, Vec::new(), Cursors::new(), 0);
    assert_eq!(all(&mut follower), [client(1), client(2)]);
    // journald gives the same entries higher numbers; here they are its own, of another journald.
    let mut moved = Made::new(true, 1);
    moved.renumber([8; 16]);
    for number in 1..=3 {
        moved.failed(&client(number));
    }
    moved.write(&own(disk.path()).join("system.journal"));
    std::fs::remove_file(&early).unwrap();
    assert_eq!(all(&mut follower), [client(3)]);
    assert_eq!(follower.files(), 1);
}

#[test]
fn each_line_tells_of_its_own_boot() {
    let folder = tempfile::tempdir().unwrap();
    let own = own(folder.path());
    let mut made = Made::new(true, 1);
    for (name, boot) in [("system", 2), ("user-1000", 1)] {
        made = made.rotated();
        made.boot = boot;
        made.failed(&client(1));
        made.write(&own.join(format!("{name}.journal")));
    }
    let mut follower = follow(folder.path(), Cursors::new(), 0);
    follower.look(NOW_MS);
    let mut told = Vec::new();
    follower.turn(NOW_MS, &mut |one: Told<'_>| {
        told.push((one.process.boot, one.process.number));
    });
    assert_eq!(told, [([2; 16], 101), ([1; 16], 102)]);
}

/// Calls that this thread has made to read, by the kernel's count.
fn reads() -> u64 {
    let counted = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    let line = counted
        .lines()
        .find_map(|line| line.strip_prefix("syscr: "));
    line.unwrap().parse().unwrap()
}

#[test]
fn what_entries_share_is_read_once_however_many_they_are() {
    const ENTRIES: usize = 2000;
    let folder = tempfile::tempdir().unwrap();
    let path = own(folder.path()).join("system.journal");
    let mut made = Made::new(true, 1);
    made.failed(&client(0));
    made.write(&path);
    let mut follower = follow(folder.path(), Cursors::new(), 0);
    assert_eq!(all(&mut follower).len(), 1);
    for number in 0..ENTRIES {
        made.failed(&client(number));
    }
    made.write(&path);
    let before = reads();
    assert_eq!(all(&mut follower).len(), ENTRIES);
    let calls = reads() - before;
    // 64 KiB at a time, and what the first entry already had.
    let most = made.bytes().len() as u64 / (64 * 1024) + 50;
    assert!(calls <= most, "{calls} calls, and {most} should do");
}
