//! The test vectors of FORMAT.md.

use secret::Key;

use crate::layout::{BLOCK_BYTES, SEALED_BYTES};
use crate::seal::{Identity, Place, Sealer};
use crate::superblock::{self, SUITE, SUPERBLOCK_BYTES, VERSION};

/// The bytes `from`, `from + 1`, …
fn counting<const N: usize>(from: u8) -> [u8; N] {
    std::array::from_fn(|at| from.wrapping_add(at.to_le_bytes()[0]))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn identity() -> Identity {
    Identity {
        version: VERSION,
        suite: SUITE,
        epoch: 1,
        file: counting(0xa0),
    }
}

/// The value behind `name` in FORMAT.md.
fn documented(name: &str) -> String {
    let line = include_str!("../../FORMAT.md")
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
    line.unwrap().to_owned()
}

#[test]
fn the_superblock_is_as_documented() {
    let bytes = superblock::encode(
        &Key::new(counting(0)),
        &identity(),
        counting(0x40),
        &counting(0x80),
    )
    .unwrap();
    assert_eq!(hex(&bytes[..SUPERBLOCK_BYTES]), documented("superblock"));
    assert!(bytes[SUPERBLOCK_BYTES..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_data_block_is_as_documented() {
    let sealer = Sealer::new(&counting(0x80), identity());
    let mut sealed = [0; SEALED_BYTES];
    let plain: [u8; BLOCK_BYTES] = counting(0);
    sealer
        .seal(Place::Block(7), counting(0x50), &plain, &mut sealed)
        .unwrap();
    assert_eq!(hex(&sealed[..40]), documented("block 7 first 40"));
    assert_eq!(hex(&sealed[SEALED_BYTES - 16..]), documented("block 7 tag"));
}

#[test]
fn a_header_slot_is_as_documented() {
    let sealer = Sealer::new(&counting(0x80), identity());
    let header = crate::header::Header {
        sequence: 5,
        blocks: 386,
        content: zeroize::Zeroizing::new(counting(0)),
    };
    let sealed = header.seal(&sealer, 1, counting(0x60)).unwrap();
    assert_eq!(hex(&sealed[..48]), documented("slot 1 first 48"));
    assert_eq!(hex(&sealed[4080..]), documented("slot 1 tag"));
}
