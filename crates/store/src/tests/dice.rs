//! Chance that can be repeated.

use std::cell::RefCell;

/// A generator that a seed makes repeatable (SplitMix64: Steele, Lea and Flood, OOPSLA 2014).
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The dice of one numbered part of a proof, whatever came before it.
    pub(crate) fn numbered(seed: u64, number: u64) -> Self {
        let mut dice = Self(seed);
        let start = dice.next() ^ number;
        Self(Self(start).next())
    }

    pub(crate) fn next(&mut self) -> u64 {
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

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes);
        bytes
    }
}

thread_local! {
    static NONCES: RefCell<Option<Dice>> = const { RefCell::new(None) };
}

/// Until dropped, what this thread draws as random bytes (keys, nonces, names) can be repeated
/// too, so that a case is the same to the bit when it is run again.
pub(crate) struct Repeatable(());

impl Repeatable {
    pub(crate) fn from(dice: &mut Dice) -> Self {
        let own = Dice::new(dice.next());
        NONCES.with_borrow_mut(|nonces| *nonces = Some(own));
        Self(())
    }
}

impl Drop for Repeatable {
    fn drop(&mut self) {
        NONCES.with_borrow_mut(|nonces| *nonces = None);
    }
}

/// Fills `out`, and returns true, where this thread's random bytes are repeatable.
pub(crate) fn repeatable_bytes(out: &mut [u8]) -> bool {
    NONCES.with_borrow_mut(|nonces| match nonces {
        Some(dice) => {
            dice.fill(out);
            true
        }
        None => false,
    })
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
