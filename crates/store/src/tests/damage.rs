//! Each kind of damage has its own error, and one copy of what exists twice is enough.

use super::content::{Found, Model, content, open, same};
use super::dice::Dice;
use super::history::History;
use super::life::{Life, Weather};
use super::simulated::Simulated;
use crate::Error;

fn life(seed: u64) -> (Vec<u8>, Model) {
    let life = Life {
        commits: 30,
        weather: Weather::Fair,
        value_bytes: 9000,
        ..Life::any(&mut Dice::new(seed))
    };
    let history = History::record(&life, &mut Dice::new(seed));
    let model = Model::clone(history.states.last().unwrap());
    (history.last().to_vec(), model)
}

fn attempt(image: &[u8]) -> Result<Found, Error> {
    content(&open(&Simulated::with(image.to_vec()))?)
}

#[test]
fn each_kind_of_damage_has_its_own_error() {
    let (image, model) = life(7);
    let attempt = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut image = image.clone();
        change(&mut image);
        attempt(&image)
    };
    assert!(same(&attempt(&|_| ()).unwrap(), &model));
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
        assert!(same(&attempt(&|i| i[at] ^= 1).unwrap(), &model));
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
    let (mut image, model) = life(8);
    image[..4096].fill(0);
    let disk = Simulated::with(image);
    drop(open(&disk).unwrap());
    let mut image = disk.image();
    image[4096..8192].fill(0);
    assert!(same(&attempt(&image).unwrap(), &model));
}
