//! Chance that can be repeated.

/// A generator that a seed makes repeatable (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let words = length.div_ceil(8);
        let mut bytes: Vec<u8> = (0..words).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(length);
        bytes
    }
}

/// The seed of this run: `STORE_SEED` repeats an earlier one. Printed, for when a test fails.
pub(crate) fn seed() -> u64 {
    let seed = match std::env::var("STORE_SEED") {
        Ok(text) => text.parse().unwrap(),
        Err(_) => u64::from_le_bytes(crate::random::bytes().unwrap()),
    };
    println!("STORE_SEED={seed}");
    seed
}

/// The cases to run, unless `STORE_CASES` says more.
pub(crate) fn cases(default: usize) -> usize {
    std::env::var("STORE_CASES").map_or(default, |text| text.parse().unwrap())
}
