//! Snapshots, and what is restored from them.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::world::World;

#[test]
fn snapshots_restore_to_what_they_were_taken_of() {
    let world = World::new();
    let first = world.json("snapshot store full --key key");
    assert_eq!(first["bytes"], world.path("full").metadata().unwrap().len());
    assert_eq!(
        world.path("full").metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    world.put("b", 20_000);
    let receipt = first["commit"]["receipt"].as_str().unwrap();
    let said = world.said(&format!(
        "snapshot store changes --since {receipt} --key key"
    ));
    assert!(said.contains("Its receipt, for --since: mark1-"), "{said}");
    let said = world.said("verify full");
    assert!(
        said.contains("is whole") && said.contains("all of commit"),
        "{said}"
    );
    let said = world.said("verify changes");
    assert!(said.contains("what changed after commit"), "{said}");
    let said = world.said("restore one full --key key");
    assert!(
        said.contains("Every block and every record was opened"),
        "{said}"
    );
    let said = world.said("restore two full changes");
    assert!(said.contains("not checked"), "{said}");
    assert!(world.said("verify two --key key").contains("records 2."));
    assert!(
        world.json("restore three changes --onto one --key key")["verified"]
            .as_bool()
            .unwrap()
    );
    assert_eq!(
        ["one", "two", "three"].map(|name| world.records(name)),
        [1, 2, 2]
    );
    // Each refusal leaves things as they are.
    let files = world.files();
    for (words, why) in [
        ("snapshot store full --key key", "full is there already"),
        ("restore two full", "is a file of that name already"),
        ("restore four changes", "since generation"),
        ("restore four changes full", "since generation"),
        ("restore four full full", "builds on nothing"),
        ("restore four full changes changes", "builds on generation"),
        ("restore four store", "not a snapshot"),
        ("restore four absent", "absent could not be read"),
        ("restore four changes --onto one", "needs the store's key"),
        ("snapshot store four", "needs the store's key"),
        ("snapshot full four --key key", "not a Casemate store"),
    ] {
        let complained = world.refused(words, 1);
        assert!(complained.contains(why), "{words}: {complained}");
    }
    assert_eq!(world.files(), files);
    let wrong = receipt.replace("mark1-", "mark1-0");
    world.refused(&format!("snapshot store four --since {wrong} --key key"), 2);
}

#[test]
fn a_snapshot_goes_through_a_pipe() {
    let world = World::new();
    let mut taking = world
        .command("snapshot store - --key key")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let restored = world
        .command("restore copy - --key key")
        .stdin(taking.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(restored.status.success(), "{restored:?}");
    let taken = taking.wait_with_output().unwrap();
    assert!(taken.status.success());
    // The receipt is told beside it.
    assert!(
        String::from_utf8(taken.stderr)
            .unwrap()
            .starts_with("mark1-")
    );
    assert_eq!(world.records("copy"), 1);
}
