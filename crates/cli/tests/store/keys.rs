//! Changing keys, and finding a bot's.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use crate::world::{Appliance, KEY, SEALER, World, tool, write};

#[test]
fn keys_are_changed() {
    let world = World::new();
    fs::write(world.path("new"), [9; 32]).unwrap();
    world.said("rekey store --key key --new-key new");
    let complained = world.refused("info store --key key", 1);
    assert!(
        complained.contains("key does not open this store"),
        "{complained}"
    );
    let done = world.json("rekey store --key new --data");
    assert!(done["blocks_sealed_anew"].as_u64().unwrap() > 0);
    let done = world.json("rekey store --key new --new-key key --data");
    assert_eq!(done["key_changed"], true);
    let told = world.json("info store --key key");
    assert_eq!(told["content"]["blocks_under_old_data_keys"], 0);
    assert_eq!(world.records("store"), 1);
    fs::write(world.path("short"), [9; 31]).unwrap();
    for words in [
        "info store --key short",
        "rekey store --key key --new-key short",
    ] {
        let complained = world.refused(words, 1);
        assert!(complained.contains("32 raw bytes"), "{complained}");
    }
    world.said("info store --key key");
}

#[test]
fn sealing_anew_is_stopped_and_gone_on_with() {
    let world = World::new();
    let store = world.open("store");
    for key in ["b", "c", "d", "e"] {
        write(&store, key, 8 << 20);
    }
    drop(store);
    let mut stopped = 0;
    for wait in 0..20 {
        let child = world
            .command("rekey store --key key --data")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(40 + 10 * wait));
        let id = rustix::process::Pid::from_child(&child);
        let _ = rustix::process::kill_process(id, rustix::process::Signal::INT);
        let output = child.wait_with_output().unwrap();
        let complained = String::from_utf8(output.stderr).unwrap();
        if output.status.success() || stopped > 1 {
            break;
        }
        // Before it listens, the signal ends it as it ends any program.
        assert!(
            output.status.code().is_none() || complained.contains("begin again to go on"),
            "{complained}"
        );
        stopped += u32::from(output.status.code().is_some());
        world.said("verify store --key key");
    }
    world.said("rekey store --key key --data");
    let told = world.json("info store --key key");
    assert_eq!(told["content"]["data_keys"], 1);
    assert_eq!(told["content"]["blocks_under_old_data_keys"], 0);
    assert_eq!(world.records("store"), 5);
    assert!(stopped > 0, "it was never stopped midway");
}

#[test]
fn a_bot_s_store_and_key_are_found() {
    let world = World::new();
    let shop = Appliance::new(&world);
    assert!(shop.refused("verify").contains("the bot shop has no key"));
    fs::copy(world.path("key"), shop.keys.join("chat-shop.cred")).unwrap();
    tool(&shop.tools, "echo 'no TPM here' >&2; exit 1");
    let said = shop.refused("verify");
    assert!(
        said.contains("unsealed") && said.contains("no TPM here"),
        "{said}"
    );
    tool(&shop.tools, SEALER);
    assert!(shop.said("verify").contains("all is well"));
    shop.said(&format!("snapshot {}", world.path("out").display()));
    world.said("restore copy out --key key");
    fs::remove_file(&shop.store).unwrap();
    assert!(shop.refused("info").contains("the bot shop has no store"));
}

#[test]
fn a_bot_s_key_is_replaced_where_it_is_found() {
    let world = World::new();
    let shop = Appliance::new(&world);
    let (sealed, next) = (
        shop.keys.join("chat-shop.cred"),
        shop.keys.join("chat-shop.next"),
    );
    fs::copy(world.path("key"), &sealed).unwrap();
    tool(&shop.tools, SEALER);
    let old = fs::read(&shop.store).unwrap();
    shop.said("rekey");
    let key = fs::read(&sealed).unwrap();
    assert!(key.len() == KEY.len() && key != KEY);
    assert!(shop.said("verify").contains("all is well"));
    assert_eq!(shop.keys.read_dir().unwrap().count(), 1);
    shop.said("rekey --data");
    assert_eq!(fs::read(&sealed).unwrap(), key);
    // Cut off before the store was changed, and after.
    fs::write(&next, [1; 32]).unwrap();
    shop.said("rekey --data");
    assert_eq!(fs::read(&sealed).unwrap(), key);
    fs::write(&next, &key).unwrap();
    fs::write(&sealed, KEY).unwrap();
    shop.said("rekey --data");
    assert_eq!(fs::read(&sealed).unwrap(), key);
    assert_eq!(shop.keys.read_dir().unwrap().count(), 1);
    // Where it cannot be sealed nothing is changed.
    tool(
        &shop.tools,
        "[ $1 = encrypt ] && { echo 'no TPM here' >&2; exit 1; }; cat $3",
    );
    let before = fs::read(&shop.store).unwrap();
    assert!(shop.refused("rekey").contains("no TPM here"));
    assert_eq!(fs::read(&shop.store).unwrap(), before);
    assert_eq!(fs::read(&sealed).unwrap(), key);
    assert_ne!(old, before);
}
