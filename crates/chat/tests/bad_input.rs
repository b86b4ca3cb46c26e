//! What is wrong gets a clear error, and loses nothing.

#![expect(clippy::unwrap_used, reason = "tests")]

mod world;

use chat_api::visitor::Begun;
use chat_api::{FORGED_HEADER, MediaType, operator};
use http::{Method, StatusCode};
use world::{World, problem, whole};

#[test]
fn a_question_that_cannot_be_taken_says_why() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        let begun = shop.visitor.empty().await;
        let path = format!("/v1/conversations/{}/messages", begun.conversation);
        let long = format!(r#"{{"id":"m1","text":"{}"}}"#, "x".repeat(1024 * 1024));
        let longish = format!(r#"{{"id":"m1","text":"{}"}}"#, "x".repeat(8193));
        let cases: [(&[u8], u16, &str); 12] = [
            (long.as_bytes(), 413, "longer than 65536 bytes"),
            (longish.as_bytes(), 413, "8193 bytes; the most is 8192"),
            (b"{\"id\":\"m1\",\"text\":\"\xff\xfe\"}", 400, "not UTF-8"),
            (br#"{"id":"m1","text":"\ud800"}"#, 400, "not understood"),
            (br#"{"id":"m1","text":" \r\n\u0000 "}"#, 422, "empty"),
            (br#"{"id":"m1","text":""}"#, 422, "empty"),
            (br#"{"id":"m 1","text":"x"}"#, 400, "1 to 64 letters"),
            (br#"{"id":"m1"}"#, 400, "missing field `text`"),
            (br#"{"id":"m1","text":7}"#, 400, "invalid type"),
            (
                br#"{"id":"m1","text":"x","more":1}"#,
                400,
                "unknown field `more`",
            ),
            (b"{", 400, "EOF"),
            (b"", 400, "EOF"),
        ];
        for (body, expected, words) in cases {
            let reply = shop
                .visitor
                .send(Method::POST, &path, Some(&begun.token), body.to_vec())
                .await;
            let (status, detail) = problem(reply).await;
            assert_eq!(status, expected, "{detail}");
            assert!(detail.contains(words), "{detail}");
            let reply = shop
                .visitor
                .send(Method::POST, "/v1/conversations", None, body.to_vec())
                .await;
            assert_eq!(problem(reply).await.0, expected);
        }
        let (status, detail) = problem(
            shop.visitor
                .send(Method::POST, "/v1/conversations", None, r#"{"id":"m1"}"#)
                .await,
        )
        .await;
        assert_eq!(status, 400);
        assert!(detail.contains("must be {} or have"), "{detail}");
        assert_eq!(shop.visitor.said(&begun).await, []);
        assert_eq!(shop.operator.status().await.unwrap().conversations, 1);
        assert_eq!(world.asked(), 0);
        shop.stop().await;
    });
}

#[test]
fn a_body_of_another_kind_is_refused() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        for value in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json5",
        ] {
            let request = http::Request::post("/v1/conversations").header("content-type", value);
            let reply = shop
                .visitor
                .0
                .send(request.body(ipc::full("{}")).unwrap())
                .await
                .unwrap();
            assert_eq!(problem(reply).await.0, 415);
        }
        let request = http::Request::post("/v1/conversations")
            .header("content-type", "Application/JSON; charset=utf-8");
        let reply = shop
            .visitor
            .0
            .send(request.body(ipc::full("{}")).unwrap())
            .await
            .unwrap();
        assert_eq!(reply.status(), StatusCode::CREATED);
        shop.stop().await;
    });
}

#[test]
fn a_wrong_token_is_told_what_an_unknown_conversation_is() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        let (mine, _) = shop.visitor.begin("m1", "My secret").await;
        let (theirs, _) = shop.visitor.begin("m1", "Their secret").await;
        let mut told = Vec::new();
        for (conversation, token) in [
            (mine.conversation.as_str(), theirs.token.as_str()),
            (mine.conversation.as_str(), ""),
            (mine.conversation.as_str(), "x"),
            (&"0".repeat(32), mine.token.as_str()),
            ("x", mine.token.as_str()),
            ("..%2f", mine.token.as_str()),
        ] {
            let begun = Begun {
                conversation: conversation.to_owned(),
                token: token.to_owned(),
            };
            let path = format!("/v1/conversations/{conversation}");
            let reply = shop.visitor.send(Method::GET, &path, Some(token), "");
            let reply = reply.await;
            // The gate is told of a token that was made for another, and takes this away.
            let is_forged = conversation == mine.conversation && token == theirs.token;
            assert_eq!(reply.headers().contains_key(FORGED_HEADER), is_forged);
            told.push(problem(reply).await);
            told.push(problem(shop.visitor.ask(&begun, "m2", "Hello?").await).await);
        }
        let path = format!("/v1/conversations/{}", mine.conversation);
        told.push(problem(shop.visitor.get(&path).await).await);
        let same = (
            404,
            "There is no such conversation, or the token is not its own.".to_owned(),
        );
        assert!(told.iter().all(|told| *told == same), "{told:?}");
        assert_eq!(shop.visitor.said(&mine).await[0].1, "My secret");
        shop.stop().await;
    });
}

#[test]
fn paths_and_methods_are_told_apart() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        for path in [
            "/v1/",
            "/v1/other",
            "/v1/bot/x",
            "/v1/conversations/a/b",
            "/v1/conversations/a/messages/c",
            "/x",
            "/v2/bot",
        ] {
            assert_eq!(problem(shop.visitor.get(path).await).await.0, 404, "{path}");
        }
        for (method, path, allowed) in [
            (Method::POST, "/v1/bot", "GET"),
            (Method::DELETE, "/v1/conversations", "POST"),
            (Method::PUT, "/v1/conversations/a", "GET, DELETE"),
            (Method::GET, "/v1/conversations/a/messages", "POST"),
            (Method::POST, "/frame", "GET, HEAD"),
        ] {
            let reply = shop.visitor.send(method, path, None, "").await;
            assert_eq!(reply.headers()["allow"], allowed, "{path}");
            assert_eq!(problem(reply).await.0, 405);
        }
        let bot: serde_json::Value =
            serde_json::from_slice(&whole(shop.visitor.get("/v1/bot").await).await).unwrap();
        assert_eq!(
            bot,
            serde_json::json!({"name": "shop", "title": "Shop", "greeting": "Hello!", "suggestions": ["When?"], "language": "en"})
        );
        for path in [
            "/",
            "/frame",
            "/frame.js",
            "/forget.js",
            "/strings.js",
            "/frame.css",
            "/widget.js",
            "/shop.css",
        ] {
            let reply = shop.visitor.get(path).await;
            assert_eq!(reply.status(), StatusCode::OK, "{path}");
            assert!(
                reply.headers()["content-security-policy"]
                    .to_str()
                    .unwrap()
                    .starts_with("default-src 'none'")
            );
            assert!(!whole(reply).await.is_empty());
        }
        // The operators' calls are not on the visitors' socket.
        assert_eq!(problem(shop.visitor.get("/v1/status").await).await.0, 404);
        assert_eq!(
            problem(shop.visitor.get("/v1/documents").await).await.0,
            404
        );
        shop.stop().await;
    });
}

#[test]
fn documents_come_and_go_and_what_cannot_be_read_changes_nothing() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        shop.teach().await;
        let name = "a/Über uns.html".parse().unwrap();
        let html = "<title>About us</title><p>We are Ada and Bo.<script>x</script>";
        let put = shop
            .operator
            .put_document(&name, MediaType::Html, html)
            .await
            .unwrap();
        assert_eq!(
            (put.title.as_str(), put.chunks, put.bytes),
            ("About us", 1, html.len() as u64)
        );
        let before = shop.operator.list_documents().await.unwrap();
        assert_eq!(before.len(), 2);

        for content in [&b"\xff\xfe"[..], b"a\0b", b"", b"  \n"] {
            for media_type in [MediaType::Markdown, MediaType::Text, MediaType::Html] {
                let refused = shop
                    .operator
                    .put_document(&name, media_type, content)
                    .await
                    .unwrap_err();
                assert!(
                    matches!(&refused, operator::Error::Refused { status, detail }
                        if status.as_u16() == 422 && detail.contains("unchanged")),
                    "{refused:?}"
                );
            }
        }
        let large = vec![b'x'; chat_api::limits::DOCUMENT_BYTES + 1];
        let refused = shop
            .operator
            .put_document(&name, MediaType::Text, large)
            .await
            .unwrap_err();
        assert!(
            matches!(&refused, operator::Error::Refused { status, .. } if status.as_u16() == 413),
            "{refused:?}"
        );
        assert_eq!(shop.operator.list_documents().await.unwrap(), before);

        let (_, events) = shop.visitor.begin("m1", "Who is Ada?").await;
        assert_eq!(world::text(&events), "We are Ada and Bo.");
        shop.stop().await;
        let shop = world.serve("2");
        assert_eq!(shop.operator.list_documents().await.unwrap(), before);
        shop.operator.delete_document(&name).await.unwrap();
        let refused = shop.operator.delete_document(&name).await.unwrap_err();
        assert!(
            matches!(&refused, operator::Error::Refused { status, .. } if status.as_u16() == 404),
            "{refused:?}"
        );
        let (_, events) = shop.visitor.begin("m1", "Who is Ada?").await;
        assert_eq!(world::text(&events), "I do not know.");
        shop.stop().await;
    });
}

#[test]
fn the_store_holds_no_text_in_the_clear() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        let name = "canary.md".parse().unwrap();
        shop.operator
            .put_document(&name, MediaType::Markdown, "The document's CANARY-A.")
            .await
            .unwrap();
        let (begun, _) = shop.visitor.begin("m1", "The visitor's CANARY-B").await;
        shop.stop().await;
        let bytes = std::fs::read(world.folder.path().join("chat.redb")).unwrap();
        for word in [
            "CANARY",
            "canary.md",
            &begun.token,
            &begun.conversation,
            "visitor",
        ] {
            assert!(
                !bytes
                    .windows(word.len())
                    .any(|window| window == word.as_bytes()),
                "{word}"
            );
        }
    });
}
