//! What is reported reaches whoever decides, through whatever befalls him.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::IpAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use event::wire::Ban;
use event::{Change, Event, JUDGED_MS};
use testkit::decider::{Decider, Told};

const TIME: Duration = Duration::from_secs(10);

fn client(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn seen(last: u8) {
    let client = client(last);
    event::report(&Event::HostUnknown { client, host: "a" });
}

async fn told(decider: &Decider, count: u32) -> Vec<Told> {
    let mut all = Vec::new();
    let begun = Instant::now();
    while all.iter().map(|told: &Told| told.count).sum::<u32>() < count {
        assert!(begun.elapsed() < TIME, "{all:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
        all.extend(decider.told());
    }
    all
}

/// One test, because there is one connection for a process.
#[tokio::test(flavor = "multi_thread")]
async fn events_go_to_whoever_decides() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.sock");
    // Before anyone listens nothing is lost and nobody waits.
    let (changes, changed) = mpsc::channel();
    assert!(
        !event::follow(
            &path,
            |client| client == IpAddr::from([10, 0, 0, 1]),
            move |change| changes.send(change).unwrap()
        )
        .unwrap()
    );
    seen(1);
    seen(1);
    // One who stands for many is nobody's offender.
    event::report(&Event::HostUnknown {
        client: [10, 0, 0, 1].into(),
        host: "a",
    });
    let begun = Instant::now();
    event::judged(client(1)).await;
    assert!(begun.elapsed() < Duration::from_millis(JUDGED_MS / 2));

    let decider = Decider::listen(&path);
    let first = told(&decider, 2).await;
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].count, first[0].client), (2, Some(client(1))));
    assert_eq!(changed.recv_timeout(TIME).unwrap(), Change::Again);
    assert_eq!(changed.recv_timeout(TIME).unwrap(), Change::Current);

    // The ban is known once the judgement is.
    let prefix = "192.0.2.2/32".parse().unwrap();
    let ban = Ban {
        prefix,
        left_s: Some(9),
    };
    decider.judge(move |told| (told.client == Some(client(2))).then_some(ban));
    seen(2);
    event::judged(client(2)).await;
    assert_eq!(changed.try_recv().unwrap(), Change::Banned(vec![ban]));
    decider.judge(|_| None);

    // Nobody waits for long, nor twice, for one who is silent.
    decider.mute(true);
    tokio::time::sleep(Duration::from_millis(50)).await;
    seen(3);
    let begun = Instant::now();
    event::judged(client(3)).await;
    assert!(begun.elapsed() >= Duration::from_millis(JUDGED_MS));
    let begun = Instant::now();
    event::judged(client(3)).await;
    assert!(begun.elapsed() < Duration::from_millis(JUDGED_MS / 2));

    // Nor is a reporter held up by him; all is told later, merged, and each client's first too.
    let begun = Instant::now();
    for number in 0..100_000_u32 {
        seen(u8::try_from(10 + number % 200).unwrap());
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    decider.mute(false);
    let flood = told(&decider, 100_001).await;
    assert!(flood.len() < 1000, "{}", flood.len());
    for last in 10..210 {
        assert!(flood.iter().any(|told| told.client == Some(client(last))));
    }
    seen(4);
    event::judged(client(4)).await;
    assert!(
        decider
            .told()
            .iter()
            .any(|told| told.client == Some(client(4)))
    );

    // Another one is told again what the first had not judged, and of all bans.
    decider.mute(true);
    tokio::time::sleep(Duration::from_millis(50)).await;
    seen(5);
    drop(decider);
    std::fs::remove_file(&path).unwrap();
    let decider = Decider::listen(&path);
    decider.ban("198.51.100.0/24".parse().unwrap(), None);
    let again = told(&decider, 1).await;
    assert_eq!(again[0].client, Some(client(5)));
    let changes: Vec<Change> = std::iter::from_fn(|| changed.recv_timeout(TIME).ok())
        .take_while(|change| *change != Change::Current)
        .collect();
    assert!(changes.contains(&Change::Again), "{changes:?}");
    let last = changes.last().unwrap();
    assert!(matches!(last, Change::Banned(bans) if bans[0].left_s.is_none()));
    event::flush();
}
