//! Looking for very many short byte strings at once.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

/// Bytes of a needle.
pub(crate) const NEEDLE_BYTES: usize = 16;
/// Bytes that give a needle away: either half of it.
const WINDOW: usize = NEEDLE_BYTES / 2;
/// Bits of the filter that rules most windows out.
const FILTER_BITS: u32 = 23;
/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

pub(crate) type Needle = [u8; NEEDLE_BYTES];

/// What is looked for.
pub(crate) struct Needles {
    filter: Vec<u64>,
    /// Which needle a window belongs to.
    windows: HashMap<u64, usize>,
}

/// Spreads a window over the filter (Fibonacci hashing).
fn spread(window: u64) -> (usize, u64) {
    let hash = window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - FILTER_BITS);
    (usize::try_from(hash / 64).unwrap(), 1 << (hash % 64))
}

impl Needles {
    pub(crate) fn new(needles: &[Needle]) -> Self {
        let mut all = Self {
            filter: vec![0; 1 << (FILTER_BITS - 6)],
            windows: HashMap::new(),
        };
        for (number, needle) in needles.iter().enumerate() {
            for half in needle.as_chunks::<WINDOW>().0 {
                let window = u64::from_le_bytes(*half);
                let (word, bit) = spread(window);
                all.filter[word] |= bit;
                all.windows.insert(window, number);
            }
        }
        all
    }

    /// The first needle of which either half is in `bytes`.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<usize> {
        bytes.windows(WINDOW).find_map(|window| {
            let window = u64::from_le_bytes(window.try_into().unwrap());
            let (word, bit) = spread(window);
            if self.filter[word] & bit == 0 {
                return None;
            }
            self.windows.get(&window).copied()
        })
    }

    /// As [`Self::find`] for a file. A file that is gone by now holds nothing.
    pub(crate) fn find_in(&self, path: &Path) -> Option<usize> {
        let mut file = std::fs::File::open(path).ok()?;
        let mut buffer = vec![0; CHUNK];
        let mut kept = 0;
        loop {
            let read = file.read(&mut buffer[kept..]).unwrap();
            if read == 0 {
                return None;
            }
            let end = kept + read;
            if let Some(found) = self.find(&buffer[..end]) {
                return Some(found);
            }
            // A needle may lie across two reads.
            kept = end.min(WINDOW - 1);
            buffer.copy_within(end - kept..end, 0);
        }
    }
}

#[test]
fn every_needle_is_found_wherever_it_lies() {
    let mut dice = super::dice::Dice::new(3);
    let all: Vec<Needle> = (0..5000)
        .map(|_| dice.bytes(NEEDLE_BYTES).try_into().unwrap())
        .collect();
    let needles = Needles::new(&all);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hay");
    for number in [0, 17, 4999] {
        for at in [0, 1, 999, CHUNK - 12, CHUNK - 4, 2 * CHUNK - 1] {
            let mut hay = dice.bytes(2 * CHUNK + 1000);
            assert_eq!(needles.find(&hay), None);
            // Half of it is enough.
            hay[at..at + WINDOW].copy_from_slice(&all[number][WINDOW..]);
            std::fs::write(&path, &hay).unwrap();
            assert_eq!(needles.find_in(&path), Some(number), "at {at}");
        }
    }
}
