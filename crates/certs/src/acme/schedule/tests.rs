use std::collections::BTreeSet;

use instant_acme::CertificateIdentifier;
use proptest::prelude::*;

use super::*;

const BEGINS: u64 = 1_800_000_000;

fn leaf(life: u64) -> Leaf {
    Leaf {
        begins: BEGINS,
        ends: BEGINS + life,
        names: BTreeSet::from(["shop.example".to_owned()]),
        id: CertificateIdentifier {
            authority_key_identifier: "aa".into(),
            serial: "bb".into(),
        },
        key: Vec::new(),
    }
}

#[expect(clippy::unwrap_used, reason = "tests")]
fn names() -> [ServerName<'static>; 1] {
    [ServerName::try_from("shop.example").unwrap()]
}

fn with(planned: Planned) -> Past {
    Past {
        settings: "s".to_owned(),
        planned: Some(planned),
        ..Past::default()
    }
}

#[test]
fn the_first_certificate_and_other_names_are_ordered_at_once() {
    let past = Past::default();
    let leaf = leaf(90 * DAY);
    assert_eq!(
        step(BEGINS, "s", &names(), None, &past),
        Step::Order(Why::First)
    );
    assert_eq!(
        step(BEGINS, "s", &names(), Some(Err(())), &past),
        Step::Order(Why::Unusable)
    );
    assert_eq!(
        step(BEGINS, "s", &[], Some(Ok(&leaf)), &past),
        Step::Order(Why::Names)
    );
    assert_eq!(
        step(leaf.ends, "s", &names(), Some(Ok(&leaf)), &past),
        Step::Order(Why::Ended)
    );
    assert_eq!(
        step(BEGINS, "s", &names(), Some(Ok(&leaf)), &past),
        Step::Ask
    );
}

#[test]
fn a_failure_puts_off_and_other_settings_do_not_wait() {
    let past = Past {
        settings: "s".to_owned(),
        ..Past::default()
    }
    .failed(BEGINS + 300, "x");
    assert_eq!(
        step(BEGINS, "s", &names(), None, &past),
        Step::Rest(BEGINS + 300)
    );
    assert_eq!(
        step(BEGINS + 300, "s", &names(), None, &past),
        Step::Order(Why::First)
    );
    assert_eq!(
        step(BEGINS, "other", &names(), None, &past),
        Step::Order(Why::First)
    );
}

#[test]
fn the_directory_s_window_is_obeyed_and_a_changed_one_again() {
    let leaf = leaf(90 * DAY);
    let far = Window {
        start: BEGINS + 40 * DAY,
        end: BEGINS + 41 * DAY,
    };
    let answer = Some((far, Duration::from_secs(6 * HOUR)));
    let first = planned(BEGINS, &leaf, None, answer, 77);
    assert_eq!(first.moment, far.start + 77);
    let again = planned(BEGINS + 6 * HOUR, &leaf, Some(&first), answer, 999);
    assert_eq!(
        again.moment, first.moment,
        "an unchanged window keeps its moment"
    );
    let past = with(again.clone());
    assert_eq!(
        step(BEGINS + 6 * HOUR, "s", &names(), Some(Ok(&leaf)), &past),
        Step::Rest(again.ask_at)
    );
    assert_eq!(
        step(again.ask_at, "s", &names(), Some(Ok(&leaf)), &past),
        Step::Ask
    );
    // Revoked: the window lies in the past.
    let revoked = Some((
        Window {
            start: BEGINS - DAY,
            end: BEGINS,
        },
        Duration::ZERO,
    ));
    let now = planned(BEGINS + DAY, &leaf, Some(&first), revoked, 5);
    assert_eq!(
        step(BEGINS + DAY, "s", &names(), Some(Ok(&leaf)), &with(now)),
        Step::Order(Why::Moment)
    );
    // A directory that falls silent is taken at its last word.
    let silent = planned(BEGINS + DAY, &leaf, Some(&first), None, 5);
    assert_eq!(silent.moment, first.moment);
}

#[test]
fn without_a_word_of_the_directory_a_third_is_left() {
    for life in [6 * DAY, 90 * DAY] {
        let leaf = leaf(life);
        let plan = planned(BEGINS, &leaf, None, None, u64::MAX);
        let left = leaf.ends - plan.moment;
        assert!(
            left >= life / 3 && left <= life * 5 / 12 + 1,
            "{left} of {life}"
        );
    }
}

#[test]
fn delays_double_from_minutes_to_a_day() {
    let delay = |failures| next_try(BEGINS, failures, None, 0) - BEGINS;
    assert_eq!([1, 2, 3].map(delay), [300, 600, 1200]);
    assert_eq!([20, u32::MAX].map(delay), [DAY, DAY]);
}

#[test]
fn days_left_are_warned_of_once_each() {
    let leaf = leaf(90 * DAY);
    assert_eq!(warning(leaf.ends - 16 * DAY, &leaf, None), None);
    assert_eq!(warning(leaf.ends - 15 * DAY, &leaf, None), Some(15));
    assert_eq!(warning(leaf.ends - 15 * DAY, &leaf, Some(15)), None);
    assert_eq!(warning(leaf.ends - 14 * DAY, &leaf, Some(15)), Some(14));
    assert_eq!(warning(leaf.ends + DAY, &leaf, Some(1)), Some(0));
    assert_eq!(
        warning(BEGINS + 5 * DAY, &tests::leaf(6 * DAY), None),
        Some(1)
    );
}

proptest! {
    #[test]
    fn a_moment_is_in_the_window_and_before_the_end(
        life in HOUR..1000 * DAY, start: u64, length: u64, random: u64,
    ) {
        let leaf = leaf(life);
        let window = Window { start, end: start.saturating_add(length) };
        let moment = window.moment(&leaf, random);
        prop_assert!(moment < leaf.ends, "{moment}");
        prop_assert!(moment <= window.end);
        prop_assert!(moment >= window.start || moment >= leaf.ends - life / 12 - 1);
        // Even where the window makes no sense.
        let _ = Window { start: window.end, end: window.start }.moment(&leaf, random);
    }

    #[test]
    fn a_delay_is_bounded_and_obeys(
        now in 0..u64::MAX / 2, failures: u32, after in proptest::option::of(any::<u64>()), random: u64,
    ) {
        let next = next_try(now, failures, after, random);
        prop_assert!(next >= now + DELAY_FIRST.as_secs() / 2);
        prop_assert!(next <= now + OBEYED.as_secs());
        if let Some(after) = after {
            prop_assert!(next >= after.min(now + OBEYED.as_secs()));
        }
    }

    #[test]
    fn nothing_is_asked_before_the_next_try_and_something_before_the_end(
        now in BEGINS..BEGINS + 100 * DAY, life in HOUR..200 * DAY, wait in 0..=OBEYED.as_secs(),
        start in BEGINS..BEGINS + 300 * DAY, length in 0..30 * DAY, ask in 0..3 * DAY, random: u64,
    ) {
        let leaf = leaf(life);
        let answer = Some((Window { start, end: start + length }, Duration::from_secs(ask)));
        let plan = planned(now, &leaf, None, answer, random);
        prop_assert!(plan.moment < leaf.ends);
        prop_assert!(plan.ask_at > now && plan.ask_at <= now + DAY);
        let mut past = with(plan.clone());
        if plan.moment <= now && leaf.ends > now {
            prop_assert_eq!(step(now, "s", &names(), Some(Ok(&leaf)), &past), Step::Order(Why::Moment));
        }
        past.next_try = now + wait;
        let chosen = step(now, "s", &names(), Some(Ok(&leaf)), &past);
        if wait > 0 {
            let rests = matches!(chosen, Step::Rest(until) if until > now);
            prop_assert!(rests, "{:?}", chosen);
        }
    }

    #[test]
    fn whatever_was_noted_gives_a_step(
        now: u64, next_try: u64, moment: u64, ask_at: u64, life in 1..200 * DAY,
    ) {
        let leaf = leaf(life);
        let plan = Planned { certificate: leaf.id.to_string(), start: 0, end: 0, moment, ask_at };
        let past = Past { next_try, ..with(plan) };
        match step(now, "s", &names(), Some(Ok(&leaf)), &past) {
            Step::Rest(until) => prop_assert!(until > now && until - now <= OBEYED.as_secs()),
            Step::Ask | Step::Order(_) => {}
        }
        let _ = warning(now, &leaf, None);
    }
}
