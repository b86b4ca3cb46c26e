#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::kinds::lines::SSH_FAILED;
use crate::rules;

const NOW_MS: u64 = 1_800_000_000_000;

fn engine(allowed: &[&str], reach: Reach) -> Engine {
    let allowed = allowed
        .iter()
        .map(|net| net.parse::<ipnet::IpNet>().unwrap().into());
    Engine::new(
        rules::in_force(&[], &[]).unwrap(),
        reach,
        Never::new(allowed.collect()),
    )
}

const REACH: Reach = Reach {
    ipv4_bits: 32,
    neighbours: 3,
    dry_run: false,
};

fn failed(client: &str) -> Seen<'static> {
    Seen {
        kind: SSH_FAILED,
        client: client.parse().unwrap(),
        unit: "ssh.service",
        times: 1,
    }
}

/// Fails until banned, and gives the bans.
fn offend(engine: &mut Engine, client: &str, now_ms: u64) -> Vec<Ban> {
    for _ in 0..100 {
        if let Outcome::Banned(bans) = engine.observe(&failed(client), now_ms) {
            return bans;
        }
    }
    Vec::new()
}

#[test]
fn the_fifth_failure_bans_and_its_evidence_is_kept() {
    let mut engine = engine(&[], REACH);
    for second in 0..4 {
        let outcome = engine.observe(&failed("203.0.113.7"), NOW_MS + second * 10);
        assert_eq!(outcome, Outcome::Counted);
    }
    let standing = engine.standing("203.0.113.7".parse().unwrap(), NOW_MS + 40);
    assert!(
        standing[0].rule == "ssh" && standing[0].score > 3.99,
        "{standing:?}"
    );
    let bans = offend(&mut engine, "203.0.113.7", NOW_MS);
    assert_eq!(bans.len(), 1);
    let ban = &bans[0];
    assert_eq!(ban.prefix.to_string(), "203.0.113.7/32");
    assert_eq!(
        (ban.until - ban.begun, ban.nth, ban.evidence.len()),
        (3600, 1, 5)
    );
    let again = engine.observe(&failed("203.0.113.7"), NOW_MS);
    assert!(matches!(again, Outcome::Already(..)), "{again:?}");
}

#[test]
fn slow_attempts_count_for_less() {
    let mut engine = engine(&[], REACH);
    for hour in 0..100 {
        let outcome = engine.observe(&failed("203.0.113.7"), NOW_MS + hour * 3_600_000);
        assert_eq!(outcome, Outcome::Counted);
    }
}

#[test]
fn one_who_offends_again_is_banned_for_longer_and_a_pardon_forgets() {
    let mut engine = engine(&[], REACH);
    let mut now = NOW_MS;
    for (nth, seconds) in [(1, 3600), (2, 4 * 3600), (3, 16 * 3600)] {
        let ban = offend(&mut engine, "203.0.113.7", now).remove(0);
        assert_eq!((ban.nth, ban.until - ban.begun), (nth, seconds));
        now = ban.until * 1000;
        assert_eq!(engine.expire(now).len(), 1);
    }
    offend(&mut engine, "203.0.113.7", now);
    let lifted = engine.unban(&Prefix::host([203, 0, 113, 7].into()));
    assert_eq!(lifted.len(), 1);
    assert_eq!(offend(&mut engine, "203.0.113.7", now)[0].nth, 1);
}

#[test]
fn one_64_is_one_client_however_many_addresses_it_uses() {
    let mut engine = engine(&[], REACH);
    let mut banned = None;
    for host in 1..=5 {
        let client = format!("2001:db8:1:1::{host}");
        if let Outcome::Banned(bans) = engine.observe(&failed(&client), NOW_MS) {
            banned = Some(bans[0].prefix.to_string());
        }
    }
    assert_eq!(banned.as_deref(), Some("2001:db8:1:1::/64"));
}

#[test]
fn bans_widen_as_neighbours_offend() {
    let mut engine = engine(&[], REACH);
    let mut widened = Vec::new();
    for net in 0..3 {
        for part in 0..3 {
            let client = format!("2001:db8:1:{net}0{part}::1");
            let bans = offend(&mut engine, &client, NOW_MS);
            widened.extend(bans.iter().skip(1).map(|ban| ban.prefix.to_string()));
        }
    }
    let expected = [
        "2001:db8:1::/56",
        "2001:db8:1:100::/56",
        "2001:db8:1:200::/56",
        "2001:db8:1::/48",
    ];
    assert_eq!(widened, expected);
    let other = engine.observe(&failed("2001:db8:1:ffff::1"), NOW_MS);
    assert!(
        matches!(other, Outcome::Already(prefix, _) if prefix.bits() == 48),
        "{other:?}"
    );
    assert_eq!(
        engine.observe(&failed("2001:db8:2::1"), NOW_MS),
        Outcome::Counted
    );
}

#[test]
fn a_ban_is_narrowed_around_an_operator() {
    let mut engine = engine(&["2001:db8:1:1::9/128"], REACH);
    assert!(offend(&mut engine, "2001:db8:1:1::9", NOW_MS).is_empty());
    let bans = offend(&mut engine, "2001:db8:1:1::1", NOW_MS);
    assert_eq!(bans[0].prefix.to_string(), "2001:db8:1:1::1/128");
    let operators = engine.observe(&failed("2001:db8:1:1::9"), NOW_MS);
    assert_eq!(operators, Outcome::Never(Why::Allowed));
}

#[test]
fn by_choice_neighbours_in_a_24_share_a_score() {
    let reach = Reach {
        ipv4_bits: 24,
        ..REACH
    };
    let mut engine = engine(&[], reach);
    for host in 1..=4 {
        engine.observe(&failed(&format!("203.0.113.{host}")), NOW_MS);
    }
    let bans = offend(&mut engine, "203.0.113.9", NOW_MS);
    assert_eq!(bans[0].evidence.len(), 5);
    assert_eq!(bans[0].prefix.to_string(), "203.0.113.0/24");
}

#[test]
fn a_clock_set_back_bans_nobody() {
    let mut engine = engine(&[], REACH);
    engine.observe(&failed("203.0.113.7"), NOW_MS);
    engine.observe(&failed("203.0.113.7"), NOW_MS);
    let outcome = engine.observe(&failed("203.0.113.7"), NOW_MS - 86_400_000);
    assert_eq!(outcome, Outcome::Counted);
}

#[test]
fn operators_cannot_shut_out_the_world_or_themselves() {
    let mut engine = engine(&["192.0.2.0/24"], REACH);
    let mut ban =
        |net: &str| engine.ban(net.parse::<ipnet::IpNet>().unwrap().into(), 60, "", NOW_MS);
    for net in ["0.0.0.0/0", "::/0", "32.0.0.0/3", "2000::/3"] {
        assert!(
            matches!(ban(net), Err(Refused::Wide(_) | Refused::Never(..))),
            "{net}"
        );
    }
    for net in ["192.0.2.7/32", "192.0.0.0/16", "127.0.0.1/32", "::1/128"] {
        assert!(matches!(ban(net), Err(Refused::Never(..))), "{net}");
    }
    assert_eq!(ban("198.51.100.0/24").unwrap().until, NOW_MS / 1000 + 60);
}

fn any_client() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0_u32..600).prop_map(|low| IpAddr::V4((0xcb00_7100 + low).into())),
        (0_u128..4, 0_u128..4, 0_u128..4).prop_map(|(wide, net, host)| {
            IpAddr::V6((0x2001_0db8 << 96 | wide << 72 | net << 64 | host).into())
        }),
    ]
}

proptest! {
    #[test]
    fn whoever_is_allowed_is_never_banned(
        allowed in proptest::collection::vec(any_client(), 1..6),
        steps in proptest::collection::vec((any_client(), 1_u32..4, 0_u64..400_000), 1..400),
        ipv4_bits in prop_oneof![Just(24_u8), Just(32)],
    ) {
        let nets: Vec<_> = allowed.iter().map(|address| Prefix::host(*address)).collect();
        let reach = Reach { ipv4_bits, neighbours: 2, dry_run: false };
        let mut engine = Engine::new(rules::in_force(&[], &[]).unwrap(), reach, Never::new(nets));
        let mut now = NOW_MS;
        for (client, times, later) in steps {
            now += later;
            engine.observe(&Seen { kind: SSH_FAILED, client, unit: "ssh.service", times }, now);
            for address in &allowed {
                prop_assert!(engine.bans.holding(*address, now / 1000).next().is_none(), "{} {:?}", address, engine.bans);
            }
        }
    }

    #[test]
    fn whoever_is_banned_earned_it(
        steps in proptest::collection::vec((any_client(), 0_u64..400_000), 1..400),
    ) {
        let mut engine = engine(&[], REACH);
        let (mut now, mut earned) = (NOW_MS, HashMap::<Prefix, u32>::new());
        for (client, later) in steps {
            now += later;
            let prefix = engine.prefix_of(client);
            *earned.entry(prefix).or_default() += 1;
            let outcome = engine.observe(&Seen { kind: SSH_FAILED, client, unit: "ssh.service", times: 1 }, now);
            if let Outcome::Banned(bans) = outcome {
                prop_assert!(earned[&prefix] >= 5);
                earned.insert(prefix, 0);
                for ban in bans.iter().skip(1) {
                    let wide = Prefix::from(ban.prefix);
                    let from = if wide.bits() == 56 { 64 } else { 56 };
                    prop_assert!(engine.bans.parts(wide, from, now / 1000) >= 3);
                }
            }
        }
    }
}
