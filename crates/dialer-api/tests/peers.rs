//! The client against dialers that keep to the contract and ones that do not.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::future::Future;
use std::io::{IoSlice, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::JoinHandle;
use std::time::Duration;

use dialer_api::{CARRIER_BYTE, Client, DialError, READY_BYTE, Refusal};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: casemate-descriptor\r\n\r\n";

/// A dialer that is one closure.
struct Stand {
    folder: tempfile::TempDir,
    thread: JoinHandle<()>,
}

fn stand(behaviour: impl FnOnce(UnixStream, String) + Send + 'static) -> Stand {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("dialer.sock")).unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"}") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        behaviour(stream, String::from_utf8(head).unwrap());
    });
    Stand { folder, thread }
}

impl Stand {
    fn dial(&self) -> impl Future<Output = Result<TcpStream, DialError>> + use<> {
        let client = Client::new(self.folder.path().join("dialer.sock"));
        async move { client.dial("shop.example", 443).await }
    }
}

fn give(stream: &UnixStream, byte: u8, descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
    }
    sendmsg(
        stream,
        &[IoSlice::new(&[byte])],
        &mut control,
        SendFlags::empty(),
    )
    .unwrap();
}

fn switched(stream: &mut UnixStream) {
    stream.write_all(SWITCH.as_bytes()).unwrap();
    let mut byte = [0];
    stream.read_exact(&mut byte).unwrap();
    assert_eq!(byte, [READY_BYTE]);
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    (near, far)
}

/// Whether the other end sees this connection closed: no copy of it is open anywhere.
fn is_closed(far: &mut TcpStream) -> bool {
    far.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    matches!(far.read(&mut [0]), Ok(0))
}

#[tokio::test]
async fn a_socket_is_handed_over_and_does_not_block() {
    let (near, mut far) = pair();
    let stand = stand(move |mut stream, request| {
        assert!(
            request.starts_with("POST /v1/dial HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(
            request.ends_with(r#"{"host":"shop.example","port":443}"#),
            "{request}"
        );
        switched(&mut stream);
        give(&stream, CARRIER_BYTE, &[near.as_fd()]);
    });
    let mut taken = stand.dial().await.unwrap();
    stand.thread.join().unwrap();
    let would_block = taken.read(&mut [0]).unwrap_err();
    assert_eq!(would_block.kind(), std::io::ErrorKind::WouldBlock);
    taken.write_all(b"hello").unwrap();
    drop(taken);
    let mut received = String::new();
    far.read_to_string(&mut received).unwrap();
    assert_eq!(received, "hello");
}

#[tokio::test]
async fn each_refusal_keeps_its_kind_and_words() {
    for kind in Refusal::ALL {
        let stand = stand(move |mut stream, _| {
            let body = r#"{"type":"about:blank","title":"t","status":1,"detail":"Because."}"#;
            let status = kind.status().as_u16();
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n\r\n{body}"
            )
            .unwrap();
        });
        match stand.dial().await {
            Err(DialError::Refused { kind: got, detail }) => {
                assert_eq!((got, detail.as_str()), (kind, "Because."));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_refusal_of_endless_words_is_still_a_refusal() {
    let stand = stand(|mut stream, _| {
        stream
            .write_all(b"HTTP/1.1 403 x\r\ntransfer-encoding: chunked\r\n\r\n")
            .unwrap();
        while stream.write_all(b"10\r\n0123456789abcdef\r\n").is_ok() {}
    });
    let refused = stand.dial().await.unwrap_err();
    assert!(
        matches!(
            refused,
            DialError::Refused {
                kind: Refusal::Forbidden,
                ..
            }
        ),
        "{refused:?}"
    );
    assert!(!refused.is_passing());
}

#[tokio::test]
async fn no_dialer_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let absent = Client::new(folder.path().join("dialer.sock"))
        .dial("shop.example", 443)
        .await;
    assert!(
        matches!(absent, Err(DialError::Absent { .. })),
        "{absent:?}"
    );
}

async fn breaks_contract(
    behaviour: impl FnOnce(UnixStream, String) + Send + 'static,
) -> &'static str {
    match stand(behaviour).dial().await {
        Err(DialError::Contract(how)) => how,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_switch_to_something_else_is_not_taken() {
    let how = breaks_contract(|mut stream, _| {
        let other = SWITCH.replace("casemate-descriptor", "websocket");
        stream.write_all(other.as_bytes()).unwrap();
    });
    assert!(how.await.contains("another protocol"));
}

#[tokio::test]
async fn a_status_that_says_nothing_is_an_error() {
    for status in ["200", "404", "500"] {
        let how = breaks_contract(move |mut stream, _| {
            write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n").unwrap();
        });
        assert!(how.await.contains("says nothing"));
    }
}

#[tokio::test]
async fn bytes_before_the_callers_are_an_error() {
    let how = breaks_contract(|mut stream, _| {
        stream
            .write_all(format!("{SWITCH}early").as_bytes())
            .unwrap();
    });
    assert!(how.await.contains("before it was asked"));
}

#[tokio::test]
async fn a_close_in_place_of_the_socket_is_an_error() {
    let how = breaks_contract(|mut stream, _| switched(&mut stream));
    assert!(how.await.contains("closed"));
}

#[tokio::test]
async fn a_byte_without_a_socket_is_an_error() {
    let how = breaks_contract(|mut stream, _| {
        switched(&mut stream);
        give(&stream, CARRIER_BYTE, &[]);
    });
    assert!(how.await.contains("no socket"));
}

#[tokio::test]
async fn another_byte_loses_its_socket() {
    let (near, mut far) = pair();
    let how = breaks_contract(move |mut stream, _| {
        switched(&mut stream);
        give(&stream, b'x', &[near.as_fd()]);
    });
    assert!(how.await.contains("another byte"));
    assert!(is_closed(&mut far));
}

#[tokio::test]
async fn several_descriptors_are_all_closed() {
    // As many as the client has room for, and more than that.
    for count in [2, 4, 9] {
        let (near, mut far) = pair();
        let how = breaks_contract(move |mut stream, _| {
            switched(&mut stream);
            give(&stream, CARRIER_BYTE, &vec![near.as_fd(); count]);
        });
        assert!(how.await.contains("more than one"));
        assert!(is_closed(&mut far), "{count}");
    }
}

#[tokio::test]
async fn what_is_not_a_tcp_connection_is_not_taken() {
    let how = breaks_contract(|mut stream, _| {
        switched(&mut stream);
        give(&stream, CARRIER_BYTE, &[std::io::stderr().as_fd()]);
    });
    assert!(how.await.contains("not a TCP connection"));
    let how = breaks_contract(|mut stream, _| {
        switched(&mut stream);
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        give(&stream, CARRIER_BYTE, &[datagrams.as_fd()]);
    });
    assert!(how.await.contains("not a TCP connection"));
    let how = breaks_contract(|mut stream, _| {
        switched(&mut stream);
        let (unix, _other) = UnixStream::pair().unwrap();
        give(&stream, CARRIER_BYTE, &[unix.as_fd()]);
    });
    assert!(how.await.contains("not a TCP connection"));
    let how = breaks_contract(|mut stream, _| {
        switched(&mut stream);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        give(&stream, CARRIER_BYTE, &[listener.as_fd()]);
    });
    assert!(how.await.contains("not a TCP connection"));
}

#[tokio::test]
async fn a_call_cut_off_is_an_error() {
    let stand = stand(|stream, _| drop(stream));
    let cut = stand.dial().await;
    assert!(matches!(cut, Err(DialError::Call(_))), "{cut:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dialer_that_never_answers_is_given_up() {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let stand = stand(move |_stream, _| {
        let _ = wait.recv();
    });
    let silent = stand.dial().await;
    assert!(matches!(silent, Err(DialError::Silent(_))), "{silent:?}");
    drop(done);
}
