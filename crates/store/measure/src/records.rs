//! The records: the same for all.

/// Records of a bulk load.
pub(crate) const RECORDS: u32 = 100_000;
/// Records of one transaction of a bulk load.
pub(crate) const BATCH: usize = 1_000;
/// Bytes of the value of a loaded record (1 KiB).
pub(crate) const VALUE_BYTES: usize = 1024;
/// Bytes of the value of a record that is committed alone.
pub(crate) const SMALL_BYTES: usize = 300;
/// Records of the working set that fits the cache: 1,000, each on a page of its own, are some 4 of 16 MiB.
pub(crate) const HOT: u32 = 1_000;

/// A record's key.
pub(crate) type Key = [u8; 8];

/// The key of the record that is made as number `number`. Different numbers have different keys (the factor is odd),
/// and neighbours in time are none in the order of keys.
pub(crate) fn key(number: u64) -> Key {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()
}

/// The value of a record: its key again and again, so that a reader can check what it got.
pub(crate) fn value<const BYTES: usize>(key: &Key) -> [u8; BYTES] {
    std::array::from_fn(|at| key[at % key.len()])
}

/// In which order records are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Ascending keys.
    ByKey,
    /// No order of keys.
    Random,
}

/// The keys of a bulk load.
pub(crate) fn keys(order: Order) -> Vec<Key> {
    let mut keys: Vec<_> = (0..u64::from(RECORDS)).map(key).collect();
    if order == Order::ByKey {
        keys.sort_unstable();
    }
    keys
}

/// `count` keys drawn from the loaded ones, or from `among` of them that are spread over all.
pub(crate) fn draw(count: usize, among: u32, seed: u64) -> Vec<Key> {
    let step = u64::from(RECORDS / among);
    let mut state = seed;
    let mut next = || {
        // SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    (0..count)
        .map(|_| key(next() % u64::from(among) * step))
        .collect()
}
