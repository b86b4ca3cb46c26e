#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;

use super::fresh::FRESH_S;
use super::*;

fn client(number: u32) -> IpAddr {
    std::net::Ipv4Addr::from(number).into()
}

fn event(number: u32) -> Event<'static> {
    let client = client(number);
    if number.is_multiple_of(2) {
        Event::HostUnknown { client, host: "a" }
    } else {
        Event::MethodRefused {
            client,
            method: "X",
        }
    }
}

/// What one report says: its sequence, how many, how many lost, and of whom.
fn next(outbox: &mut Outbox<Rc<()>>, now: u64) -> Option<(u64, u32, u32, IpAddr)> {
    let mut room = [0; MESSAGE_BYTES];
    let packet = outbox.next(now, &mut room)?;
    let Ok(Message::Report(report)) = Message::decode(packet) else {
        unreachable!("no report: {packet:?}")
    };
    let client = report.event.client().unwrap();
    Some((report.sequence, report.count, report.lost, client))
}

#[test]
fn a_flood_is_one_report_with_a_number() {
    let mut outbox = Outbox::new();
    outbox.put(&event(2), 0);
    assert_eq!(next(&mut outbox, 0), Some((1, 1, 0, client(2))));
    for _ in 0..1000 {
        outbox.put(&event(2), 0);
    }
    outbox.put(&event(3), 0);
    assert_eq!(next(&mut outbox, 0), Some((2, 1000, 0, client(2))));
    assert_eq!(next(&mut outbox, 0), Some((3, 1, 0, client(3))));
    assert_eq!(next(&mut outbox, 0), None);
    outbox.judged(3);
    assert!(outbox.is_empty());
}

#[test]
fn a_waiter_is_let_go_when_all_of_his_client_is_judged() {
    let mut outbox = Outbox::new();
    let waiter = Rc::new(());
    let make = |waiter: &Rc<()>| (Rc::clone(waiter), ());
    assert!(outbox.wait(client(2), || make(&waiter)).is_none());
    outbox.put(&event(2), 0);
    outbox.put(&event(3), 0);
    assert!(outbox.wait(client(2), || make(&waiter)).is_some());
    next(&mut outbox, 0).unwrap();
    next(&mut outbox, 0).unwrap();
    assert!(outbox.wait(client(2), || make(&waiter)).is_some());
    // A broken connection holds nobody's judgement back from the next.
    outbox.broken();
    assert_eq!(Rc::strong_count(&waiter), 3);
    assert_eq!(next(&mut outbox, 0), Some((1, 1, 0, client(2))));
    outbox.judged(1);
    assert_eq!(Rc::strong_count(&waiter), 1);
}

/// Another kind than [`event`]'s, of the same client.
fn second_event(number: u32) -> Event<'static> {
    let client = client(number);
    Event::HoneypotProbed {
        client,
        path: "/.env",
    }
}

#[test]
fn a_waiter_waits_for_every_kind_of_his_client() {
    let waiter = Rc::new(());
    let make = || (Rc::clone(&waiter), ());
    // Whichever came last.
    for events in [[event(2), second_event(2)], [second_event(2), event(2)]] {
        let mut outbox = Outbox::new();
        events.iter().for_each(|event| outbox.put(event, 0));
        assert!(outbox.wait(client(2), make).is_some());
        for sequence in 1..=2 {
            assert!(Rc::strong_count(&waiter) > 1, "let go before {sequence}");
            next(&mut outbox, 0).unwrap();
            outbox.judged(sequence);
        }
        assert_eq!(Rc::strong_count(&waiter), 1);
    }
}

#[test]
fn a_waiter_waits_for_what_is_told_again_behind_others() {
    let waiter = Rc::new(());
    let mut outbox = Outbox::new();
    outbox.put(&event(2), 0);
    outbox.put(&second_event(2), 0);
    next(&mut outbox, 0).unwrap();
    next(&mut outbox, 0).unwrap();
    assert!(
        outbox
            .wait(client(2), || (Rc::clone(&waiter), ()))
            .is_some()
    );
    // The first is told again with what is like it, in the place of that.
    outbox.put(&event(4), 0);
    outbox.put(&event(2), 0);
    outbox.broken();
    for sequence in 1..=3 {
        assert!(Rc::strong_count(&waiter) > 1, "let go before {sequence}");
        next(&mut outbox, 0).unwrap();
        outbox.judged(sequence);
    }
    assert_eq!(Rc::strong_count(&waiter), 1);
    assert!(outbox.is_empty());
}

#[test]
fn all_of_a_network_of_ipv6_is_one_client() {
    let mut outbox = Outbox::new();
    let of = |address: &str| Event::HoneypotProbed {
        client: address.parse().unwrap(),
        path: "/.env",
    };
    outbox.put(&of("2001:db8:1:2::3"), 0);
    outbox.put(&of("2001:db8:1:2::4"), 0);
    outbox.put(&of("2001:db8:1:3::3"), 0);
    let waiter = Rc::new(());
    let make = || (Rc::clone(&waiter), ());
    assert!(
        outbox
            .wait("2001:db8:1:2::4".parse().unwrap(), make)
            .is_some()
    );
    assert!(
        outbox
            .wait("2001:db8:1:4::4".parse().unwrap(), make)
            .is_none()
    );
    // The first is told in full.
    let first = "2001:db8:1:2::3".parse().unwrap();
    assert_eq!(next(&mut outbox, 0), Some((1, 2, 0, first)));
    let other = "2001:db8:1:3::3".parse().unwrap();
    assert_eq!(next(&mut outbox, 0), Some((2, 1, 0, other)));
    outbox.judged(1);
    assert_eq!(Rc::strong_count(&waiter), 1);
}

#[test]
fn what_is_new_is_told_though_what_was_before_it_is_old() {
    let long = 2 * FRESH_S;
    let mut outbox: Outbox<Rc<()>> = Outbox::new();
    outbox.put(&event(2), 0);
    outbox.put(&event(2), long);
    assert_eq!(next(&mut outbox, long), Some((1, 1, 0, client(2))));
    // It was on its way when the connection broke.
    outbox.put(&event(2), 2 * long);
    outbox.broken();
    assert_eq!(next(&mut outbox, 2 * long), Some((1, 1, 0, client(2))));
    // One that goes on is told with what of it is new.
    for second in 3 * long..=4 * long {
        outbox.put(&event(3), second);
    }
    let (_, count, ..) = next(&mut outbox, 4 * long).unwrap();
    assert!((60..=71).contains(&count), "{count}");
}

#[test]
fn room_is_made_once_a_second() {
    let mut outbox: Outbox<Rc<()>> = Outbox::new();
    let most = u32::try_from(WAITING_MAX).unwrap();
    for number in 0..most {
        outbox.put(&event(number), 0);
    }
    // Whoever floods then is counted: 100 000 took minutes when each of them looked at all that waits.
    let begun = std::time::Instant::now();
    for number in 0..100_000 {
        outbox.put(&event(most + number), 1);
    }
    assert_eq!(outbox.lost, 100_000);
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    outbox.put(&event(0), 2 * FRESH_S);
    assert_eq!(outbox.waiting.len(), WAITING_MAX);
    outbox.put(&event(most), 2 * FRESH_S);
    assert_eq!(outbox.waiting.len(), 2);
}

#[test]
fn beyond_what_can_be_told_apart_the_number_is_told() {
    let mut outbox: Outbox<Rc<()>> = Outbox::new();
    let count = u32::try_from(WAITING_MAX).unwrap();
    for number in 0..count + 10 {
        outbox.put(&event(number), 0);
    }
    assert_eq!(next(&mut outbox, 0).unwrap().2, 10);
    // Told once, and again only where it was not heard.
    assert_eq!(next(&mut outbox, 0).unwrap().2, 0);
    outbox.broken();
    assert_eq!(next(&mut outbox, 0), Some((1, 1, 10, client(0))));
    outbox.judged(1);
    assert_eq!(next(&mut outbox, 0).unwrap().2, 0);
}

#[test]
fn what_is_old_is_not_told_as_new() {
    let mut outbox = Outbox::new();
    outbox.put(&event(2), 0);
    outbox.put(&event(3), 50);
    assert_eq!(next(&mut outbox, FRESH_S + 10), Some((1, 1, 0, client(3))));
    for number in 0..u32::try_from(WAITING_MAX).unwrap() {
        outbox.put(&event(number), 0);
    }
    outbox.put(&event(1 << 30), 1000);
    outbox.judged(1);
    assert_eq!(next(&mut outbox, 1000), Some((2, 1, 0, client(1 << 30))));
}

#[derive(Debug, Clone)]
enum Step {
    Put(u32),
    PutSecond(u32),
    Wait(u32),
    Next,
    TakeBack,
    Judged(u64),
    Broken,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_u32..40).prop_map(Step::Put),
        4 => (0_u32..40).prop_map(Step::PutSecond),
        4 => (0_u32..40).prop_map(Step::Wait),
        6 => Just(Step::Next),
        1 => Just(Step::TakeBack),
        2 => (0_u64..50).prop_map(Step::Judged),
        1 => Just(Step::Broken),
    ]
}

proptest! {
    /// Whatever happens to the connection, each event is judged in the end, and none is judged twice. Whoever waits is
    /// let go when all that was reported of his client by then is judged, and not before.
    #[test]
    fn each_event_is_told(steps in proptest::collection::vec(step(), 0..300)) {
        let mut outbox = Outbox::new();
        let mut seen: BTreeMap<IpAddr, u32> = BTreeMap::new();
        let mut judged: BTreeMap<IpAddr, u32> = BTreeMap::new();
        let mut sent: VecDeque<(u64, u32, IpAddr)> = VecDeque::new();
        let mut waiters: Vec<(std::rc::Weak<()>, IpAddr, u32)> = Vec::new();
        let mut settle = |outbox: &mut Outbox<_>, sent: &mut VecDeque<(u64, u32, IpAddr)>, to| {
            outbox.judged(to);
            while let Some((_, count, client)) = sent.pop_front_if(|(sequence, ..)| *sequence <= to) {
                *judged.entry(client).or_default() += count;
            }
            judged.clone()
        };
        let mut done = BTreeMap::new();
        for step in steps.into_iter().chain([Step::Broken]) {
            match step {
                Step::Put(number) => {
                    outbox.put(&event(number), 0);
                    *seen.entry(client(number)).or_default() += 1;
                }
                Step::PutSecond(number) => {
                    outbox.put(&second_event(number), 0);
                    *seen.entry(client(number)).or_default() += 1;
                }
                Step::Wait(number) => {
                    let client = client(number);
                    let of = |all: &BTreeMap<_, u32>| all.get(&client).copied().unwrap_or(0);
                    let make = || {
                        let waiter = Rc::new(());
                        (Rc::clone(&waiter), Rc::downgrade(&waiter))
                    };
                    let waiter = outbox.wait(client, make);
                    prop_assert_eq!(waiter.is_some(), of(&seen) > of(&done));
                    waiters.extend(waiter.map(|waiter| (waiter, client, of(&seen))));
                }
                Step::Next => {
                    if let Some((sequence, count, _, client)) = next(&mut outbox, 0) {
                        prop_assert_eq!(sequence, sent.back().map_or(sequence, |(last, ..)| last + 1));
                        sent.push_back((sequence, count, client));
                    }
                }
                Step::TakeBack => {
                    outbox.take_back();
                    sent.pop_back();
                }
                Step::Judged(to) => done = settle(&mut outbox, &mut sent, to),
                Step::Broken => {
                    outbox.broken();
                    sent.clear();
                }
            }
            prop_assert!(sent.len() <= UNDER_WAY_MAX);
            for (waiter, client, until) in &waiters {
                let is_judged = done.get(client).copied().unwrap_or(0) >= *until;
                prop_assert!(waiter.strong_count() > 0 || is_judged);
            }
        }
        while let Some((sequence, count, _, client)) = next(&mut outbox, 0) {
            sent.push_back((sequence, count, client));
            settle(&mut outbox, &mut sent, sequence);
        }
        prop_assert!(outbox.is_empty());
        prop_assert!(waiters.iter().all(|(waiter, ..)| waiter.strong_count() == 0));
        prop_assert_eq!(seen, judged);
    }
}
