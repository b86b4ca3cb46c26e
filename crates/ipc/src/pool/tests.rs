#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use http_body_util::BodyExt as _;
use testkit::Folder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::*;
use crate::full;

const TIME: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(3600);

/// Calls, and waits for the head of the answer.
async fn call(pool: &Arc<Pool>, folder: &Folder) -> Result<Response<Incoming>, Failed> {
    let socket = folder.path().join("a.sock");
    let request = Request::builder().uri("http://service/path?query");
    let sent = pool.send(&socket, TIME, request.body(full("")).unwrap());
    timeout(TIME, sent).await.unwrap()
}

/// Calls, reads the answer, and lets the connection wait for the next call.
async fn whole(pool: &Arc<Pool>, folder: &Folder) -> Result<Vec<u8>, Failed> {
    let body = call(pool, folder).await?.into_body();
    let bytes = body.collect().await.map_err(Failed::Broken)?.to_bytes();
    // It is ready a moment after the end of the answer.
    timeout(TIME, async {
        while waiting(pool) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    Ok(bytes.to_vec())
}

fn waiting(pool: &Pool) -> usize {
    pool.idle.get_or_default().borrow().len()
}

/// Reads one request without a body, and answers it.
async fn answer(connection: &mut UnixStream, with: &str) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("GET /path?query HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("host: localhost\r\n"), "{head}");
    connection.write_all(with.as_bytes()).await.unwrap();
}

const DONE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";

async fn accept(listener: &UnixListener) -> UnixStream {
    timeout(TIME, listener.accept()).await.unwrap().unwrap().0
}

#[tokio::test]
async fn the_next_call_goes_over_the_same_connection() {
    let (folder, pool) = (Folder::new(), Arc::new(Pool::new(LONG)));
    let (_, listener) = folder.listen("a.sock");
    let service = async {
        let mut connection = accept(&listener).await;
        for _ in 0..20 {
            answer(&mut connection, DONE).await;
        }
        connection
    };
    let calls = async {
        for _ in 0..20 {
            assert_eq!(whole(&pool, &folder).await.unwrap(), b"done");
        }
    };
    tokio::join!(service, calls);
}

#[tokio::test]
async fn what_a_connection_that_has_waited_did_not_take_goes_over_another() {
    let (folder, pool) = (Folder::new(), Arc::new(Pool::new(LONG)));
    let (_, listener) = folder.listen("a.sock");
    let first = async {
        let mut connection = accept(&listener).await;
        answer(&mut connection, DONE).await;
        connection
    };
    let (connection, _) = tokio::join!(first, whole(&pool, &folder));
    // Both ends are heard of at once, and this task goes on before the one that looks after the connection.
    let (here, there) = UnixStream::pair().unwrap();
    drop((connection, there));
    here.readable().await.unwrap();
    let is_ready = |connection: &Connection| connection.sender.is_ready();
    assert!(pool.idle.get_or_default().borrow().iter().all(is_ready));
    assert_eq!(waiting(&pool), 1);
    let second = async {
        let mut connection = accept(&listener).await;
        answer(&mut connection, DONE).await;
        connection
    };
    let (_connection, answer) = tokio::join!(second, whole(&pool, &folder));
    assert_eq!(answer.unwrap(), b"done");
}

#[tokio::test]
async fn what_may_have_been_done_is_not_sent_again() {
    let (folder, pool) = (Folder::new(), Arc::new(Pool::new(LONG)));
    let (_, listener) = folder.listen("a.sock");
    let service = async {
        let mut connection = accept(&listener).await;
        answer(&mut connection, DONE).await;
        answer(&mut connection, "").await;
        drop(connection);
    };
    let calls = async {
        assert!(whole(&pool, &folder).await.is_ok());
        let broken = call(&pool, &folder).await;
        assert!(matches!(broken, Err(Failed::Broken(_))), "{broken:?}");
    };
    tokio::join!(service, calls);
    let more = timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(more.is_err(), "it was sent again");
}

#[tokio::test]
async fn an_answer_that_is_not_read_ends_its_connection() {
    let (folder, pool) = (Folder::new(), Arc::new(Pool::new(LONG)));
    let (_, listener) = folder.listen("a.sock");
    let service = async {
        let mut connection = accept(&listener).await;
        let endless = "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\nmore";
        answer(&mut connection, endless).await;
        let ended = timeout(TIME, connection.read_u8()).await.unwrap();
        assert!(ended.is_err());
        let mut connection = accept(&listener).await;
        answer(&mut connection, DONE).await;
        connection
    };
    let calls = async {
        drop(call(&pool, &folder).await.unwrap());
        assert_eq!(whole(&pool, &folder).await.unwrap(), b"done");
    };
    tokio::join!(service, calls);
}

#[tokio::test]
async fn a_connection_closes_that_is_not_used_and_none_that_is() {
    let idle_time = Duration::from_millis(40);
    let (folder, pool) = (Folder::new(), Arc::new(Pool::new(idle_time)));
    let (_, listener) = folder.listen("a.sock");
    let service = async {
        let mut connection = accept(&listener).await;
        answer(
            &mut connection,
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndo",
        )
        .await;
        tokio::time::sleep(5 * idle_time).await;
        connection.write_all(b"ne").await.unwrap();
        let ended = timeout(TIME, connection.read_u8()).await.unwrap();
        assert!(ended.is_err());
    };
    let ((), answer) = tokio::join!(service, whole(&pool, &folder));
    assert_eq!(answer.unwrap(), b"done");
}

#[tokio::test]
async fn no_more_connections_wait_than_may() {
    let (folder, pool) = (Folder::new(), Arc::new(Pool::new(LONG)));
    let (_, listener) = folder.listen("a.sock");
    const MANY: usize = IDLE_CONNECTIONS + 6;
    let service = async {
        let mut connections = Vec::new();
        while connections.len() < MANY {
            connections.push(accept(&listener).await);
        }
        for connection in &mut connections {
            answer(connection, DONE).await;
        }
        connections
    };
    let calls = futures_util::future::join_all((0..MANY).map(|_| whole(&pool, &folder)));
    let (connections, answers) = tokio::join!(service, calls);
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(waiting(&pool), IDLE_CONNECTIONS);
    // Whoever has the client no longer has no connections either.
    drop(pool);
    for mut connection in connections {
        let ended = timeout(TIME, connection.read_u8()).await.unwrap();
        assert!(ended.is_err());
    }
}
