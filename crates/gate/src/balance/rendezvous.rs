//! Pure: which member a conversation belongs to, by rendezvous hashing (highest random weight; Thaler and
//! Ravishankar, 1998). When a member comes or goes, no conversation changes its place but those that it takes or had.
//!
//! Appliances are weighed first and instances within one after it, so that an appliance need not know how many
//! instances another one has. SHA-256 and not the standard library's hash, which may change between releases:
//! appliances of two releases must agree.

use chat_api::ConversationId;
use sha2::{Digest as _, Sha256};

/// Where a member is: on which appliance, and which of the instances there. Another appliance as a whole is its
/// instance 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place<'a> {
    pub(crate) appliance: &'a str,
    pub(crate) instance: u8,
}

/// The indices of `places`, heaviest for `id` first. Their order makes no difference.
pub(crate) fn order(places: &[Place<'_>], id: &ConversationId) -> Vec<usize> {
    let mut weighed: Vec<_> = places
        .iter()
        .enumerate()
        .map(|(index, place)| {
            let appliance = weight(b'a', place.appliance.as_bytes(), id);
            let instance = weight(b'i', &[place.instance], id);
            // Those of one weight are told apart by their names.
            (
                (appliance, place.appliance, instance, place.instance),
                index,
            )
        })
        .collect();
    weighed.sort_unstable_by(|one, other| other.0.cmp(&one.0));
    weighed.into_iter().map(|(_, index)| index).collect()
}

/// The id's length is fixed and comes first, so no two of these read the same.
fn weight(level: u8, name: &[u8], id: &ConversationId) -> u64 {
    let hash = Sha256::new()
        .chain_update(id.as_bytes())
        .chain_update([level])
        .chain_update(name)
        .finalize();
    hash.iter()
        .take(8)
        .fold(0, |weight, byte| weight << 8 | u64::from(*byte))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// Ids that the spread is measured with.
    const IDS: u64 = 4000;

    type Names = BTreeSet<(String, u8)>;

    fn names() -> impl Strategy<Value = Names> {
        proptest::collection::btree_set(("[a-c]", 1_u8..9), 1..12)
    }

    fn places<'a>(names: impl IntoIterator<Item = &'a (String, u8)>) -> Vec<Place<'a>> {
        let place = |(appliance, instance): &'a (String, u8)| Place {
            appliance,
            instance: *instance,
        };
        names.into_iter().map(place).collect()
    }

    fn first<'a>(places: &[Place<'a>], id: &ConversationId) -> Place<'a> {
        places[order(places, id)[0]]
    }

    fn id(random: u64) -> ConversationId {
        let mut bytes = [0; ConversationId::RANDOM_BYTES];
        bytes[..8].copy_from_slice(&random.to_be_bytes());
        ConversationId::begin(1_790_000_000_000, bytes)
    }

    /// Of `north` for the first id, and the orders for three: worked out apart from this, by Python's hashlib.
    const WEIGHT: u64 = 9_124_621_046_751_884_893;
    const ORDERS: [[usize; 5]; 3] = [[4, 1, 0, 2, 3], [1, 0, 2, 3, 4], [4, 3, 1, 0, 2]];

    #[test]
    fn the_weights_are_these_in_every_release() {
        let places = [
            ("north", 1),
            ("north", 2),
            ("north", 3),
            ("south", 0),
            ("east", 0),
        ];
        let places = places.map(|(appliance, instance)| Place {
            appliance,
            instance,
        });
        assert_eq!(weight(b'a', b"north", &id(1)), WEIGHT);
        assert_eq!([1, 2, 3].map(|number| order(&places, &id(number))), ORDERS);
    }

    #[test]
    fn members_get_about_as_many_each() {
        for count in 2_u8..=8 {
            let names: Names = (1..=count).map(|number| ("a".to_owned(), number)).collect();
            let places = places(&names);
            let mut counts = BTreeMap::new();
            for number in 0..IDS {
                *counts.entry(first(&places, &id(number))).or_insert(0_u64) += 1;
            }
            let fair = IDS / u64::from(count);
            assert_eq!(counts.len(), usize::from(count));
            for (place, got) in counts {
                // A fifth is four standard deviations or more.
                assert!(got.abs_diff(fair) <= fair / 5, "{place:?}: {got} of {IDS}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_order_of_listing_makes_no_difference(
            names in names(), shuffled in any::<prop::sample::Index>(), number: u64,
        ) {
            let listed = places(&names);
            let mut turned = listed.clone();
            turned.rotate_left(shuffled.index(listed.len()));
            turned.reverse();
            let of = |places: &[Place<'_>]| -> Vec<(String, u8)> {
                let ordered = order(places, &id(number));
                ordered.into_iter().map(|at| (places[at].appliance.to_owned(), places[at].instance)).collect()
            };
            prop_assert_eq!(of(&listed), of(&turned));
            prop_assert_eq!(of(&listed).len(), names.len());
        }

        #[test]
        fn a_member_that_comes_takes_some_and_moves_no_other(
            names in names(), came in ("[a-d]", 1_u8..9), number: u64,
        ) {
            prop_assume!(!names.contains(&came));
            // One more appliance, or one more instance of the appliance that has the conversation.
            let mut more = names.clone();
            more.insert(came.clone());
            let (before, after) = (places(&names), places(&more));
            let (was, is) = (first(&before, &id(number)), first(&after, &id(number)));
            prop_assert!(is == was || (is.appliance, is.instance) == (&*came.0, came.1));
        }

        #[test]
        fn a_member_that_goes_leaves_the_others_in_their_order(
            names in names(), gone in any::<prop::sample::Index>(), number: u64,
        ) {
            let gone = names.iter().nth(gone.index(names.len())).unwrap().clone();
            let mut fewer = names.clone();
            fewer.remove(&gone);
            let (before, after) = (places(&names), places(&fewer));
            let mut ordered: Vec<_> = order(&before, &id(number)).into_iter().map(|at| before[at]).collect();
            ordered.retain(|place| (place.appliance, place.instance) != (&*gone.0, gone.1));
            let left: Vec<_> = order(&after, &id(number)).into_iter().map(|at| after[at]).collect();
            prop_assert_eq!(ordered, left);
        }

        #[test]
        fn how_many_instances_another_appliance_has_makes_no_difference(own in 1_u8..9, other in 1_u8..9, number: u64) {
            // What one sees who counts its own instances and takes the other as a whole, and what the other sees.
            let side = |north: Vec<u8>, south: Vec<u8>| -> &'static str {
                let north = north.into_iter().map(|instance| Place { appliance: "north", instance });
                let south = south.into_iter().map(|instance| Place { appliance: "south", instance });
                first(&north.chain(south).collect::<Vec<_>>(), &id(number)).appliance
            };
            prop_assert_eq!(side((1..=own).collect(), vec![0]), side(vec![0], (1..=other).collect()));
        }
    }
}
