//! The broker's calls, as any caller sees them.

use crate::support::{Outside, events, question, text, with_broker};
use http::{Method, StatusCode};
use llm_api::{AnswerRequest, Event, FailKind, Failed, Outcome, limits::REQUEST_BYTES};

async fn send(
    client: &ipc::Client,
    method: Method,
    path: &'static str,
    body: Vec<u8>,
) -> (StatusCode, String) {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .body(ipc::full(body))
        .unwrap();
    let reply = client.send(request).await.unwrap();
    let status = reply.status();
    let body = ipc::read_body(
        reply.into_body(),
        1 << 20,
        std::time::Duration::from_secs(5),
    )
    .await
    .unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn the_built_in_answer_streams_in_groups_of_words() {
    let outside = Outside::start();
    let got = with_broker(&outside, "", async |client| {
        events(&client, &question("built-in")).await
    });
    assert!(got.len() > 2, "{got:?}");
    let Some(Event::Done(done)) = got.last() else {
        unreachable!("{got:?}")
    };
    assert_eq!((done.outcome, done.sources.len()), (Outcome::Answered, 1));
    assert!(text(&got).starts_with("From “Returns › Refunds”:\n“"));
    assert_eq!(outside.provider.connections(), 0);
}

#[test]
fn what_the_passages_do_not_hold_is_said_to_be_unknown() {
    let outside = Outside::start();
    let request = AnswerRequest {
        question: "What is the capital of France?".into(),
        ..question("built-in")
    };
    let got = with_broker(&outside, "", async |client| events(&client, &request).await);
    assert!(
        matches!(got.last(), Some(Event::Done(done)) if done.outcome == Outcome::Unknown && done.sources.is_empty())
    );
}

#[test]
fn a_provider_that_nobody_configured_is_named_so() {
    let outside = Outside::start();
    let got = with_broker(&outside, "", async |client| {
        events(&client, &question("nobody")).await
    });
    assert_eq!(
        got,
        [Event::Failed(Failed {
            kind: FailKind::UnknownProvider,
            retry: false
        })]
    );
}

#[test]
fn bad_requests_get_clear_answers() {
    let outside = Outside::start();
    with_broker(&outside, "", async |client| {
        let ipc = ipc::Client::new(client.socket());
        let long = AnswerRequest {
            question: "a".repeat(9000),
            ..question("built-in")
        };
        for (method, path, body, status, part) in [
            (
                Method::POST,
                "/v1/answer",
                b"{".to_vec(),
                400,
                "line 1, column 1",
            ),
            (
                Method::POST,
                "/v1/answer",
                b"{\"my name is Ada\":1}".to_vec(),
                400,
                "not what was expected",
            ),
            (
                Method::POST,
                "/v1/answer",
                b"\xff\xfe".to_vec(),
                400,
                "not what was expected",
            ),
            (
                Method::POST,
                "/v1/answer",
                serde_json::to_vec(&long).unwrap(),
                422,
                "the question has 9000 bytes",
            ),
            (
                Method::POST,
                "/v1/answer",
                vec![b' '; REQUEST_BYTES + 1],
                413,
                "longer than",
            ),
            (Method::GET, "/v1/answer", Vec::new(), 405, "method"),
            (Method::GET, "/v1/other", Vec::new(), 404, "nothing"),
        ] {
            let (got, body) = send(&ipc, method, path, body).await;
            assert_eq!(got.as_u16(), status, "{body}");
            assert!(body.contains(part) && !body.contains("Ada"), "{body}");
        }
        assert_eq!(
            send(&ipc, Method::GET, "/healthz", Vec::new()).await,
            (StatusCode::OK, "ok\n".to_owned())
        );
    });
}

#[test]
fn the_status_counts_calls() {
    let outside = Outside::start();
    let config = outside.entry("p", "answers", "");
    let status = with_broker(&outside, &config, async |client| {
        events(&client, &question("built-in")).await;
        events(&client, &question("built-in")).await;
        events(&client, &question("p")).await;
        client.status().await.unwrap()
    });
    let counts: Vec<_> = status
        .providers
        .iter()
        .map(|one| (one.name.as_str(), one.calls, one.failures))
        .collect();
    assert_eq!(counts, [("built-in", 2, 0), ("p", 1, 0)]);
}
