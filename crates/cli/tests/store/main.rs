//! `casemate store` as it is called, on real stores.

#![expect(clippy::unwrap_used, reason = "tests")]

mod copies;
mod keys;
mod world;

use std::fs::{self, File};

use serde_json::Value;

use crate::world::World;

#[test]
fn a_store_tells_more_with_its_key() {
    let world = World::new();
    let before = fs::read(world.path("store")).unwrap();
    let said = world.said("info store");
    for words in ["format          2", "2 of 2 copies intact", "--key"] {
        assert!(said.contains(words), "{said}");
    }
    assert!(!said.contains("last commit"), "{said}");
    let said = world.said("info store --key key");
    for words in [
        "last commit",
        "mark1-",
        "blocks in use",
        "data keys       1",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let told = world.json("info store");
    assert_eq!(told["outline"]["bytes"], before.len());
    assert_eq!(told["content"], Value::Null);
    let told = world.json("info store --key key");
    assert!(told["content"]["commit"]["generation"].as_u64().unwrap() > 0);
    assert!(world.said("verify store").contains("2 of 2 copies"));
    let said = world.said("verify store --key key");
    assert!(
        said.contains("all is well") && said.contains("tables 1, records 1."),
        "{said}"
    );
    assert_eq!(world.json("verify store --key key")["records"], 1);
    assert_eq!(fs::read(world.path("store")).unwrap(), before);
}

#[test]
fn erased_subjects_are_counted() {
    let world = World::new();
    let said = world.said("info store --key key");
    assert!(said.contains("subjects erased none, there is no"), "{said}");
    let told = world.json("info store --key key");
    assert_eq!(told["content"]["subjects_erased"], Value::Null);
    world.erase(3);
    let said = world.said("info store --key key");
    assert!(said.contains("subjects erased 3 (their keys"), "{said}");
    let told = world.json("info store --key key");
    assert_eq!(told["content"]["subjects_erased"], 3);
    assert_eq!(told["content"]["key_table_error"], Value::Null);
    // Without a whole key table the rest is told all the same.
    fs::write(world.path("store.keys"), [0; 8192]).unwrap();
    let said = world.said("info store --key key");
    assert!(
        said.contains("last commit") && said.contains("subjects erased unknown: both slots"),
        "{said}"
    );
    let told = world.json("info store --key key");
    let why = told["content"]["key_table_error"].as_str().unwrap();
    assert!(why.contains("damaged"), "{why}");
    assert_eq!(told["content"]["subjects_erased"], Value::Null);
}

#[test]
fn damage_is_found() {
    let world = World::new();
    let good = fs::read(world.path("store")).unwrap();
    let mut bad = good.clone();
    bad[9] ^= 0x40;
    fs::write(world.path("store"), &bad).unwrap();
    assert!(world.said("verify store").contains("1 of 2 copies"));
    bad[4096 + 100] ^= 1;
    fs::write(world.path("store"), &bad).unwrap();
    assert!(world.refused("verify store", 1).contains("superblock"));
    let mut bad = good.clone();
    bad[10 * 4096..].fill(0);
    fs::write(world.path("store"), &bad).unwrap();
    assert!(
        world
            .refused("verify store --key key", 1)
            .contains("restore a backup")
    );
    fs::write(world.path("store"), "something else altogether").unwrap();
    for words in ["verify store", "info store", "info store --key key"] {
        assert!(
            world.refused(words, 1).contains("not a Casemate store"),
            "{words}"
        );
    }
    let error: Value = serde_json::from_slice(&world.run("info store --json").stdout).unwrap();
    assert!(
        error["error"]
            .as_str()
            .unwrap()
            .contains("not a Casemate store")
    );
}

#[test]
fn a_reader_that_goes_away_and_a_full_disk_are_no_reason_to_panic() {
    let world = World::new();
    for words in [
        "info store",
        "verify store --key key --json",
        "snapshot store - --key key",
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let gone = world.command(words).stdout(writer).output().unwrap();
        let full = world
            .command(words)
            .stdout(File::options().write(true).open("/dev/full").unwrap())
            .output()
            .unwrap();
        for output in [gone, full] {
            let complained = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{words}: {complained}");
            assert!(!complained.contains("panicked"), "{complained}");
        }
    }
}

#[test]
fn space_is_given_back() {
    let world = World::new();
    world.put("big", 8 << 20);
    world.put("big", 1);
    let sizes = world.json("compact store --key key");
    let (before, after) = (&sizes["bytes_before"], &sizes["bytes_after"]);
    assert!(after.as_u64().unwrap() < 2 << 20, "{sizes}");
    assert!(before.as_u64() >= after.as_u64());
    assert_eq!(world.records("store"), 2);
    assert!(
        world
            .said("accept store --key key")
            .contains("newest from now on")
    );
    world.said("verify store --key key");
}

#[test]
fn who_has_it_open_is_named() {
    let world = World::new();
    let store = world.open("store");
    for words in [
        "info store",
        "verify store --key key",
        "compact store --key key",
    ] {
        let complained = world.refused(words, 1);
        assert!(complained.contains("has it open"), "{complained}");
        assert!(complained.contains("nothing was changed"), "{complained}");
    }
    drop(store);
    world.said("info store");
}

#[test]
fn what_cannot_be_understood_ends_with_2() {
    let world = World::new();
    for (words, why) in [
        ("verify", "FILE"),
        ("rekey store --key key", "--new-key"),
        ("snapshot", "OUT"),
        ("restore four", "SNAPSHOT"),
        ("info store --bot shop", "--bot"),
        ("snapshot store out --since yesterday", "no receipt"),
        ("verfy store", "verify"),
    ] {
        let complained = world.refused(words, 2);
        assert!(complained.contains(why), "{words}: {complained}");
    }
}

#[test]
fn the_key_comes_from_a_pipe_too() {
    let world = World::new();
    let output = world
        .command("info store --key /dev/stdin")
        .stdin(File::open(world.path("key")).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("last commit"), "{said}");
    assert!(world.refused("info absent", 1).contains("No such file"));
}
