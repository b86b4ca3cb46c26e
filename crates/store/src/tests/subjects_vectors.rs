//! The test vectors of FORMAT.md, "Key table" and "Records of subjects".

use secret::Key;
use sha2::{Digest, Sha256};

use crate::subject::{Cover, Form, Place, SlotKey, SubjectKeys, open_slot, parse, seal_slot};

/// The bytes `from`, `from + 1`, …
fn counting<const N: usize>(from: u8) -> [u8; N] {
    std::array::from_fn(|at| from.wrapping_add(at.to_le_bytes()[0]))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The value behind `name` in the document.
fn documented(name: &str) -> String {
    let line = include_str!("../../FORMAT.md")
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
    line.unwrap().to_owned()
}

fn whole() -> Cover {
    Cover::whole(Box::new(Key::new(counting(0))))
}

#[test]
fn keys_and_nodes_are_as_documented() {
    let mut cover = whole();
    for number in [5, 1_099_511_627_775] {
        let key = cover.derive(number).unwrap();
        let name = format!("key of subject {number}");
        assert_eq!(hex(key.expose()), documented(&name));
    }
    cover.puncture(5);
    let mut nodes = Vec::new();
    cover.encode(&mut nodes);
    let name = "nodes without subject 5";
    assert_eq!(hex(&nodes[..38]), documented(&format!("{name}, first 38")));
    let hash = hex(&Sha256::digest(&nodes));
    assert_eq!(hash, documented(&format!("{name}, SHA-256")));
}

#[test]
fn a_slot_is_as_documented() {
    let key = SlotKey::new(&Key::new(counting(0x80)), counting(0xa0)).unwrap();
    let slot = seal_slot(&key, (7, 4096, &whole()), counting(0x40)).unwrap();
    assert_eq!(hex(&slot), documented("slot"));
    let content = open_slot(&key, &slot).unwrap();
    assert_eq!((content.sequence, content.reserved), (7, 4096));
}

#[test]
fn a_record_is_as_documented() {
    let keys = SubjectKeys::new(5, &whole().derive(5).unwrap());
    let place = Place {
        file: &counting(0xa0),
        table: "messages",
        key: b"key",
    };
    let stored = keys.seal(place, counting(0x60), b"value").unwrap();
    assert_eq!(hex(&stored), documented("record"));
    let Ok(Form::Sealed(sealed)) = parse(&stored) else {
        panic!("not sealed")
    };
    assert_eq!(keys.open(place, &sealed).unwrap(), b"value");
    let hidden = keys.hide("messages", b"key");
    assert_eq!(hex(&hidden), documented("hidden key"));
}
