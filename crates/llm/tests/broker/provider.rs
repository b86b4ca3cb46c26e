//! The broker against a provider, good and bad.

use std::time::{Duration, Instant};

use crate::support::{Outside, events, question, text, with_broker};
use llm_api::{Done, Event, FailKind, Failed, Outcome, ProviderStatus, Source};
use testkit::provider::{Mode, SENTENCE};

const KEY: &str = "credential = \"provider.good\"";

fn spaced() -> String {
    format!(
        "{} ",
        SENTENCE.split_whitespace().collect::<Vec<_>>().join(" ")
    )
}

#[test]
fn an_answer_streams_and_names_its_passage() {
    let outside = Outside::start();
    let config = outside.entry("good", "answers", KEY);
    let got = with_broker(&outside, &config, async |client| {
        events(&client, &question("good")).await
    });
    assert_eq!(text(&got), spaced());
    let source = Source {
        passage: 0,
        quote: "Refunds reach your card in five working days.".into(),
    };
    assert_eq!(
        got.last(),
        Some(&Event::Done(Done {
            outcome: Outcome::Answered,
            sources: vec![source]
        }))
    );
    let sent: serde_json::Value = serde_json::from_slice(&outside.provider.last_request()).unwrap();
    assert_eq!(
        (&sent["model"], &sent["stream"]),
        (&"answers".into(), &true.into())
    );
    let roles: Vec<_> = sent["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["role"].clone())
        .collect();
    assert_eq!(roles, ["system", "user"]);
}

#[test]
fn words_are_passed_on_as_they_come() {
    let outside = Outside::start();
    let config = outside.entry("slow", "slow", KEY);
    let (first, whole, pieces) = with_broker(&outside, &config, async |client| {
        let begun = Instant::now();
        let mut stream = client.answer(&question("slow")).await.unwrap();
        let first = stream.next().await.unwrap().unwrap();
        assert_eq!(first, Event::Delta("Our ".into()));
        let (first, mut pieces) = (begun.elapsed(), 1);
        while stream.next().await.unwrap().is_some() {
            pieces += 1;
        }
        (first, begun.elapsed(), pieces)
    });
    assert!(first * 4 < whole, "{first:?} of {whole:?}");
    assert!(pieces > 20, "{pieces}");
}

#[test]
fn connections_are_used_again() {
    let outside = Outside::start();
    let config = outside.entry("good", "answers", KEY);
    with_broker(&outside, &config, async |client| {
        for _ in 0..5 {
            assert_eq!(text(&events(&client, &question("good")).await), spaced());
        }
    });
    assert_eq!(
        (outside.provider.requests(), outside.provider.connections()),
        (5, 1)
    );
}

/// Every way to fail is told in bounded time, as what it is, and with what had come until then.
#[test]
fn a_bad_provider_is_told_from_a_good_one() {
    let outside = Outside::start();
    for (model, kind, retry, words) in [
        ("hangs", FailKind::Timeout, true, 0),
        ("dies", FailKind::Unavailable, true, 6),
        ("fails", FailKind::Unavailable, true, 6),
        ("lies", FailKind::Malformed, false, 0),
        ("page", FailKind::Malformed, false, 0),
        ("floods", FailKind::Malformed, false, 0),
        ("refuses", FailKind::Refused, false, 0),
        ("redirects", FailKind::Refused, false, 0),
        ("busy", FailKind::Unavailable, true, 0),
        ("broken", FailKind::Unavailable, true, 0),
    ] {
        let config = outside.entry("bad", model, KEY);
        let begun = Instant::now();
        let (got, status) = with_broker(&outside, &config, async |client| {
            (
                events(&client, &question("bad")).await,
                client.status().await.unwrap(),
            )
        });
        assert_eq!(
            got.last(),
            Some(&Event::Failed(Failed { kind, retry })),
            "{model}"
        );
        assert_eq!(text(&got).split_whitespace().count(), words, "{model}");
        assert!(
            begun.elapsed() < Duration::from_secs(3),
            "{model} took {:?}",
            begun.elapsed()
        );
        let fares = ProviderStatus {
            name: "bad".into(),
            kind: "openai".into(),
            calls: 1,
            failures: 1,
        };
        assert_eq!(status.providers[1], fares, "{model}");
    }
}

#[test]
fn a_provider_that_recovers_answers_again() {
    let outside = Outside::start();
    let config = outside.entry("good", "answers", KEY);
    with_broker(&outside, &config, async |client| {
        for mode in [Mode::Dies, Mode::Busy, Mode::Hangs] {
            outside.provider.force(Some(mode));
            assert!(matches!(
                events(&client, &question("good")).await.last(),
                Some(Event::Failed(_))
            ));
            outside.provider.force(None);
            assert_eq!(text(&events(&client, &question("good")).await), spaced());
        }
    });
}

#[test]
fn the_key_is_what_the_provider_checks() {
    let outside = Outside::start();
    for (credential, kind) in [
        ("provider.wrong", FailKind::Refused),
        ("provider.missing", FailKind::Refused),
    ] {
        let config = outside.entry("p", "answers", &format!("credential = \"{credential}\""));
        let got = with_broker(&outside, &config, async |client| {
            events(&client, &question("p")).await
        });
        assert_eq!(
            got,
            [Event::Failed(Failed { kind, retry: false })],
            "{credential}"
        );
    }
    assert_eq!(
        outside.provider.requests(),
        1,
        "without its key a provider is not even asked"
    );
}

#[test]
fn an_address_that_is_not_declared_is_refused() {
    let outside = Outside::start();
    let config = "[[provider]]\nname = \"p\"\nmodel = \"m\"\nbase_url = \"http://127.0.0.1:1/v1\"\nprivate = true\n";
    let got = with_broker(&outside, config, async |client| {
        events(&client, &question("p")).await
    });
    assert_eq!(
        got,
        [Event::Failed(Failed {
            kind: FailKind::Refused,
            retry: false
        })]
    );
    assert_eq!(outside.provider.connections(), 0);
}

#[test]
fn without_a_dialer_the_built_in_answerer_goes_on() {
    let mut outside = Outside::start();
    outside.dialer = outside.folder.path().join("nothing.sock");
    let config = outside.entry("p", "answers", KEY);
    let (asked, built_in) = with_broker(&outside, &config, async |client| {
        (
            events(&client, &question("p")).await,
            events(&client, &question(llm_api::BUILT_IN)).await,
        )
    });
    assert_eq!(
        asked,
        [Event::Failed(Failed {
            kind: FailKind::Unavailable,
            retry: true
        })]
    );
    assert!(
        text(&built_in).contains("“Refunds reach your card in five working days.”"),
        "{}",
        text(&built_in)
    );
}

/// A caller that goes away ends the call to the provider, which may be paid by the word.
#[test]
fn a_call_that_nobody_reads_is_given_up() {
    let outside = Outside::start();
    let config = outside.entry("slow", "slow", KEY);
    with_broker(&outside, &config, async |client| {
        let mut stream = client.answer(&question("slow")).await.unwrap();
        stream.next().await.unwrap();
        drop(stream);
        tokio::time::sleep(Duration::from_millis(300)).await;
        outside.provider.force(Some(Mode::Answers));
        assert_eq!(text(&events(&client, &question("slow")).await), spaced());
    });
    assert_eq!(
        outside.provider.connections(),
        2,
        "the connection of the call that was given up is not used again"
    );
}
