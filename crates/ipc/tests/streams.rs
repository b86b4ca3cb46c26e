//! Answers that take long, over connections that they share.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use ipc::{
    BodySender, Client, ClientError, Limits, STREAMS_PER_CONNECTION, Streamed, full, read_body,
    serve_streams, stream,
};
use testkit::{Folder, confined};
use tokio::net::UnixListener;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const TIME: Duration = Duration::from_secs(10);
const PER_CONNECTION: usize = STREAMS_PER_CONNECTION as usize;

/// What the service saw and is to do.
#[derive(Default)]
struct Seen {
    /// Those who wait: their writers.
    waiting: Mutex<Vec<BodySender>>,
    /// What was posted.
    posted: Mutex<Vec<Bytes>>,
    gave_up: Notify,
}

impl Seen {
    async fn answer(self: Arc<Self>, request: ipc::Request) -> ipc::Response {
        match request.uri().path() {
            "/wait" => {
                let (mut sender, body) = stream(1);
                sender.send("first").await.unwrap();
                self.waiting.lock().unwrap().push(sender);
                Response::new(body)
            }
            "/flood" => {
                let (mut sender, body) = stream(1);
                tokio::spawn(async move { while sender.send(vec![b'f'; 4096]).await.is_ok() {} });
                Response::new(body)
            }
            "/until-you-go" => {
                let (mut sender, body) = stream(1);
                tokio::spawn(async move {
                    while sender.send("more").await.is_ok() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    self.gave_up.notify_one();
                });
                Response::new(body)
            }
            _ => {
                let bytes = read_body(request.into_body(), 64 * 1024, TIME)
                    .await
                    .unwrap();
                self.posted.lock().unwrap().push(bytes.clone());
                tokio::time::sleep(Duration::from_millis(3)).await;
                Response::new(full(bytes))
            }
        }
    }
}

/// Serves until the calls are done, or `drain` is cancelled.
fn with_service<C>(connections: usize, calls: impl FnOnce(Client, Arc<Seen>) -> C + Send)
where
    C: Future<Output = ()>,
{
    let folder = Folder::new();
    confined(async |confined| {
        let (socket, listener) = folder.listen("a.sock");
        let drain = CancellationToken::new();
        let limits = Limits {
            connections,
            ..Limits::default()
        };
        let seen = Arc::new(Seen::default());
        let of = Arc::clone(&seen);
        let handler = move |_, request| Arc::clone(&of).answer(request);
        let server = serve_streams(&confined, listener, limits, drain.clone(), handler);
        let calls = async {
            timeout(TIME, calls(Client::new(socket), seen))
                .await
                .unwrap();
            drain.cancel();
        };
        tokio::join!(server, calls);
    });
}

fn request(path: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    let request = Request::builder().method("POST").uri(path);
    request.body(body.into()).unwrap()
}

async fn piece(response: &mut Response<Streamed>) -> Bytes {
    response
        .frame()
        .await
        .unwrap()
        .unwrap()
        .into_data()
        .unwrap()
}

#[test]
fn many_answers_share_few_connections_and_calls_by_http1_go_beside_them() {
    let many = 2 * PER_CONNECTION + 1;
    // Three for the streams, and one for the other protocol.
    with_service(4, async |client, seen| {
        let waiting = join_all((0..many).map(|_| client.stream(request("/wait", "")))).await;
        let mut waiting: Vec<_> = waiting.into_iter().map(Result::unwrap).collect();
        for response in &mut waiting {
            assert_eq!(piece(response).await, "first");
        }
        let beside = Request::new(full("beside"));
        let beside = client.send(beside).await.unwrap().into_body();
        assert_eq!(beside.collect().await.unwrap().to_bytes(), "beside");
        let senders = std::mem::take(&mut *seen.waiting.lock().unwrap());
        assert_eq!(senders.len(), many);
        for mut sender in senders {
            sender.send("last").await.unwrap();
        }
        for response in waiting {
            assert_eq!(
                response.into_body().collect().await.unwrap().to_bytes(),
                "last"
            );
        }
    });
}

#[test]
fn readers_who_are_slow_hold_up_nobody_on_their_connection() {
    with_service(1, async |client, _| {
        let slow = (1..PER_CONNECTION).map(|_| client.stream(request("/flood", "")));
        let slow: Vec<_> = join_all(slow)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        // Until each has sent as much as it may.
        tokio::time::sleep(Duration::from_millis(300)).await;
        for number in 0..20 {
            let long = vec![number; 40 * 1024];
            let answer = client.stream(request("/echo", long.clone())).await.unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), long);
        }
        drop(slow);
    });
}

#[test]
fn a_service_notices_that_a_reader_has_gone() {
    with_service(1, async |client, seen| {
        let mut other = client.stream(request("/wait", "")).await.unwrap();
        let mut response = client.stream(request("/until-you-go", "")).await.unwrap();
        assert_eq!(piece(&mut response).await, "more");
        drop(response);
        seen.gave_up.notified().await;
        // The connection goes on for the others.
        assert_eq!(piece(&mut other).await, "first");
        let again = client.stream(request("/echo", "again")).await.unwrap();
        assert_eq!(
            again.into_body().collect().await.unwrap().to_bytes(),
            "again"
        );
    });
}

/// Requests that are sent while the service is replaced again and again.
const POSTED: usize = 2000;

#[test]
fn nothing_is_lost_and_nothing_done_twice_while_the_service_is_replaced() {
    let folder = Folder::new();
    confined(async |confined| {
        let socket = folder.path().join("a.sock");
        let held = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        held.set_nonblocking(true).unwrap();
        let seen = Arc::new(Seen::default());
        let done = CancellationToken::new();
        let service = async {
            while !done.is_cancelled() {
                let listener = UnixListener::from_std(held.try_clone().unwrap()).unwrap();
                let drain = CancellationToken::new();
                let of = Arc::clone(&seen);
                let handler = move |_, request| Arc::clone(&of).answer(request);
                let serving = serve_streams(
                    &confined,
                    listener,
                    Limits::default(),
                    drain.clone(),
                    handler,
                );
                let replacing = async {
                    tokio::time::sleep(Duration::from_millis(40)).await;
                    drain.cancel();
                };
                tokio::join!(serving, replacing);
            }
        };
        let client = Client::new(&socket);
        let next = AtomicUsize::new(0);
        let visitor = async || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= POSTED {
                    return;
                }
                let said = format!("message {number}");
                let answer = client.stream(request("/echo", said.clone())).await.unwrap();
                let answer = answer.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(answer, said);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let visitors = async {
            let all = join_all((0..24).map(|_| visitor()));
            timeout(3 * TIME, all).await.unwrap();
            done.cancel();
        };
        tokio::join!(service, visitors);
        let posted = seen.posted.lock().unwrap();
        let distinct: HashSet<_> = posted.iter().collect();
        assert_eq!((posted.len(), distinct.len()), (POSTED, POSTED));
    });
}

/// What a service does with a request that does not answer it.
#[derive(Clone, Copy)]
enum Act {
    Refuse,
    GoAway,
    BreakOff,
    Reset,
}

/// A service that does so with the first request of its first connection, and answers all else; how many requests came.
async fn against(folder: &Folder, act: Act) -> (Result<(), ClientError>, usize) {
    let (socket, listener) = folder.listen("a.sock");
    let came = AtomicUsize::new(0);
    let service = async {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(connection).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                let first = came.fetch_add(1, Ordering::Relaxed) == 0;
                match act {
                    Act::Refuse if first => respond.send_reset(h2::Reason::REFUSED_STREAM),
                    Act::Reset if first => respond.send_reset(h2::Reason::INTERNAL_ERROR),
                    Act::GoAway if first => connection.abrupt_shutdown(h2::Reason::NO_ERROR),
                    Act::BreakOff if first => break,
                    _ => drop(respond.send_response(Response::new(()), true).unwrap()),
                }
            }
        }
    };
    let client = Client::new(socket);
    let answer = timeout(TIME, client.stream(request("/", "once")));
    tokio::select! {
        answer = answer => (answer.unwrap().map(drop), came.into_inner()),
        () = service => unreachable!(),
    }
}

#[test]
fn what_was_refused_is_sent_again_and_what_may_have_been_done_is_not() {
    confined(async |_| {
        let (refused, came) = against(&Folder::new(), Act::Refuse).await;
        assert!(refused.is_ok() && came == 2, "{refused:?}");
        for act in [Act::BreakOff, Act::Reset, Act::GoAway] {
            let (broken, came) = against(&Folder::new(), act).await;
            assert!(matches!(broken, Err(ClientError::Broken(..))), "{broken:?}");
            assert_eq!(came, 1);
        }
    });
}

#[test]
fn a_connection_that_breaks_ends_all_its_streams() {
    with_broken(async |mut streams, broke| {
        broke.notify_one();
        for stream in &mut streams {
            assert!(stream.frame().await.unwrap().is_err());
        }
    });
}

fn with_broken<C>(calls: impl FnOnce(Vec<Response<Streamed>>, Arc<Notify>) -> C + Send)
where
    C: Future<Output = ()>,
{
    let folder = Folder::new();
    confined(async |_| {
        let (socket, listener) = folder.listen("a.sock");
        let breaks = Arc::new(Notify::new());
        let service = async {
            let (connection, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(connection).await.unwrap();
            let mut open = Vec::new();
            loop {
                tokio::select! {
                    came = connection.accept() => {
                        let (_, mut respond) = came.unwrap().unwrap();
                        open.push(respond.send_response(Response::new(()), false).unwrap());
                    }
                    () = breaks.notified() => break,
                }
            }
        };
        let client = Client::new(socket);
        let opened = async {
            let streams = join_all((0..9).map(|_| client.stream(request("/", "")))).await;
            let streams = streams.into_iter().map(Result::unwrap).collect();
            calls(streams, Arc::clone(&breaks)).await;
        };
        timeout(TIME, async { tokio::join!(service, opened) })
            .await
            .unwrap();
    });
}

#[test]
fn a_service_that_is_not_there_is_told_from_one_that_does_not_answer() {
    let folder = Folder::new();
    confined(async |_| {
        let absent = Client::new(folder.path().join("none"));
        let absent = absent.stream(request("/", "")).await;
        assert!(matches!(absent, Err(ClientError::Absent(..))), "{absent:?}");
        let (socket, listener) = folder.listen("a.sock");
        drop(listener);
        let silent = Client::new(socket).stream(request("/", "")).await;
        assert!(
            matches!(silent, Err(ClientError::Unreachable(..))),
            "{silent:?}"
        );
    });
}

#[test]
fn connections_beyond_those_that_there_is_room_for_are_not_opened() {
    with_service(9, async |client, _| {
        let room = Arc::new(Semaphore::new(1));
        let client = client.within(Arc::clone(&room));
        let waiting =
            join_all((0..PER_CONNECTION).map(|_| client.stream(request("/wait", "")))).await;
        assert!(waiting.iter().all(Result::is_ok));
        let more = client.stream(request("/echo", "more")).await;
        assert!(matches!(more, Err(ClientError::NoRoom(_))), "{more:?}");
        drop(waiting);
        assert!(client.stream(request("/echo", "now")).await.is_ok());
        assert_eq!(room.available_permits(), 0);
        drop(client);
        let _returned = room.acquire().await.unwrap();
    });
}

/// A service that keeps whoever comes waiting, over any number of connections; once it goes away, it refuses whatever
/// comes over those that it has, and answers over others.
struct Going {
    listener: UnixListener,
    goes: AtomicBool,
    refused: AtomicUsize,
}

impl Going {
    async fn serve(&self) {
        let connections = FuturesUnordered::new();
        let mut connections = std::pin::pin!(connections);
        loop {
            tokio::select! {
                came = self.listener.accept() => {
                    let is_old = !self.goes.load(Ordering::Relaxed);
                    connections.push(self.connection(came.unwrap().0, is_old));
                }
                Some(()) = connections.next() => {}
            }
        }
    }

    async fn connection(&self, connection: tokio::net::UnixStream, is_old: bool) {
        let mut connection = h2::server::handshake(connection).await.unwrap();
        let mut open = Vec::new();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            if !is_old {
                respond.send_response(Response::new(()), true).unwrap();
            } else if self.goes.load(Ordering::Relaxed) {
                self.refused.fetch_add(1, Ordering::Relaxed);
                respond.send_reset(h2::Reason::REFUSED_STREAM);
            } else {
                open.push(respond.send_response(Response::new(()), false).unwrap());
            }
        }
    }
}

#[test]
fn whoever_is_refused_once_asks_over_none_of_the_connections_that_were_there() {
    let folder = Folder::new();
    confined(async |_| {
        let (socket, listener) = folder.listen("a.sock");
        let service = Going {
            listener,
            goes: AtomicBool::new(false),
            refused: AtomicUsize::new(0),
        };
        let client = Client::new(socket);
        let calls = async {
            // Several connections, each with a place and with somebody who waits.
            let many = 4 * PER_CONNECTION;
            let waiting = join_all((0..many).map(|_| client.stream(request("/", "")))).await;
            let waiting = waiting.into_iter().map(Result::unwrap).enumerate();
            let waiting: Vec<_> = waiting
                .filter(|(number, _)| number % PER_CONNECTION != 0)
                .collect();
            service.goes.store(true, Ordering::Relaxed);
            let answer = client.stream(request("/", "")).await;
            assert!(answer.is_ok(), "{answer:?}");
            assert_eq!(service.refused.load(Ordering::Relaxed), 1);
            drop(waiting);
        };
        tokio::select! {
            () = service.serve() => {}
            called = timeout(TIME, calls) => called.unwrap(),
        }
    });
}
