//! The receiver, over sockets of the real kind.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::Path;

use event::wire::{Answer, Ban, MESSAGE_BYTES, Message, Report, WireError};
use event::{Event, Packet, ReceiveError, Receiver};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType, recv, send};

fn socket() -> OwnedFd {
    rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap()
}

fn listen(path: &Path) -> Receiver {
    let listener = socket();
    rustix::net::bind(&listener, &SocketAddrUnix::new(path).unwrap()).unwrap();
    rustix::net::listen(&listener, 8).unwrap();
    let listener = std::os::unix::net::UnixListener::from(listener);
    listener.set_nonblocking(true).unwrap();
    Receiver::new(tokio::net::UnixListener::from_std(listener).unwrap())
}

fn connect(path: &Path) -> OwnedFd {
    let sender = socket();
    rustix::net::connect(&sender, &SocketAddrUnix::new(path).unwrap()).unwrap();
    sender
}

fn report(sequence: u64) -> Message<'static> {
    let client = IpAddr::from([192, 0, 2, 7]);
    Message::Report(Report {
        sequence,
        count: 1,
        lost: 0,
        event: Event::HostUnknown { client, host: "a" },
    })
}

#[tokio::test]
async fn a_packet_is_a_message_and_an_answer_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.sock");
    let receiver = listen(&path);
    let sender = connect(&path);
    let (connection, _peer) = receiver.accept().await.unwrap();
    let mut room = [0; MESSAGE_BYTES];
    for message in [report(1), report(2), Message::Follow] {
        let packet = message.encode(&mut room).unwrap();
        send(&sender, packet, SendFlags::empty()).unwrap();
    }
    let mut packet = Packet::default();
    assert_eq!(connection.next(&mut packet).await.unwrap(), Some(report(1)));
    assert_eq!(connection.try_next(&mut packet).unwrap(), Some(report(2)));
    let last = connection.next(&mut packet).await.unwrap();
    assert_eq!(last, Some(Message::Follow));
    assert_eq!(connection.try_next(&mut packet).unwrap(), None);

    let ban = Ban {
        prefix: "192.0.2.7/32".parse().unwrap(),
        left_s: Some(60),
    };
    let answer = Answer::Judged {
        sequence: 2,
        ban: Some(ban),
    };
    assert!(connection.try_send(&answer).unwrap());
    connection.send(&Answer::Current).await.unwrap();
    let mut room = [0; 100];
    for expected in [answer, Answer::Current] {
        let (_, length) = recv(&sender, &mut room, RecvFlags::empty()).unwrap();
        assert_eq!(Answer::decode(&room[..length]), Ok(expected));
    }

    drop(sender);
    assert!(connection.next(&mut packet).await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_no_message_ends_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.sock");
    let receiver = listen(&path);
    for (packet, error) in [
        (vec![event::wire::VERSION; 2000], WireError::TooLong),
        (vec![event::wire::VERSION, 77], WireError::Malformed),
        (vec![0, 1], WireError::Version),
    ] {
        let sender = connect(&path);
        let (connection, _peer) = receiver.accept().await.unwrap();
        send(&sender, &packet, SendFlags::empty()).unwrap();
        let mut room = Packet::default();
        let read = connection.next(&mut room).await;
        assert!(
            matches!(read, Err(ReceiveError::Wire(found)) if found == error),
            "{read:?}"
        );
    }
}

#[tokio::test]
async fn who_does_not_read_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.sock");
    let receiver = listen(&path);
    let _sender = connect(&path);
    let (connection, _peer) = receiver.accept().await.unwrap();
    let mut sent = 0_u32;
    while connection.try_send(&Answer::Current).unwrap() {
        sent += 1;
        assert!(sent < 1_000_000);
    }
    assert!(sent > 0);
}
