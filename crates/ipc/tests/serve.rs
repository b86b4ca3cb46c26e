//! A server and its clients over a real socket, confined as in service.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use ipc::{Client, ClientError, Limits, full, json, read_json, serve, stream};
use testkit::{Folder, confined};
use tokio_util::sync::CancellationToken;

const TIME: Duration = Duration::from_secs(5);

async fn answer(peer: ipc::Peer, request: ipc::Request) -> ipc::Response {
    match request.uri().path() {
        "/uid" => json(StatusCode::OK, &peer.uid),
        "/echo" => match read_json::<String, _>(request.into_body(), 64, TIME).await {
            Ok(text) => json(StatusCode::OK, &text),
            Err(error) => error.response(),
        },
        "/slow" => {
            let (mut sender, body) = stream(1);
            tokio::spawn(async move {
                for piece in ["one ", "two ", "three"] {
                    tokio::time::sleep(Duration::from_millis(60)).await;
                    sender.send(piece).await.unwrap();
                }
            });
            ipc::Response::new(body)
        }
        _ => ipc::problem(StatusCode::NOT_FOUND, "There is nothing here."),
    }
}

fn request(path: &str, body: &'static str) -> Request<ipc::Body> {
    Request::builder()
        .method("POST")
        .uri(path)
        .body(full(body))
        .unwrap()
}

async fn text(response: http::Response<ipc::Incoming>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_call_is_answered_and_its_caller_is_known() {
    let folder = Folder::new();
    confined(async |confined| {
        let (socket, listener) = folder.listen("a.sock");
        let drain = CancellationToken::new();
        let server = serve(
            &confined,
            listener,
            Limits::default(),
            drain.clone(),
            answer,
        );
        let calls = async {
            let client = Client::new(socket);
            let uid = text(client.send(request("/uid", "")).await.unwrap()).await;
            assert_eq!(uid, rustix::process::geteuid().as_raw().to_string());
            let echo = client.send(request("/echo", "\"hello\"")).await.unwrap();
            assert_eq!(text(echo).await, "\"hello\"");
            let long = "\"0123456789012345678901234567890123456789012345678901234567890123456789\"";
            let refused = client.send(request("/echo", long)).await.unwrap();
            assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
            let refused = client.send(request("/echo", "{")).await.unwrap();
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
            assert_eq!(
                refused.headers()["content-type"],
                "application/problem+json"
            );
            drain.cancel();
        };
        tokio::join!(server, calls);
    });
}

#[test]
fn an_answer_under_way_is_finished_before_the_service_stops() {
    let folder = Folder::new();
    confined(async |confined| {
        let (socket, listener) = folder.listen("a.sock");
        let drain = CancellationToken::new();
        let server = serve(
            &confined,
            listener,
            Limits::default(),
            drain.clone(),
            answer,
        );
        let calls = async {
            let client = Client::new(&socket);
            let response = client.send(request("/slow", "")).await.unwrap();
            drain.cancel();
            assert_eq!(text(response).await, "one two three");
        };
        tokio::join!(server, calls);
        let late = Client::new(&socket).send(request("/uid", "")).await;
        assert!(
            matches!(late, Err(ClientError::Unreachable(..))),
            "{late:?}"
        );
    });
}

#[test]
fn connections_beyond_the_limit_wait_their_turn() {
    let folder = Folder::new();
    confined(async |confined| {
        let (socket, listener) = folder.listen("a.sock");
        let drain = CancellationToken::new();
        let limits = Limits {
            connections: 1,
            ..Limits::default()
        };
        let server = serve(&confined, listener, limits, drain.clone(), answer);
        let calls = async {
            let first = Client::new(&socket);
            let held = first.send(request("/slow", "")).await.unwrap();
            let second = Client::new(&socket);
            let waits =
                tokio::time::timeout(Duration::from_millis(80), second.send(request("/uid", "")));
            assert!(waits.await.is_err());
            assert_eq!(text(held).await, "one two three");
            drop(first);
            assert!(second.send(request("/uid", "")).await.is_ok());
            drain.cancel();
        };
        tokio::join!(server, calls);
    });
}

#[test]
fn a_service_that_is_not_there_is_told_from_one_that_does_not_answer() {
    let folder = Folder::new();
    confined(async |_| {
        let absent = Client::new(folder.path().join("none"))
            .send(request("/", ""))
            .await;
        assert!(matches!(absent, Err(ClientError::Absent(..))), "{absent:?}");
        let (socket, listener) = folder.listen("a.sock");
        drop(listener);
        let silent = Client::new(socket).send(request("/", "")).await;
        assert!(
            matches!(silent, Err(ClientError::Unreachable(..))),
            "{silent:?}"
        );
    });
}
