//! The test vectors of FORMAT.md, which an independent implementation computed.

use secret::Key;
use zeroize::Zeroizing;

use crate::entry::Entry;
use crate::layout::{BLOCK_BYTES, Block};
use crate::seal::{Keyring, Place, nonce};
use crate::slot::Root;
use crate::superblock::{DataKey, Superblock};

/// The bytes `from`, `from + 1`, …
fn counting<const N: usize>(from: u8) -> [u8; N] {
    std::array::from_fn(|at| from.wrapping_add(at.to_le_bytes()[0]))
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// The value behind `name` in FORMAT.md.
fn documented(name: &str) -> String {
    let line = include_str!("../../FORMAT.md")
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
    line.unwrap().to_owned()
}

fn keyring() -> Keyring {
    Keyring::new(counting(0xa0), [(3, &counting(0x80))])
}

fn entry() -> Entry {
    Entry {
        address: 77,
        epoch: 3,
        nonce: nonce(5, counting(0x50)),
        tag: counting(0xc0),
    }
}

#[test]
fn the_superblock_is_as_documented() {
    let superblock = Superblock {
        file: counting(0xa0),
        sequence: 7,
        keys: vec![DataKey {
            epoch: 3,
            key: Zeroizing::new(counting(0x80)),
        }],
    };
    let bytes = superblock
        .seal(&Key::new(counting(0)), counting(0x40))
        .unwrap();
    assert_eq!(hex(&bytes[..96]), documented("superblock first 96"));
    assert_eq!(hex(&bytes[600..616]), documented("superblock tag"));
    assert_eq!(hex(&bytes[4064..]), documented("superblock checksum"));
}

#[test]
fn a_data_block_and_a_node_are_as_documented() {
    let plain: Block = counting(0);
    for (place, name) in [
        (Place::Data(7), "data block"),
        (Place::Node { level: 1, index: 2 }, "node"),
    ] {
        let mut out = [0; BLOCK_BYTES];
        let nonce = nonce(5, counting(0x50));
        let tag = keyring().seal(place, &nonce, &plain, &mut out).unwrap();
        assert_eq!(hex(&out[..32]), documented(&format!("{name} first 32")));
        assert_eq!(hex(&tag), documented(&format!("{name} tag")));
    }
    assert_eq!(hex(&entry().encode()), documented("entry"));
}

#[test]
fn a_root_slot_is_as_documented() {
    let root = Root {
        generation: 6,
        lineage: counting(0xb0),
        at: 1_795_183_380,
        commits: 1033,
        blocks: 386,
        level: 1,
        settled: true,
        anchored: false,
        entry: Some(entry()),
        header: Zeroizing::new(counting(0)),
    };
    let bytes = root.seal(&keyring(), counting(0x60)).unwrap();
    assert_eq!(hex(&bytes[..160]), documented("slot 2 first 160"));
    assert_eq!(hex(&bytes[4080..]), documented("slot 2 tag"));
}
