//! A file that someone changed gives an error or the right content: never wrong data, never a
//! panic. (Putting an old version of a block back is a known bound, see FORMAT.md.)

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::dice::{Dice, cases, seed};
use super::simulated::Simulated;
use super::{T, content, create, open, put};
use crate::layout::{BLOCK_BYTES, POOL_AT, offset};
use crate::{Error, Record};

const SECTOR: usize = 512;

/// A store's file with some content; without a proper close where `torn`.
fn build(dice: &mut Dice, torn: bool) -> (Vec<u8>, Vec<Record>) {
    let disk = Simulated::recording();
    let store = create(&disk);
    for key in 0..40_u8 {
        let length = if key % 8 == 0 { 9000 } else { 300 };
        put(&store, &[key], &dice.bytes(length)).unwrap();
    }
    put(&store, &[5], b"changed").unwrap();
    let content = content(&store).unwrap();
    let open = disk.image();
    drop(store);
    (if torn { open } else { disk.image() }, content)
}

/// Places that hold something.
fn somewhere(image: &[u8], dice: &mut Dice) -> usize {
    loop {
        let at = dice.below(image.len());
        if image[at] != 0 {
            return at;
        }
    }
}

/// The place of a data block that was written.
fn block(image: &[u8], dice: &mut Dice) -> std::ops::Range<usize> {
    let first = usize::try_from(offset(POOL_AT)).unwrap();
    let at = first + (somewhere(&image[first..], dice) / BLOCK_BYTES) * BLOCK_BYTES;
    at..at + BLOCK_BYTES
}

fn mutate(image: &mut Vec<u8>, dice: &mut Dice) -> &'static str {
    match dice.below(8) {
        0 => {
            let at = somewhere(image, dice);
            image[at] ^= 1 << dice.below(8);
            "a bit flipped"
        }
        1 => {
            for _ in 0..=dice.below(100) {
                let at = somewhere(image, dice);
                image[at] ^= 1 << dice.below(8);
            }
            "bits flipped"
        }
        2 => {
            let at = somewhere(image, dice) / SECTOR * SECTOR;
            let end = (at + SECTOR).min(image.len());
            image[at..end].fill(0);
            "a sector zeroed"
        }
        3 => {
            let place = block(image, dice);
            image[place].fill(0);
            "a block zeroed"
        }
        4 => {
            let (one, other) = (block(image, dice), block(image, dice));
            let copy = image[one].to_vec();
            image[other].copy_from_slice(&copy);
            "a block put over another"
        }
        5 => {
            let length = dice.below(image.len());
            image.truncate(length);
            "cut short"
        }
        6 => {
            let more = dice.below(20_000);
            image.extend(dice.bytes(more));
            "made longer"
        }
        _ => {
            // The superblocks and the header slots, which are a small part of the file.
            let at = dice.below(16384);
            let end = (at + dice.below(200)).min(16384);
            let noise = dice.bytes(end - at);
            image[at..end].copy_from_slice(&noise);
            "noise at the start"
        }
    }
}

#[test]
fn a_changed_file_never_gives_wrong_data() {
    let seed = seed();
    let mut dice = Dice::new(seed);
    let images = [build(&mut dice, false), build(&mut dice, true)];
    let (mut refused, mut right) = (0, 0);
    for case in 0..cases(3000) {
        let (image, content_before) = &images[case % 2];
        let mut image = image.clone();
        let how = mutate(&mut image, &mut dice);
        let what = format!("STORE_SEED={seed} case {case}, {how}");
        let result = catch_unwind(AssertUnwindSafe(|| {
            let store = open(&Simulated::with(image))?;
            let all = content(&store)?;
            // Point reads take other paths, and go on where a block elsewhere is damaged.
            for (key, value) in content_before {
                match store.read(|tx| tx.get(T, key)) {
                    Ok(found) => assert_eq!(found.as_ref(), Some(value), "{what}"),
                    Err(error) => assert!(!matches!(error, Error::Inconsistent(_)), "{what}"),
                }
            }
            Ok::<_, Error>(all)
        }));
        match result {
            Ok(Ok(all)) => {
                assert!(all == *content_before, "{what}: wrong content");
                right += 1;
            }
            Ok(Err(_)) => refused += 1,
            Err(_) => panic!("{what}: panicked"),
        }
    }
    println!("{refused} refused, {right} gave the right content");
    assert!(refused > 0 && right > 0);
}

#[test]
fn each_kind_of_damage_has_its_own_error() {
    let mut dice = Dice::new(7);
    let (image, before) = build(&mut dice, false);
    let attempt = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut image = image.clone();
        change(&mut image);
        open(&Simulated::with(image)).and_then(|store| content(&store))
    };
    assert_eq!(attempt(&|_| ()).unwrap(), before);
    assert!(matches!(attempt(&|i| i.clear()), Err(Error::Foreign)));
    assert!(matches!(
        attempt(&|i| i[..8192].fill(b'x')),
        Err(Error::Foreign)
    ));
    assert!(matches!(
        attempt(&|i| i.truncate(100_000)),
        Err(Error::Truncated { .. })
    ));
    assert!(matches!(
        attempt(&|i| i.truncate(8200)),
        Err(Error::DamagedHeader)
    ));
    assert!(matches!(
        attempt(&|i| i[8192..40960].fill(1)),
        Err(Error::DamagedHeader)
    ));
    assert!(matches!(
        attempt(&|i| {
            i[40] ^= 1;
            i[4096 + 41] ^= 1;
        }),
        Err(Error::DamagedSuperblock)
    ));
    assert!(matches!(
        attempt(&|i| {
            i[8] = 9;
            i[4096 + 8] = 9;
        }),
        Err(Error::Unsupported {
            version: 9,
            suite: 1
        })
    ));
    // One copy or one slot is enough.
    for at in (0..10).map(|block| block * 4096 + 20) {
        assert_eq!(attempt(&|i| i[at] ^= 1).unwrap(), before);
    }
    let damaged = attempt(&|i| {
        for byte in &mut i[40960..] {
            *byte ^= u8::from(*byte != 0);
        }
    });
    assert!(matches!(damaged, Err(Error::Damaged { .. })), "{damaged:?}");
}

#[test]
fn a_damaged_superblock_is_repaired_from_its_copy() {
    let mut dice = Dice::new(8);
    let (mut image, before) = build(&mut dice, false);
    image[..4096].fill(0);
    let disk = Simulated::with(image);
    drop(open(&disk).unwrap());
    let mut image = disk.image();
    image[4096..8192].fill(0);
    assert_eq!(
        content(&open(&Simulated::with(image)).unwrap()).unwrap(),
        before
    );
}
