//! The cover against a naive model.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn whole() -> Cover {
    Cover::whole(Box::new(Key::new([7; 32])))
}

/// Numbers that lie close together, at both ends and around the middle.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..40_u64,
        NUMBERS - 40..NUMBERS,
        NUMBERS / 2 - 20..NUMBERS / 2 + 20,
        0..NUMBERS
    ]
}

/// Whether any node of the cover stands over `number`, asked without the cover's own search.
fn reachable(cover: &Cover, number: u64) -> bool {
    cover.0.iter().any(|(&first, &(height, _))| {
        let place = Place { height, first };
        place.first <= number && number <= place.last()
    })
}

/// So many runs of destroyed leaves cost no more nodes than this: each run's two ends cut
/// paths from the root, and beside each step of a path at most one node is left.
fn bound(erased: &BTreeSet<(u64, u64)>) -> usize {
    1 + erased.len() * 2 * LEVELS as usize
}

proptest! {
    #[test]
    fn destroyed_keys_are_gone_and_the_others_stay(
        steps in proptest::collection::vec((number(), 0..70_u64), 1..12),
        asked in proptest::collection::vec(number(), 1..40),
    ) {
        let (whole, mut cover) = (whole(), whole());
        let mut erased = BTreeSet::new();
        for (first, length) in steps {
            let last = (first + length).min(NUMBERS - 1);
            let there = (first..=last).any(|n| !erased.iter().any(|&(a, b)| a <= n && n <= b));
            prop_assert_eq!(cover.puncture_range(first, last), there);
            erased.insert((first, last));
            prop_assert!(cover.nodes() <= bound(&erased));
            let edges = [first, last, first.saturating_sub(1), last + 1];
            for number in asked.iter().copied().chain(edges) {
                let gone = number >= NUMBERS || erased.iter().any(|&(a, b)| a <= number && number <= b);
                prop_assert_eq!(reachable(&cover, number), !gone);
                prop_assert_eq!(cover.has(number), !gone);
                let key = cover.derive(number).map(|key| *key.expose());
                let expected = whole.derive(number).filter(|_| !gone).map(|key| *key.expose());
                prop_assert_eq!(key, expected);
            }
        }
        let mut bytes = Vec::new();
        cover.encode(&mut bytes);
        prop_assert_eq!(bytes.len(), cover.nodes() * NODE_BYTES);
        let mut again = Vec::new();
        Cover::decode(&bytes).unwrap().encode(&mut again);
        prop_assert_eq!(bytes, again);
    }

    #[test]
    fn the_order_of_destruction_does_not_matter(
        numbers in proptest::collection::btree_set(0..64_u64, 1..50),
        seed in any::<u64>(),
    ) {
        let mut shuffled: Vec<u64> = numbers.iter().copied().collect();
        shuffled.sort_by_key(|n| (n + 1).wrapping_mul(seed | 1));
        let encoded = |numbers: &[u64]| {
            let mut cover = whole();
            for (before, number) in (0..).zip(numbers) {
                let expected = cover.nodes_without(*number);
                assert_eq!(cover.destroyed(), before);
                assert!(cover.puncture(*number));
                assert_eq!(cover.nodes(), expected);
                assert!(!cover.puncture(*number));
            }
            let mut bytes = Vec::new();
            cover.encode(&mut bytes);
            bytes
        };
        let sorted: Vec<u64> = numbers.into_iter().collect();
        prop_assert_eq!(encoded(&sorted), encoded(&shuffled));
    }

    #[test]
    fn hostile_bytes_never_panic_and_have_one_reading(
        nodes in proptest::collection::vec((prop_oneof![0..16_u64, any::<u64>(), (0..42_u32).prop_map(|n| 1 << n)], any::<u8>()), 0..6),
        cut in 0..NODE_BYTES,
    ) {
        let mut bytes = Vec::new();
        for (number, key) in &nodes {
            bytes.extend_from_slice(&number.to_le_bytes()[..6]);
            bytes.extend_from_slice(&[*key; 32]);
        }
        if let Ok(cover) = Cover::decode(&bytes) {
            let mut again = Vec::new();
            cover.encode(&mut again);
            prop_assert_eq!(&again, &bytes);
            prop_assert!(cover.0.keys().all(|first| cover.derive(*first).is_some()));
        }
        bytes.extend_from_slice(&vec![0; cut]);
        if cut > 0 {
            prop_assert!(Cover::decode(&bytes).is_err());
        }
    }
}

#[test]
fn erasing_all_that_is_old_leaves_few_nodes() {
    let mut cover = whole();
    for number in 0..20_000 {
        cover.puncture(number);
    }
    assert!(cover.nodes() <= LEVELS as usize, "{} nodes", cover.nodes());
    assert_eq!(cover.destroyed(), 20_000);
    assert!(cover.puncture_range(0, NUMBERS - 1));
    assert_eq!((cover.nodes(), cover.destroyed()), (0, NUMBERS));
    assert!(Cover::decode(&[]).unwrap().derive(0).is_none());
}

#[test]
fn nothing_is_shown_of_the_keys() {
    assert_eq!(format!("{:?}", whole()), "Cover { nodes: 1, .. }");
}
