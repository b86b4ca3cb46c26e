#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::kinds::lines::SSH_FAILED;

const BEGUN: u64 = 1_800_000_000_000;

fn rule(half_life_s: u64) -> Rule {
    let mut rule = crate::rules::in_force(&[], &[]).unwrap().remove(0);
    rule.half_life_s = half_life_s;
    rule
}

fn scores(half_life_s: u64, room: usize) -> Scores {
    Scores::new(&[rule(half_life_s)], room)
}

fn seen(client: IpAddr) -> Seen<'static> {
    Seen {
        kind: SSH_FAILED,
        client,
        unit: "ssh.service",
        times: 1,
    }
}

fn add(scores: &mut Scores, client: IpAddr, points: f64, now_ms: u64) -> f64 {
    scores.add(
        0,
        &Prefix::of(client, client_bits(client)),
        points,
        &seen(client),
        now_ms,
    )
}

const fn client_bits(client: IpAddr) -> u8 {
    if client.is_ipv4() { 32 } else { 64 }
}

fn four(number: u32) -> IpAddr {
    IpAddr::V4(number.into())
}

/// An address in the `net`th /64.
fn six(net: u64) -> IpAddr {
    IpAddr::V6((u128::from(net) << 64 | 9).into())
}

#[test]
fn a_score_halves() {
    let mut scores = scores(60, 10);
    let client = four(1);
    let score = add(&mut scores, client, 4.0, BEGUN);
    assert!((score - 4.0).abs() < 1e-6, "{score}");
    for (minutes, expected) in [(1, 2.0), (2, 1.0), (10, 4.0 / 1024.0)] {
        let score = scores.score(0, &Prefix::host(client), BEGUN + minutes * 60_000);
        assert!((score - expected).abs() < 1e-6, "{score}");
    }
    let score = add(&mut scores, client, 1.0, BEGUN + 60_000);
    assert!((score - 3.0).abs() < 1e-6, "{score}");
}

#[test]
fn the_first_and_the_latest_evidence_stay_with_their_addresses() {
    for client in [four(0xcb00_7107), six(0x2001_0db8_0000_0001)] {
        let mut scores = scores(60, 10);
        let prefix = Prefix::of(client, client_bits(client));
        for at in 0..20 {
            add(&mut scores, client, 1.0, at * 1000);
        }
        let evidence = scores.evidence(0, &prefix);
        let times: Vec<_> = evidence.iter().map(|seen| seen.at).collect();
        assert_eq!(times, [0, 13, 14, 15, 16, 17, 18, 19]);
        for one in &evidence {
            assert_eq!((one.client, &*one.unit), (client, "ssh.service"));
            assert_eq!((&*one.kind, one.times), (SSH_FAILED, 1));
        }
        scores.forget(&prefix);
        assert!(scores.is_empty() && scores.evidence(0, &prefix).is_empty());
    }
}

#[test]
fn rules_share_the_rows_and_not_the_scores() {
    let mut scores = Scores::new(&[rule(60), rule(600)], 64);
    let (client, prefix) = (four(1), Prefix::host(four(1)));
    scores.add(0, &prefix, 1.0, &seen(client), BEGUN);
    scores.add(1, &prefix, 2.0, &seen(client), BEGUN);
    assert!((scores.score(0, &prefix, BEGUN) - 1.0).abs() < 1e-6);
    assert!((scores.score(1, &prefix, BEGUN) - 2.0).abs() < 1e-6);
    assert_eq!(scores.len(), 2);
    scores.forget(&prefix);
    assert!(scores.is_empty());
}

#[test]
fn the_highest_are_kept_over_a_restart() {
    let (mut before, mut after) = (scores(60, 1024), scores(60, 1024));
    for who in 1..=20 {
        for _ in 0..3 {
            add(&mut before, four(who), f64::from(who), BEGUN);
        }
    }
    for kept in &before.dump(5)[0] {
        after.restore(0, kept, BEGUN + 60_000);
        // Once, however often it is given.
        after.restore(0, kept, BEGUN + 60_000);
    }
    assert_eq!(after.len(), 5);
    let score = |who| after.score(0, &Prefix::host(four(who)), BEGUN + 60_000);
    assert!((score(20) - 30.0).abs() < 1e-6);
    let (old, new) = (
        before.evidence(0, &Prefix::host(four(16))),
        after.evidence(0, &Prefix::host(four(16))),
    );
    assert_eq!((old.len(), old), (3, new));
    assert!(after.evidence(0, &Prefix::host(four(15))).is_empty());
}

#[test]
fn rows_are_small() {
    assert!(size_of::<Row>() <= 56, "{}", size_of::<Row>());
}

/// One /50 has a /64 for every row, and gives each two points again and again.
#[test]
fn one_wide_network_hides_nobody_who_guesses() {
    let mut scores = scores(1800, SCORES_MAX);
    let wide = |number: u64| six(0x2001_0db8_0001_0000 + number);
    let flood = |scores: &mut Scores, now: u64| {
        for number in 0..SCORES_MAX as u64 {
            add(scores, wide(number), 1.0, now);
            add(scores, wide(number), 1.0, now);
        }
    };
    flood(&mut scores, BEGUN);
    let mut last = Vec::new();
    for round in 0..5 {
        let now = BEGUN + round * 1000;
        let guessers = (0..100).map(|who| four(who << 20));
        let guessers = guessers.chain((0..100).map(|who| six((0x2a00 + who) << 48)));
        last = guessers
            .map(|who| add(&mut scores, who, 1.0, now))
            .collect();
        flood(&mut scores, now);
    }
    // Two of the many may share a set with four of one network and three others.
    let banned = last.iter().filter(|score| **score > 4.9).count();
    assert!(banned >= 195, "{banned} of 200");
    let held = (0..SCORES_MAX as u64)
        .filter(|number| scores.score(0, &Prefix::of(wide(*number), 64), BEGUN) > 0.0)
        .count();
    assert!(held <= 512, "one /50 holds {held} rows");
}

/// All rows have points, and are of as many networks as there are: whoever is new gains points all the same.
#[test]
fn a_full_table_lets_newcomers_gain_points() {
    let mut scores = scores(1800, SCORES_MAX);
    let mut strangers = (0_u32..).map(|number| four(number.wrapping_mul(0x9e37_79b1)));
    for stranger in strangers.by_ref().take(8 * SCORES_MAX) {
        add(&mut scores, stranger, 3.0, BEGUN);
    }
    assert!(scores.len() > SCORES_MAX * 99 / 100);
    let guessers = (0..100).map(|who| six((0x2a00 + who) << 48));
    let mut last = Vec::new();
    for _ in 0..5 {
        last = guessers
            .clone()
            .map(|who| add(&mut scores, who, 1.0, BEGUN))
            .collect();
        for stranger in strangers.by_ref().take(500) {
            add(&mut scores, stranger, 3.0, BEGUN);
        }
    }
    let banned = last.iter().filter(|score| **score > 4.9).count();
    assert!(banned >= 95, "{banned} of 100");
}

/// Whoever is nearest to a ban cannot be pushed out by those who begin.
#[test]
fn one_near_a_ban_outlasts_any_number_of_beginners() {
    let mut scores = scores(1800, SCORES_MAX);
    add(&mut scores, six(7 << 48), 4.0, BEGUN);
    for number in 0..20 * u32::try_from(SCORES_MAX).unwrap_or(u32::MAX) {
        add(
            &mut scores,
            four(number.wrapping_mul(0x9e37_79b1)),
            1.0,
            BEGUN,
        );
    }
    let score = scores.score(0, &Prefix::of(six(7 << 48), 64), BEGUN);
    assert!((score - 4.0).abs() < 1e-6, "{score}");
}

proptest! {
    #[test]
    fn memory_is_bounded_and_nobody_has_more_than_they_earned(steps in proptest::collection::vec((0_u32..40, 1_u32..100, 0_u64..5_000), 1..300)) {
        const ROOM: usize = 8;
        let (mut bounded, mut all) = (scores(10, ROOM), scores(10, 1 << 20));
        let mut now = 1_000_000;
        for (who, points, later) in steps {
            now += later;
            let client = four(who << 24);
            add(&mut bounded, client, f64::from(points), now);
            add(&mut all, client, f64::from(points), now);
            prop_assert!(bounded.len() <= ROOM && bounded.rows.iter().count() == bounded.len());
            // Whoever comes is taken.
            prop_assert!(bounded.score(0, &Prefix::host(client), now) >= f64::from(points) * (1.0 - 1e-9));
            for who in 0..40 {
                let prefix = Prefix::host(four(who << 24));
                prop_assert!(bounded.score(0, &prefix, now) <= all.score(0, &prefix, now) * (1.0 + 1e-9));
            }
        }
    }

    #[test]
    fn a_score_never_grows_by_itself(points in 1_u32..1000, half_life in 1_u64..100_000, later in 0_u64..10_000_000) {
        let mut scores = scores(half_life, 4);
        let score = add(&mut scores, four(1), f64::from(points), BEGUN);
        prop_assert!((score - f64::from(points)).abs() < 1e-3);
        prop_assert!(scores.score(0, &Prefix::host(four(1)), BEGUN + later) <= score * (1.0 + 1e-9));
    }
}
