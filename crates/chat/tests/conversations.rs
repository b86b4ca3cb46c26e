//! Questions and answers through the real routers, over Unix sockets.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use chat::conversation::ConversationId;
use chat::conversations::MESSAGES_MAX;
use chat::schema::MessageRecord;
use chat_api::visitor::{Event, Role};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use world::{Broker, World, events, parse, problem, text, whole};

const DONE: &str = r#"{"done":{"outcome":"answered","sources":[]}}"#;

fn delta(text: &str) -> String {
    serde_json::json!({ "delta": text }).to_string()
}

#[test]
fn a_question_is_answered_from_the_documents_and_kept() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        shop.teach().await;
        let (begun, events) = shop.visitor.begin("m1", "When do I get refunded?").await;
        let names: Vec<&str> = events.iter().map(Event::name).collect();
        assert_eq!(names.first(), Some(&"accepted"));
        assert_eq!(names[names.len() - 2..], ["sources", "done"]);
        assert!(
            names[1..names.len() - 2]
                .iter()
                .all(|name| *name == "delta")
        );
        assert_eq!(text(&events), "Money comes back in five days.");
        let Event::Sources { sources } = &events[events.len() - 2] else {
            panic!("no sources")
        };
        assert_eq!(
            (&*sources[0].document, &*sources[0].quote),
            ("refunds.md", "Money comes back in five days.")
        );
        assert_eq!((begun.conversation.len(), begun.token.len()), (32, 64));

        // After a reload, and after the process started anew.
        let before = shop.visitor.messages(&begun).await;
        assert_eq!(before.len(), 2);
        assert_eq!(
            (before[0].role, before[0].id.as_str()),
            (Role::Visitor, "m1")
        );
        assert_eq!(before[1].answers.as_ref(), Some(&before[0].id));
        assert_eq!(&before[1].sources, sources);
        assert!(matches!(events.last(), Some(Event::Done { id }) if *id == before[1].id));
        shop.stop().await;
        let shop = world.serve("2");
        assert_eq!(shop.visitor.messages(&begun).await, before);
        let reply = shop.visitor.ask(&begun, "m2", "And opened tea?").await;
        assert_eq!(text(&world::events(reply).await), "Opened tea stays yours.");
        let asked = world.asked.lock().unwrap()[1].clone();
        assert_eq!(asked["turns"][0]["text"], "When do I get refunded?");
        assert_eq!(asked["turns"][1]["text"], "Money comes back in five days.");
        assert_eq!(shop.visitor.said(&begun).await.len(), 4);
        let status = shop.operator.status().await.unwrap();
        assert_eq!(
            (
                status.documents,
                status.chunks,
                status.conversations,
                status.messages
            ),
            (1, 2, 1, 4)
        );
        shop.stop().await;
    });
}

#[test]
fn what_the_documents_do_not_hold_is_answered_without_sources() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        let (_, events) = shop.visitor.begin("m1", "When do I get refunded?").await;
        assert_eq!(text(&events), "I do not know.");
        assert!(
            matches!(&events[events.len() - 2], Event::Sources { sources } if sources.is_empty())
        );
        shop.stop().await;
    });
}

#[test]
fn a_repeated_message_is_neither_stored_nor_asked_again() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        shop.teach().await;
        let begun = shop.visitor.empty().await;
        let first = events(
            shop.visitor
                .ask(&begun, "m1", "When do I get refunded?")
                .await,
        )
        .await;
        shop.settled().await;
        let again = events(
            shop.visitor
                .ask(&begun, "m1", " When do I get refunded?\r\n")
                .await,
        )
        .await;
        assert_eq!((text(&first), first.last()), (text(&again), again.last()));
        assert_eq!(
            (world.asked(), shop.visitor.said(&begun).await.len()),
            (1, 2)
        );
        let (status, detail) =
            problem(shop.visitor.ask(&begun, "m1", "Something else").await).await;
        assert_eq!(status, 409);
        assert!(detail.contains("another message"), "{detail}");
        // The assistant's ids are no visitor's.
        let Some(Event::Done { id }) = first.last() else {
            panic!("not done")
        };
        let own = events(shop.visitor.ask(&begun, id.as_str(), "Opened tea?").await).await;
        assert_eq!(text(&own), "Opened tea stays yours.");
        shop.stop().await;
    });
}

#[test]
fn an_answer_is_finished_when_its_reader_has_gone() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        let begun = shop.visitor.empty().await;
        world.says(Broker::Stepwise(vec![
            delta("one "),
            delta("two"),
            DONE.into(),
        ]));
        let mut reply = shop.visitor.ask(&begun, "m1", "Hello?").await;
        let mut read = String::new();
        while !read.contains("one ") {
            read.push_str(
                std::str::from_utf8(reply.frame().await.unwrap().unwrap().data_ref().unwrap())
                    .unwrap(),
            );
        }
        assert!(matches!(parse(&read)[0], Event::Accepted { .. }));
        // The question is durable; the answer is not there before it is whole.
        assert_eq!(
            shop.visitor.said(&begun).await,
            [(Role::Visitor, "Hello?".to_owned())]
        );
        drop(reply);

        // Someone comes back with the same message while it is being answered: he reads along from the beginning.
        let again = shop.visitor.ask(&begun, "m1", "Hello?").await;
        world.step.notify_one();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        world.step.notify_one();
        let events = events(again).await;
        assert_eq!(text(&events), "one two");
        assert!(matches!(events.last(), Some(Event::Done { .. })));
        shop.settled().await;
        assert_eq!(
            shop.visitor.said(&begun).await[1],
            (Role::Assistant, "one two".to_owned())
        );
        assert_eq!(world.asked(), 1);

        // And with nobody reading at all.
        let reply = shop.visitor.ask(&begun, "m2", "Still there?").await;
        drop(reply);
        for _ in 0..2 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            world.step.notify_one();
        }
        shop.settled().await;
        assert_eq!(shop.visitor.said(&begun).await.len(), 4);
        shop.stop().await;
    });
}

#[test]
fn the_service_finishes_what_is_under_way_before_it_stops() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        let begun = shop.visitor.empty().await;
        world.says(Broker::Stepwise(vec![
            delta("one "),
            delta("two"),
            DONE.into(),
        ]));
        let reply = shop.visitor.ask(&begun, "m1", "Hello?").await;
        let stopping = tokio::spawn(shop.stop());
        for _ in 0..2 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            world.step.notify_one();
        }
        assert!(matches!(
            events(reply).await.last(),
            Some(Event::Done { .. })
        ));
        stopping.await.unwrap();
        let shop = world.serve("2");
        assert_eq!(shop.visitor.said(&begun).await.len(), 2);
        shop.stop().await;
    });
}

#[test]
fn a_provider_that_fails_lies_or_dies_loses_no_question() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        shop.teach().await;
        let failed = |kind: &str, retry: bool| {
            serde_json::json!({"failed": {"kind": kind, "retry": retry}}).to_string()
        };
        let cases = [
            (
                Broker::Lines(vec![delta("half"), failed("unavailable", true)]),
                true,
            ),
            (Broker::Lines(vec![failed("timeout", true)]), true),
            (Broker::Lines(vec![failed("refused", false)]), false),
            (
                Broker::Lines(vec![failed("unknown-provider", false)]),
                false,
            ),
            (Broker::Lines(vec!["this is no event".into()]), true),
            (
                Broker::Lines(vec![delta("half"), "{\"delta\":\"".into()]),
                true,
            ),
            (Broker::Lines(vec![delta("no end")]), true),
            (Broker::Lines(vec![DONE.into()]), true),
            (Broker::Lines(vec![delta(" \n"), DONE.into()]), true),
            (Broker::Lines(vec![delta(&"x".repeat(4000)); 20]), true),
            (Broker::Die(vec![delta("half")]), true),
            (Broker::Die(vec![]), true),
            (Broker::Refuse(StatusCode::SERVICE_UNAVAILABLE), true),
            (Broker::Refuse(StatusCode::BAD_REQUEST), false),
        ];
        for (broker, retry) in cases {
            let shown = format!("{broker:.60?}");
            world.says(broker);
            let (begun, events) = shop.visitor.begin("m1", "When do I get refunded?").await;
            assert!(matches!(events[0], Event::Accepted { .. }), "{shown}");
            let Some(Event::Error(trouble)) = events.last() else {
                panic!("{shown} gives {events:?}")
            };
            assert_eq!(trouble.retry, retry, "{shown}");
            assert!(
                trouble.detail.contains("Your question is saved"),
                "{shown} gives {trouble:?}"
            );
            assert!(
                !trouble.detail.contains("own words"),
                "{shown} gives {trouble:?}"
            );
            assert_eq!(
                shop.visitor.said(&begun).await,
                [(Role::Visitor, "When do I get refunded?".to_owned())]
            );
            // The same message again, once the provider is well.
            world.says(Broker::Quote);
            shop.settled().await;
            let again = world::events(
                shop.visitor
                    .ask(&begun, "m1", "When do I get refunded?")
                    .await,
            )
            .await;
            assert_eq!(text(&again), "Money comes back in five days.", "{shown}");
            assert_eq!(shop.visitor.said(&begun).await.len(), 2);
        }
        shop.stop().await;
    });
}

#[test]
fn a_provider_that_hangs_holds_up_nobody_else() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        shop.teach().await;
        let begun = shop.visitor.empty().await;
        world.says(Broker::Hang);
        let mut hanging = shop.visitor.ask(&begun, "m1", "Hello?").await;
        let first = hanging.frame().await.unwrap().unwrap();
        assert!(first.data_ref().unwrap().starts_with(b"event: accepted"));
        while world.asked() == 0 {
            tokio::task::yield_now().await;
        }
        world.says(Broker::Quote);
        let (_, events) = shop.visitor.begin("m1", "Refund?").await;
        assert!(matches!(events.last(), Some(Event::Done { .. })));
        let other = world::events(shop.visitor.ask(&begun, "m2", "Opened tea?").await).await;
        assert!(matches!(other.last(), Some(Event::Done { .. })));
        let said = shop.visitor.said(&begun).await;
        assert_eq!(said.len(), 3, "{said:?}");
        world.step.notify_one();
        let rest = whole(hanging).await;
        assert!(std::str::from_utf8(&rest).unwrap().contains("event: error"));
        shop.stop().await;
    });
}

#[test]
fn invented_sources_and_control_characters_do_not_pass() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        shop.teach().await;
        let sources = r#"{"done":{"outcome":"answered","sources":[{"passage":0,"quote":"in two days"},{"passage":99,"quote":"x"}]}}"#;
        world.says(Broker::Lines(vec![delta("a\u{1b}[2Jb"), sources.into()]));
        let (begun, events) = shop.visitor.begin("m1", "refund").await;
        assert_eq!(text(&events), "a[2Jb");
        let kept = &shop.visitor.messages(&begun).await[1];
        assert_eq!(kept.text, "a[2Jb");
        assert_eq!(
            kept.sources
                .iter()
                .map(|source| source.quote.as_str())
                .collect::<Vec<_>>(),
            [""]
        );
        shop.stop().await;
    });
}

#[test]
fn overload_is_bounded_and_says_when_to_come_back() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        let taken = shop
            .bot
            .places
            .clone()
            .acquire_many_owned(1024)
            .await
            .unwrap();
        let begun = shop.visitor.empty().await;
        let reply = shop.visitor.ask(&begun, "m1", "Hello?").await;
        assert_eq!(reply.headers()["retry-after"], "2");
        assert_eq!(problem(reply).await.0, 503);
        assert!(shop.visitor.said(&begun).await.is_empty());
        drop(taken);
        let events = events(shop.visitor.ask(&begun, "m1", "Hello?").await).await;
        assert!(matches!(events.last(), Some(Event::Done { .. })));
        shop.stop().await;
    });
}

#[test]
fn a_conversation_that_is_full_says_so() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        let begun = shop.visitor.empty().await;
        let first = events(shop.visitor.ask(&begun, "m0", "Hello?").await).await;
        let conversation = ConversationId::parse(&begun.conversation).unwrap();
        let stored = (1..MESSAGES_MAX / 2).map(|number| {
            let (conversations, id) = (
                shop.bot.conversations.clone(),
                format!("m{number}").try_into().unwrap(),
            );
            let question = MessageRecord {
                id,
                text: "Hello?".into(),
                sources: Vec::new(),
                at: 0,
            };
            tokio::spawn(
                async move { conversations.ask(conversation, 1, &question).await.unwrap() },
            )
        });
        for stored in stored.collect::<Vec<_>>() {
            stored.await.unwrap();
        }
        let (status, detail) = problem(shop.visitor.ask(&begun, "more", "Hello?").await).await;
        assert_eq!(status, 409);
        assert!(detail.contains("begin a new one"), "{detail}");
        shop.settled().await;
        let replayed = events(shop.visitor.ask(&begun, "m0", "Hello?").await).await;
        assert_eq!(replayed.last(), first.last());
        shop.stop().await;
    });
}

#[test]
fn many_ask_at_once() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        shop.teach().await;
        let turns = (0..200).map(|_| {
            let visitor = shop.visitor.clone();
            tokio::spawn(async move {
                let (begun, events) = visitor.begin("m1", "When do I get refunded?").await;
                assert_eq!(text(&events), "Money comes back in five days.");
                assert_eq!(visitor.said(&begun).await.len(), 2);
            })
        });
        for turn in turns.collect::<Vec<_>>() {
            turn.await.unwrap();
        }
        let reply = shop.visitor.send(Method::GET, "/healthz", None, "").await;
        assert_eq!(whole(reply).await, "ok");
        shop.stop().await;
    });
}
