#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use proptest::prelude::*;

use super::*;
use crate::Shown;

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).into()),
        any::<u128>().prop_map(|bits| IpAddr::from(Ipv6Addr::from(bits))),
    ]
}

fn prefix() -> impl Strategy<Value = IpNet> {
    let v6 = |(bits, length)| Ipv6Net::new(Ipv6Addr::from(bits | 1 << 127), length).unwrap();
    prop_oneof![
        (any::<u32>(), PREFIX_BITS_V4..=32).prop_map(|(bits, length)| {
            let net = Ipv4Net::new(Ipv4Addr::from(bits), length).unwrap();
            IpNet::V4(net.trunc())
        }),
        (any::<u128>(), PREFIX_BITS_V6..=128).prop_map(move |net| IpNet::V6(v6(net).trunc())),
    ]
}

fn ban() -> impl Strategy<Value = Ban> {
    (prefix(), any::<Option<u32>>()).prop_map(|(prefix, left_s)| Ban { prefix, left_s })
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        (any::<u64>(), proptest::option::of(ban()))
            .prop_map(|(sequence, ban)| Answer::Judged { sequence, ban }),
        proptest::collection::vec(ban(), 0..=BANS_A_MESSAGE).prop_map(Answer::Banned),
        proptest::collection::vec(prefix(), 0..=BANS_A_MESSAGE).prop_map(Answer::Lifted),
        Just(Answer::Current),
    ]
}

/// One event of each shape, with that text and number wherever one can be.
fn events(client: IpAddr, text: &str, number: u64) -> [Event<'_>; 6] {
    [
        Event::RequestMalformed {
            client,
            reason: text,
        },
        Event::RateLimited {
            client,
            limit: text,
            bot: Some(text),
            retry_s: number,
        },
        Event::ConnectionLimit {
            client,
            limit: text,
            most: number,
        },
        Event::OriginRefused {
            client,
            origin: text,
            bot: text,
        },
        Event::CertificateExpiring {
            domain: text,
            left_s: number.cast_signed(),
        },
        Event::EventForged {
            unit: text,
            reason: text,
        },
    ]
}

proptest! {
    #[test]
    fn what_is_said_is_read(
        client in address(), text in any::<String>(), number in any::<u64>(),
        count in 1_u32.., lost in any::<u32>(), sequence in any::<u64>(),
    ) {
        let shown = Shown(&text).to_string();
        let sent = events(client, &text, number);
        for (event, read) in sent.iter().zip(events(client, &shown, number)) {
            let report = |event| Message::Report(Report { sequence, count, lost, event });
            let mut packet = [0; MESSAGE_BYTES];
            let packet = report(*event).encode(&mut packet).unwrap();
            prop_assert_eq!(Message::decode(packet), Ok(report(read)));
            // Nothing but all of it.
            prop_assert!(Message::decode(&packet[..packet.len() - 1]).is_err());
            prop_assert!(Message::decode(&[packet, b"\0"].concat()).is_err());
        }
    }

    #[test]
    fn answers_are_read_as_they_were_said(answer in answer()) {
        let packet = answer.encode().unwrap();
        prop_assert!(packet.len() <= ANSWER_BYTES);
        prop_assert!(Answer::decode(&packet[..packet.len() - 1]).is_err());
        prop_assert!(Answer::decode(&[&packet[..], b"\0"].concat()).is_err());
        prop_assert_eq!(Answer::decode(&packet), Ok(answer));
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), variant in 0_u8..3) {
        for packet in [bytes.clone(), [&[VERSION, variant], &bytes[..]].concat()] {
            check_any(&packet);
        }
    }

    #[test]
    fn a_changed_byte_is_read_without_harm(
        text in "[ -~]{0,120}", at in any::<prop::sample::Index>(), to in any::<u8>(), answer in answer(),
    ) {
        for event in events(IpAddr::from([192, 0, 2, 7]), &text, 7) {
            let mut packet = [0; MESSAGE_BYTES];
            let report = Report { sequence: 1, count: 1, lost: 0, event };
            let mut packet = Message::Report(report).encode(&mut packet).unwrap().to_vec();
            let place = at.index(packet.len());
            packet[place] = to;
            check_any(&packet);
        }
        let mut packet = answer.encode().unwrap();
        let place = at.index(packet.len());
        packet[place] = to;
        check_any(&packet);
    }
}

/// What is taken is sound: short, printable, plausible.
fn check_any(packet: &[u8]) {
    if let Ok(message) = Message::decode(packet) {
        // What is taken can be said again, and is the same.
        let mut room = [0; MESSAGE_BYTES];
        assert_eq!(
            Message::decode(message.encode(&mut room).unwrap()),
            Ok(message)
        );
    }
    if let Ok(Message::Report(report)) = Message::decode(packet) {
        assert!(report.count > 0);
        let line = report.event.to_string();
        assert!(
            line.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{line:?}"
        );
    }
    if let Ok(answer) = Answer::decode(packet) {
        // What is read can be said again.
        assert_eq!(Answer::decode(&answer.encode().unwrap()), Ok(answer));
    }
}

#[test]
fn another_version_is_told_apart() {
    let mut packet = [0; MESSAGE_BYTES];
    let mut packet = Message::Follow.encode(&mut packet).unwrap().to_vec();
    assert_eq!(Message::decode(&packet), Ok(Message::Follow));
    packet[0] = VERSION + 1;
    assert_eq!(Message::decode(&packet), Err(WireError::Version));
    assert_eq!(Message::decode(&[]), Err(WireError::Malformed));
    let long = [VERSION; MESSAGE_BYTES + 1];
    assert_eq!(Message::decode(&long), Err(WireError::TooLong));
}

#[test]
fn what_is_nearly_everybody_is_no_ban() {
    for (prefix, can) in [
        ("0.0.0.0/0", false),
        ("192.0.0.0/7", false),
        ("192.0.0.0/8", true),
        ("192.0.2.1/24", false),
        ("192.0.2.1/32", true),
        ("::/0", false),
        ("2001::/15", false),
        ("2001:db8::/32", true),
        ("::ffff:192.0.2.1/128", false),
    ] {
        let prefix: IpNet = prefix.parse().unwrap();
        assert_eq!(can_be_banned(&prefix), can, "{prefix}");
        let banned = Answer::Banned(vec![Ban {
            prefix,
            left_s: None,
        }]);
        assert_eq!(Answer::decode(&banned.encode().unwrap()).is_ok(), can);
    }
}

#[test]
fn no_event_is_longer_than_a_packet() {
    let text = "x".repeat(1000);
    let client = IpAddr::from([0xff; 16]);
    for event in events(client, &text, u64::MAX) {
        let report = Report {
            sequence: u64::MAX,
            count: u32::MAX,
            lost: u32::MAX,
            event,
        };
        let mut packet = [0; MESSAGE_BYTES];
        assert!(Message::Report(report).encode(&mut packet).is_ok());
    }
}
