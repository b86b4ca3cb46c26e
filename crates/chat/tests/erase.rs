//! A conversation is erased: by its visitor, and by the operator.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use chat_api::operator::Error;
use chat_api::visitor::{Begun, Event};
use http::{Method, StatusCode};
use world::{Broker, Visitor, World, events, problem, whole};

async fn delete(visitor: &Visitor, conversation: &str, token: Option<&str>) -> StatusCode {
    let path = format!("/v1/conversations/{conversation}");
    let reply = visitor.send(Method::DELETE, &path, token, "").await;
    let status = reply.status();
    if status == StatusCode::NO_CONTENT {
        assert!(whole(reply).await.is_empty());
    } else {
        assert_eq!(problem(reply).await.0, status.as_u16());
    }
    status
}

async fn gone(visitor: &Visitor, begun: &Begun) -> bool {
    let path = format!("/v1/conversations/{}", begun.conversation);
    let reply = visitor
        .send(Method::GET, &path, Some(&begun.token), "")
        .await;
    reply.status() == StatusCode::NOT_FOUND
}

#[test]
fn a_visitor_erases_a_conversation_and_an_old_copy_does_not_bring_it_back() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let data = world.folder.path().join("chat.redb");
        let shop = world.serve("1");
        let (first, _) = shop.visitor.begin("m1", "I live in Canary Lane 7.").await;
        let (second, _) = shop.visitor.begin("m1", "Do you ship to Rome?").await;
        shop.stop().await;
        let old = std::fs::read(&data).unwrap();

        let shop = world.serve("2");
        for token in [None, Some("x"), Some(second.token.as_str())] {
            let status = delete(&shop.visitor, &first.conversation, token).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{token:?}");
        }
        assert_eq!(shop.visitor.said(&first).await.len(), 2);
        let token = Some(first.token.as_str());
        let status = delete(&shop.visitor, &first.conversation, token).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        assert!(gone(&shop.visitor, &first).await);
        let status = delete(&shop.visitor, &first.conversation, token).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        let reply = shop.visitor.ask(&first, "m2", "Hello?").await;
        assert_eq!(problem(reply).await.0, 404);
        let status = shop.operator.status().await.unwrap();
        assert_eq!((status.conversations, status.messages), (1, 2));
        shop.stop().await;

        std::fs::write(&data, old).unwrap();
        let shop = world.serve("3");
        assert!(gone(&shop.visitor, &first).await);
        assert_eq!(shop.visitor.said(&second).await.len(), 2);
        shop.stop().await;
    });
}

#[test]
fn an_answer_to_an_erased_conversation_is_not_kept() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        let begun = shop.visitor.empty().await;
        world.says(Broker::Stepwise(vec![
            r#"{"delta":"one "}"#.to_owned(),
            r#"{"done":{"outcome":"answered","sources":[]}}"#.to_owned(),
        ]));
        let reply = shop.visitor.ask(&begun, "m1", "Hello?").await;
        let token = Some(begun.token.as_str());
        let status = delete(&shop.visitor, &begun.conversation, token).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        world.step.notify_one();
        let events = events(reply).await;
        let Some(Event::Error(trouble)) = events.last() else {
            panic!("{events:?}")
        };
        assert!(trouble.title.contains("deleted") && !trouble.retry);
        let status = shop.operator.status().await.unwrap();
        assert_eq!((status.conversations, status.messages), (0, 0));
        shop.stop().await;
    });
}

#[test]
fn the_operator_erases_a_conversation_by_its_id() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        let (begun, _) = shop.visitor.begin("m1", "Hello?").await;
        let erase = async |id: &str| shop.operator.erase_conversation(id).await;
        for unknown in ["a", "a/b c", &"0".repeat(32)] {
            let Err(Error::Refused { status, detail }) = erase(unknown).await else {
                panic!("{unknown} was erased")
            };
            assert_eq!(status, StatusCode::NOT_FOUND);
            assert!(detail.contains("no conversation of that id"), "{detail}");
        }
        erase(&begun.conversation).await.unwrap();
        assert!(gone(&shop.visitor, &begun).await);
        shop.stop().await;
    });
}
