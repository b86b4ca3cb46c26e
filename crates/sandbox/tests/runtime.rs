//! What a service does all day must work on a confined thread: a filter that breaks the runtime
//! would be taken off again.
#![expect(clippy::unwrap_used, reason = "tests")]

use rustix::net::{AddressFamily, SocketType};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::UdpSocket;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use redb::ReadableDatabase;
use sandbox::{Confined, Plan, confine_thread};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixDatagram, UnixListener, UnixStream};

/// Runs `test` on a thread of its own, confined by `plan`.
fn on_confined_thread<R: Send + 'static>(
    plan: Plan,
    test: impl FnOnce(Confined) -> R + Send + 'static,
) -> R {
    std::thread::spawn(move || test(confine_thread(&plan).unwrap()))
        .join()
        .unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn workers_blocking_threads_and_timers_run() {
    let sum = on_confined_thread(Plan::new(), |_| {
        runtime().block_on(async {
            let tasks: Vec<_> = (0..64_u64)
                .map(|n| tokio::spawn(async move { n }))
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            let blocking: Vec<_> = (0..8_u64)
                .map(|n| tokio::task::spawn_blocking(move || vec![n; 1 << 20].len() as u64))
                .collect();
            for task in blocking {
                sum += task.await.unwrap();
            }
            sum
        })
    });
    assert_eq!(sum, 2016 + 8 * (1 << 20));
}

#[test]
fn signals_are_handled() {
    on_confined_thread(Plan::new(), |_| {
        runtime().block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let mut terminate = signal(SignalKind::terminate()).unwrap();
            let mut hangup = signal(SignalKind::hangup()).unwrap();
            let quiet = tokio::time::timeout(Duration::from_millis(5), async {
                tokio::select! { _ = terminate.recv() => {}, _ = hangup.recv() => {} }
            });
            assert!(quiet.await.is_err(), "no signal was sent");
        });
    });
}

async fn echo_once(listener: UnixListener) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut buffer = [0; 5];
    stream.read_exact(&mut buffer).await.unwrap();
    stream.write_all(&buffer).await.unwrap();
}

#[test]
fn inherited_listeners_serve_and_unix_sockets_connect() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("echo.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    on_confined_thread(Plan::new().connect(dir.path()), move |_| {
        runtime().block_on(async {
            tokio::spawn(echo_once(UnixListener::from_std(listener).unwrap()));
            let mut stream = UnixStream::connect(&path).await.unwrap();
            stream.peer_cred().unwrap();
            stream.write_all(b"hello").await.unwrap();
            let mut buffer = Vec::new();
            stream.read_to_end(&mut buffer).await.unwrap();
            assert_eq!(buffer, b"hello");
            let (left, right) = UnixDatagram::pair().unwrap();
            left.send(b"x").await.unwrap();
            assert_eq!(right.recv(&mut [0; 4]).await.unwrap(), 1);
        });
    });
}

#[test]
fn a_plan_may_grant_listening_in_its_own_directory() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_owned();
    on_confined_thread(Plan::new().bind(&root), move |_| {
        runtime().block_on(async {
            let path = root.join("s.sock");
            let listener = UnixListener::bind(&path).unwrap();
            tokio::spawn(echo_once(listener));
            let mut stream = UnixStream::connect(&path).await.unwrap();
            stream.write_all(b"hello").await.unwrap();
            assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 5);
        });
    });
}

#[test]
fn the_internet_grant_connects_by_tcp_and_udp() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp_address = udp.local_addr().unwrap();
    on_confined_thread(Plan::new().internet(), move |_| {
        runtime().block_on(async {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (family, kind) = (AddressFamily::INET, SocketType::DGRAM);
            let socket = UdpSocket::from(rustix::net::socket(family, kind, None).unwrap());
            socket.set_nonblocking(true).unwrap();
            let socket = tokio::net::UdpSocket::from_std(socket).unwrap();
            socket.connect(udp_address).await.unwrap();
            socket.send(b"x").await.unwrap();
            tokio::net::UdpSocket::bind("127.0.0.1:0")
                .await
                .unwrap_err();
            tokio::net::TcpListener::bind("127.0.0.1:0")
                .await
                .unwrap_err();
        });
    });
}

fn work_with_files(root: &Path) {
    let path = root.join("a");
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    file.try_lock().unwrap();
    file.set_len(1 << 16).unwrap();
    file.write_all_at(b"block", 4096).unwrap();
    file.sync_data().unwrap();
    file.sync_all().unwrap();
    let mut buffer = [0; 5];
    file.read_exact_at(&mut buffer, 4096).unwrap();
    assert_eq!(&buffer, b"block");
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(b"head").unwrap();
    file.rewind().unwrap();
    file.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"head\0");
    file.try_clone().unwrap();
    std::fs::create_dir_all(root.join("d/e")).unwrap();
    std::fs::rename(&path, root.join("d/e/b")).unwrap();
    assert_eq!(std::fs::read_dir(root).unwrap().count(), 1);
    assert_eq!(
        std::fs::metadata(root.join("d/e/b")).unwrap().len(),
        1 << 16
    );
    std::fs::File::open(root).unwrap().sync_all().unwrap();
    std::fs::write(root.join("d/c"), b"short").unwrap();
    std::fs::write(root.join("d/c"), b"new").unwrap();
    std::fs::remove_file(root.join("d/c")).unwrap();
    std::fs::remove_dir_all(root.join("d")).unwrap();
}

#[test]
fn files_of_the_plan_can_be_worked_with() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_owned();
    on_confined_thread(Plan::new().write(&root), move |_| {
        work_with_files(&root);
        runtime().block_on(async move {
            tokio::fs::write(root.join("async"), b"x").await.unwrap();
            assert_eq!(tokio::fs::read(root.join("async")).await.unwrap(), b"x");
        });
    });
}

#[test]
fn a_redb_store_is_made_written_and_opened_again() {
    const TABLE: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("t");
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_owned();
    on_confined_thread(Plan::new().write(&root), move |_| {
        for round in 0..3_u64 {
            let database = redb::Database::create(root.join("t.redb")).unwrap();
            let transaction = database.begin_write().unwrap();
            transaction
                .open_table(TABLE)
                .unwrap()
                .insert(round, vec![7; 100_000].as_slice())
                .unwrap();
            transaction.commit().unwrap();
            let transaction = database.begin_read().unwrap();
            let table = transaction.open_table(TABLE).unwrap();
            assert_eq!(table.get(round).unwrap().unwrap().value().len(), 100_000);
        }
    });
}
