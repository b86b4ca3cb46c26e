#![expect(clippy::unwrap_used, reason = "tests")]

use std::os::fd::OwnedFd;
use std::path::Path;

use event::wire::MESSAGE_BYTES;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use secret::Key;

use super::*;
use crate::decide::never::Never;
use crate::decide::{Engine, Reach};
use crate::keep::{self, Changes};
use crate::wall::Wall;

/// Far longer than anything here takes, and shorter than a call to the firewall may take.
const SOON: Duration = Duration::from_secs(2);

fn core(folder: &Path) -> Arc<Core> {
    let (path, anchor) = (folder.join("guard.redb"), folder.join("guard.anchor"));
    let store = keep::open(&path, &anchor, &Key::new([7; 32])).unwrap();
    let reach = Reach {
        ipv4_bits: 32,
        neighbours: 0,
        dry_run: false,
    };
    let rules = crate::rules::in_force(&[], &[]).unwrap();
    let engine = Engine::new(rules, reach, Never::new(Vec::new()));
    let changes = Changes::default();
    tokio::spawn(keep::run(store.clone(), changes.clone()));
    let wall = Wall::new(firewall_api::Client::new(folder.join("firewall.sock")));
    Arc::new(Core::new(engine, wall, store, changes))
}

/// Both ends of a connection.
async fn connected(folder: &Path) -> (OwnedFd, Connection) {
    let address = SocketAddrUnix::new(folder.join("events.sock")).unwrap();
    let socket = || {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap()
    };
    let listener = socket();
    rustix::net::bind(&listener, &address).unwrap();
    rustix::net::listen(&listener, 1).unwrap();
    let listener = std::os::unix::net::UnixListener::from(listener);
    let receiver = Receiver::new(tokio::net::UnixListener::from_std(listener).unwrap());
    let near = socket();
    rustix::net::connect(&near, &address).unwrap();
    (near, receiver.accept().await.unwrap().0)
}

fn send(socket: &OwnedFd, message: &Message<'_>) {
    let mut packet = [0; MESSAGE_BYTES];
    let packet = message.encode(&mut packet).unwrap();
    rustix::net::send(socket, packet, SendFlags::empty()).unwrap();
}

async fn heard(socket: &OwnedFd) -> Answer {
    let mut packet = [0; 16 * 1024];
    let begun = tokio::time::Instant::now();
    loop {
        if let Ok((read, _)) = rustix::net::recv(socket, &mut packet[..], RecvFlags::empty()) {
            return Answer::decode(&packet[..read]).unwrap();
        }
        assert!(begun.elapsed() < SOON, "nothing was said");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn report(sequence: u64, event: Event<'_>) -> Message<'_> {
    Message::Report(Report {
        sequence,
        count: 1,
        lost: 0,
        event,
    })
}

#[tokio::test]
async fn the_gate_hears_of_a_ban_while_the_firewall_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // It takes connections and answers none.
    let _hung = std::os::unix::net::UnixListener::bind(folder.join("firewall.sock")).unwrap();
    let (near, far) = connected(folder).await;
    let unit = "casemate-gate.service".to_owned();
    let line = Line::new(core(folder), far, Peer { unit, pid: 1 });
    tokio::spawn(line.serve(CancellationToken::new()));
    send(&near, &Message::Follow);
    assert_eq!(heard(&near).await, Answer::Current);
    let client = [203, 0, 113, 7].into();
    let path = "/.env";
    send(&near, &report(1, Event::HoneypotProbed { client, path }));
    let Answer::Banned(bans) = heard(&near).await else {
        unreachable!("it is told first");
    };
    assert_eq!(bans[0].prefix.to_string(), "203.0.113.7/32");
}

#[tokio::test]
async fn who_says_what_it_cannot_know_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let (near, far) = connected(folder.path()).await;
    let core = core(folder.path());
    let unit = "casemate-llm.service".to_owned();
    let line = Line::new(Arc::clone(&core), far, Peer { unit, pid: 1 });
    tokio::spawn(line.serve(CancellationToken::new()));
    let client = [203, 0, 113, 7].into();
    let path = "/.env";
    send(&near, &report(1, Event::HoneypotProbed { client, path }));
    let judged = Answer::Judged {
        sequence: 1,
        ban: None,
    };
    assert_eq!(heard(&near).await, judged);
    // It is not told of bans either.
    send(&near, &Message::Follow);
    send(&near, &report(2, Event::HoneypotProbed { client, path }));
    assert!(matches!(
        heard(&near).await,
        Answer::Judged { sequence: 2, .. }
    ));
    assert!(core.state().engine.bans.is_empty());
    assert_eq!(core.state().forged, 3);
}
