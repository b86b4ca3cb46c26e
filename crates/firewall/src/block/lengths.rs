//! Chooses the lengths that a list is held in.

use std::collections::BTreeMap;

/// Lengths of a family at most, unless the list would grow by more than [`GROWTH_PERCENT`].
pub const LENGTHS_MAX: usize = 6;

/// How much a list may grow for fewer lengths, in percent of its entries.
const GROWTH_PERCENT: u64 = 25;

/// The lengths, rising, that hold a list whose lengths have these counts: a prefix of another length is divided into
/// those of the next longer one. As few as give at most [`LENGTHS_MAX`], and of these the set with the fewest entries.
#[must_use]
pub fn choose(counts: &BTreeMap<u8, u64>) -> Vec<u8> {
    let lengths: Vec<(u8, u64)> = counts.iter().map(|(bits, count)| (*bits, *count)).collect();
    let plain: u64 = lengths.iter().map(|(_, count)| count).sum();
    let limit = plain
        .saturating_add(plain / 100 * GROWTH_PERCENT)
        .max(plain + 64);
    for most in LENGTHS_MAX..lengths.len() {
        let (entries, chosen) = best(&lengths, most);
        if entries <= limit {
            return chosen;
        }
    }
    lengths.into_iter().map(|(bits, _)| bits).collect()
}

/// The `most` lengths that give the fewest entries, and how many those are. The longest is always one of them.
fn best(lengths: &[(u8, u64)], most: usize) -> (u64, Vec<u8>) {
    // The best for the first lengths, of which the last is chosen, by how many are chosen.
    let mut row: Vec<(u64, Vec<u8>)> = (0..lengths.len())
        .map(|last| (cost(lengths, 0, last), vec![lengths[last].0]))
        .collect();
    for _ in 1..most {
        row = (0..lengths.len())
            .map(|last| {
                let earlier = (0..last).map(|before| {
                    let (entries, chosen) = &row[before];
                    let entries = entries.saturating_add(cost(lengths, before + 1, last));
                    (entries, [&chosen[..], &[lengths[last].0]].concat())
                });
                earlier.chain([row[last].clone()]).min().unwrap_or_default()
            })
            .collect();
    }
    row.pop().unwrap_or_default()
}

/// Entries when the lengths from the place `first` to `last` are all divided into that of `last`.
fn cost(lengths: &[(u8, u64)], first: usize, last: usize) -> u64 {
    let target = lengths[last].0;
    lengths[first..=last]
        .iter()
        .fold(0_u64, |sum, (bits, count)| {
            let parts = 1_u64
                .checked_shl(u32::from(target - bits))
                .unwrap_or(u64::MAX);
            sum.saturating_add(count.saturating_mul(parts))
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rare_lengths_are_divided() {
        let counts = [
            (15, 1),
            (16, 20),
            (20, 300),
            (22, 40),
            (23, 7),
            (24, 9_000),
            (31, 2),
            (32, 90_000),
        ];
        let chosen = choose(&BTreeMap::from(counts));
        assert_eq!(chosen.len(), LENGTHS_MAX, "{chosen:?}");
        assert_eq!(chosen, [16, 20, 22, 23, 24, 32]);
    }

    #[test]
    fn few_lengths_stay() {
        assert_eq!(choose(&BTreeMap::from([(8, 1), (32, 5)])), [8, 32]);
        assert_eq!(choose(&BTreeMap::new()), [0_u8; 0]);
    }

    proptest! {
        #[test]
        fn the_longest_is_chosen_and_the_list_hardly_grows(counts in proptest::collection::btree_map(8_u8..=128, 1_u64..100_000, 1..30)) {
            let chosen = choose(&counts);
            let plain: u64 = counts.values().sum();
            prop_assert!(chosen.is_sorted() && chosen.iter().all(|bits| counts.contains_key(bits)));
            prop_assert_eq!(chosen.last(), counts.keys().last());
            let entries: u128 = counts
                .iter()
                .map(|(bits, count)| {
                    let target = chosen.iter().find(|target| *target >= bits).map_or(*bits, |target| *target);
                    u128::from(*count) << (target - bits)
                })
                .sum();
            prop_assert!(entries <= u128::from(plain) * 5 / 4 + 64);
        }

        #[test]
        fn no_other_choice_of_as_many_is_smaller(counts in proptest::collection::btree_map(8_u8..=32, 1_u64..50, 1..9), most in 1_usize..4) {
            let lengths: Vec<(u8, u64)> = counts.into_iter().collect();
            let (entries, chosen) = best(&lengths, most);
            prop_assert!(chosen.len() <= most);
            let longest = 1_u32 << (lengths.len() - 1);
            for choice in 0..1_u32 << lengths.len() {
                if choice & longest == 0 || choice.count_ones() as usize > most { continue }
                let (mut sum, mut first) = (0_u64, 0);
                for last in (0..lengths.len()).filter(|place| choice >> place & 1 == 1) {
                    sum += cost(&lengths, first, last);
                    first = last + 1;
                }
                prop_assert!(entries <= sum);
            }
        }
    }
}
