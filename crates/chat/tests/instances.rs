//! What instances of a bot share, and what the gate tells them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use chat_api::visitor::Event;
use chat_api::{CONVERSATION_HEADER, ConversationId, Difference, MediaType};
use http::StatusCode;
use ipc::Incoming;
use world::{Broker, Visitor, World, events, problem, whole};

/// Begins a conversation as the gate has it begun, under these ids.
async fn begin(visitor: &Visitor, ids: &[&str], body: &'static str) -> http::Response<Incoming> {
    let mut request =
        http::Request::post("/v1/conversations").header("content-type", "application/json");
    for id in ids {
        request = request.header(CONVERSATION_HEADER, *id);
    }
    visitor
        .0
        .send(request.body(ipc::full(body)).unwrap())
        .await
        .unwrap()
}

#[test]
fn a_conversation_has_the_id_that_the_gate_gave_it() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        let id = ConversationId::begin(1_790_000_000_000, [7; 10]).to_string();
        let reply = begin(&shop.visitor, &[&id], r#"{"id":"m1","text":"Hello?"}"#).await;
        assert_eq!(reply.status(), StatusCode::OK);
        let Event::Conversation(begun) = events(reply).await.remove(0) else {
            panic!("no conversation begins")
        };
        assert_eq!(begun.conversation, id);
        let before = shop.visitor.messages(&begun).await;
        assert_eq!(before.len(), 2);

        // Whoever gives the same id gets nothing of the conversation, and changes nothing in it.
        for body in [
            r#"{"id":"m1","text":"Hello?"}"#,
            r#"{"id":"m2","text":"Mine."}"#,
            "{}",
        ] {
            let (status, detail) = problem(begin(&shop.visitor, &[&id], body).await).await;
            assert_eq!(status, 409, "{detail}");
        }
        assert_eq!(shop.visitor.messages(&begun).await, before);

        let empty = ConversationId::begin(1_790_000_000_000, [8; 10]).to_string();
        let reply = begin(&shop.visitor, &[&empty], "{}").await;
        assert_eq!(reply.status(), StatusCode::CREATED);
        let told: serde_json::Value = serde_json::from_slice(&whole(reply).await).unwrap();
        assert_eq!(told["conversation"], empty);
        assert_eq!(shop.operator.status().await.unwrap().conversations, 2);
        shop.stop().await;
    });
}

#[test]
fn an_id_that_is_none_begins_nothing() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        let id = "0".repeat(32);
        let upper = "A".repeat(32);
        for ids in [&["shop"][..], &[""], &[&upper], &[&id[1..]], &[&id, &id]] {
            let (status, detail) = problem(begin(&shop.visitor, ids, "{}").await).await;
            assert_eq!(status, 400, "{ids:?}: {detail}");
        }
        assert_eq!(shop.operator.status().await.unwrap().conversations, 0);
        shop.stop().await;
    });
}

#[test]
fn nobody_reads_along_where_another_s_conversation_begins() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        world.says(Broker::Hang);
        let id = ConversationId::begin(1_790_000_000_000, [7; 10]).to_string();
        let body = r#"{"id":"m1","text":"Hello?"}"#;
        let first = begin(&shop.visitor, &[&id], body).await;
        assert_eq!(first.status(), StatusCode::OK);
        // It is being answered, and its first event is the token.
        let (status, _) = problem(begin(&shop.visitor, &[&id], body).await).await;
        assert_eq!(status, 409);
        world.step.notify_waiters();
        drop(first);
        shop.settled().await;
        shop.stop().await;
    });
}

#[test]
fn a_further_instance_lets_visitors_in_once_it_has_the_documents() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let (first, second) = (world.serve("1"), world.serve_as("shop.2", "2"));
        first.teach().await;
        let of = |serving: &world::Serving| serving.operator.clone();
        let status = of(&second).status().await.unwrap();
        assert_eq!(
            (status.bot.as_str(), status.instance.to_string().as_str()),
            ("shop", "shop.2")
        );
        assert!(!status.open && of(&first).status().await.unwrap().open);
        assert_ne!(
            status.knowledge,
            of(&first).status().await.unwrap().knowledge
        );

        let waiting = tokio::spawn({
            let visitor = second.visitor.clone();
            async move { visitor.begin("m1", "When do I get refunded?").await }
        });
        let wanted = of(&first).list_documents().await.unwrap();
        let difference = Difference::of(&of(&second).list_documents().await.unwrap(), &wanted);
        let (media_type, content) = of(&first).get_document(&difference.put[0]).await.unwrap();
        assert_eq!(media_type, MediaType::Markdown);
        let put = of(&second)
            .put_document(&difference.put[0], media_type, content)
            .await
            .unwrap();
        assert_eq!(put.digest, wanted[0].digest);
        assert!(!waiting.is_finished());
        of(&second).open().await.unwrap();
        let (_, events) = waiting.await.unwrap();
        assert_eq!(world::text(&events), "Money comes back in five days.");
        let statuses = (
            of(&first).status().await.unwrap(),
            of(&second).status().await.unwrap(),
        );
        assert_eq!(statuses.0.knowledge, statuses.1.knowledge);
        assert_eq!((statuses.0.conversations, statuses.1.conversations), (0, 1));

        // The same text as another type is another document.
        let put = of(&second)
            .put_document(&difference.put[0], MediaType::Text, "x")
            .await
            .unwrap();
        let again = of(&second)
            .put_document(&difference.put[0], MediaType::Markdown, "x")
            .await
            .unwrap();
        assert_ne!(put.digest, again.digest);
        let absent = of(&second)
            .get_document(&"none.md".parse().unwrap())
            .await
            .unwrap_err();
        assert!(absent.is_not_found());
        first.stop().await;
        second.stop().await;
    });
}

#[test]
fn an_instance_that_waits_stops_when_it_is_told_to() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let second = world.serve_as("shop.2", "2");
        assert!(!second.operator.status().await.unwrap().open);
        second.stop().await;
    });
}
