//! Sessions over a WebSocket, through the real routers, over Unix sockets.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use std::time::Duration;

use chat_api::socket::{Refusal, Told};
use chat_api::visitor::{Begun, Conversation, Event, Role};
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Method, Request, StatusCode};
use ipc::{Switch, Upgraded};
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role as Side;
use world::{Broker, Serving, World, problem, text};

const DONE: &str = r#"{"done":{"outcome":"answered","sources":[]}}"#;

/// How long nothing must come for it to count as nothing.
const QUIET: Duration = Duration::from_millis(100);

fn delta(text: &str) -> String {
    json!({ "delta": text }).to_string()
}

fn handshake(path: &str, more: &[(&str, &str)]) -> Request<ipc::Body> {
    let mut request = Request::builder()
        .method(Method::GET)
        .uri(path)
        .header("host", "chat.example")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    request.body(ipc::empty()).unwrap()
}

/// A visitor's side of a WebSocket.
struct Socket(WebSocketStream<Upgraded>);

async fn open_with(shop: &Serving, path: &str, more: &[(&str, &str)]) -> Socket {
    match shop.visitor.0.switch(handshake(path, more)).await.unwrap() {
        Switch::Done(head, bytes) => {
            let accept = &head.headers["sec-websocket-accept"];
            assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
            Socket(WebSocketStream::from_raw_socket(bytes, Side::Client, None).await)
        }
        Switch::Refused(reply) => panic!("refused with {}", reply.status()),
    }
}

async fn open(shop: &Serving) -> Socket {
    open_with(shop, "/v1/socket", &[]).await
}

async fn refused(shop: &Serving, request: Request<ipc::Body>) -> (u16, String) {
    match shop.visitor.0.switch(request).await.unwrap() {
        Switch::Done(..) => panic!("not refused"),
        Switch::Refused(reply) => problem(reply).await,
    }
}

impl Socket {
    async fn say(&mut self, what: Value) {
        self.0.send(Message::text(what.to_string())).await.unwrap();
    }

    async fn told(&mut self) -> Told {
        match self.0.next().await.unwrap().unwrap() {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    async fn event(&mut self, about: &str) -> Event {
        let told = self.told().await;
        assert_eq!(told.about.as_ref().unwrap().as_str(), about);
        Event::parse(&told.event, told.data.get()).unwrap()
    }

    /// The events of an answer, to its end.
    async fn answer(&mut self, about: &str) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            events.push(self.event(about).await);
            if events.last().unwrap().is_end() {
                return events;
            }
        }
    }

    async fn begin(&mut self, id: &str, text: &str) -> (Begun, Vec<Event>) {
        self.say(json!({"type": "begin", "id": id, "text": text}))
            .await;
        let mut events = self.answer(id).await;
        match events.remove(0) {
            Event::Conversation(begun) => (begun, events),
            other => panic!("{other:?} where a conversation begins"),
        }
    }

    async fn reopen(&mut self, begun: &Begun) -> Conversation {
        let Begun {
            conversation,
            token,
        } = begun;
        self.say(json!({"type": "open", "conversation": conversation, "token": token}))
            .await;
        let told = self.told().await;
        assert_eq!((&*told.event, &told.about), ("opened", &None), "{told:?}");
        serde_json::from_str(told.data.get()).unwrap()
    }

    async fn refusal(&mut self) -> (Option<String>, Refusal) {
        let told = self.told().await;
        assert_eq!(told.event, "refused", "{told:?}");
        let about = told.about.map(|id| id.as_str().to_owned());
        (about, serde_json::from_str(told.data.get()).unwrap())
    }

    /// The code that it is closed with.
    async fn closed(&mut self) -> u16 {
        match self.0.next().await.unwrap().unwrap() {
            Message::Close(Some(frame)) => frame.code.into(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_whole_session_goes_over_one_connection_with_the_events_of_http() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        shop.teach().await;
        let mut socket = open(&shop).await;
        let (begun, events) = socket.begin("m1", "When do I get refunded?").await;
        assert_eq!(text(&events), "Money comes back in five days.");
        assert!(matches!(&events[0], Event::Accepted { id } if id.as_str() == "m1"));
        socket
            .say(json!({"type": "ask", "id": "m2", "text": "And opened tea?"}))
            .await;
        let second = socket.answer("m2").await;
        assert_eq!(text(&second), "Opened tea stays yours.");
        assert_eq!(shop.visitor.said(&begun).await.len(), 4);

        // Over HTTP the same question has the very same answer.
        let reply = shop.visitor.ask(&begun, "m2", "And opened tea?").await;
        let over_http = world::events(reply).await;
        assert_eq!(text(&over_http), text(&second));
        assert_eq!(over_http.last(), second.last());
        shop.stop().await;
    });
}

#[test]
fn whoever_comes_back_opens_his_conversation_and_goes_on() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        world.says(Broker::Stepwise(vec![
            delta("One, "),
            delta("two."),
            DONE.into(),
        ]));
        let mut socket = open(&shop).await;
        socket
            .say(json!({"type": "begin", "id": "m1", "text": "Count."}))
            .await;
        let Event::Conversation(begun) = socket.event("m1").await else {
            panic!("no conversation")
        };
        assert!(matches!(socket.event("m1").await, Event::Accepted { .. }));
        assert!(matches!(socket.event("m1").await, Event::Delta { .. }));
        drop(socket);

        // While the answer is under way it is read along with from its beginning.
        let named = format!("/v1/socket?conversation={}", begun.conversation);
        let mut socket = open_with(&shop, &named, &[]).await;
        let said = socket.reopen(&begun).await;
        assert_eq!(said.messages.len(), 1);
        let ask = json!({"type": "ask", "id": "m1", "text": "Count."});
        socket.say(ask.clone()).await;
        assert_eq!(socket.event("m1").await, Event::Conversation(begun.clone()));
        assert!(matches!(socket.event("m1").await, Event::Accepted { .. }));
        world.step.notify_one();
        tokio::time::sleep(QUIET).await;
        world.step.notify_one();
        assert_eq!(text(&socket.answer("m1").await), "One, two.");
        drop(socket);

        // And when it is whole it is said again; the question is asked once.
        let mut socket = open(&shop).await;
        let said = socket.reopen(&begun).await;
        assert_eq!(said.messages[1].role, Role::Assistant);
        socket.say(ask).await;
        assert_eq!(text(&socket.answer("m1").await), "One, two.");
        assert_eq!(world.asked(), 1);
        shop.stop().await;
    });
}

#[test]
fn what_is_refused_is_told_and_the_connection_goes_on() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        let mut socket = open(&shop).await;
        for (said, status) in [
            (json!({}), 400),
            (json!({"type": "shout", "id": "m1", "text": "a"}), 400),
            (json!({"type": "ask", "id": "no id!", "text": "a"}), 400),
            (
                json!({"type": "open", "conversation": "x", "token": "y"}),
                404,
            ),
            (
                json!({"type": "open", "conversation": "0".repeat(32), "token": "0".repeat(64)}),
                404,
            ),
        ] {
            socket.say(said).await;
            let (about, refusal) = socket.refusal().await;
            assert_eq!((about, refusal.status), (None, status));
            assert!(!refusal.retry && !refusal.detail.is_empty());
        }
        for (said, status) in [
            (
                json!({"type": "ask", "id": "m1", "text": "Nothing is open."}),
                404,
            ),
            (json!({"type": "begin", "id": "m1", "text": " "}), 422),
            (
                json!({"type": "begin", "id": "m1", "text": "a".repeat(8193)}),
                413,
            ),
        ] {
            socket.say(said).await;
            let (about, refusal) = socket.refusal().await;
            assert_eq!((about.as_deref(), refusal.status), (Some("m1"), status));
        }
        socket.0.send(Message::binary(vec![1, 2])).await.unwrap();
        assert_eq!(socket.refusal().await.1.status, 415);
        assert_eq!(world.asked(), 0);
        let (begun, _) = socket.begin("m1", "Hello?").await;
        socket
            .say(json!({"type": "ask", "id": "m1", "text": "Another text."}))
            .await;
        assert_eq!(socket.refusal().await.1.status, 409);
        assert_eq!(shop.visitor.said(&begun).await.len(), 2);
        shop.stop().await;
    });
}

#[test]
fn one_answer_is_under_way_at_a_time() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        world.says(Broker::Stepwise(vec![delta("One."), DONE.into()]));
        let mut socket = open(&shop).await;
        socket
            .say(json!({"type": "begin", "id": "m1", "text": "Count."}))
            .await;
        for _ in 0..3 {
            socket.event("m1").await;
        }
        for said in [
            json!({"type": "ask", "id": "m2", "text": "More."}),
            json!({"type": "begin", "id": "m2", "text": "More."}),
        ] {
            socket.say(said).await;
            let (about, refusal) = socket.refusal().await;
            assert_eq!((about.as_deref(), refusal.status), (Some("m2"), 409));
            assert!(refusal.retry);
        }
        world.step.notify_one();
        assert!(socket.answer("m1").await.last().unwrap().is_end());
        world.says(Broker::Quote);
        socket
            .say(json!({"type": "ask", "id": "m2", "text": "More."}))
            .await;
        assert_eq!(text(&socket.answer("m2").await), "I do not know.");
        shop.stop().await;
    });
}

#[test]
fn an_answer_that_fails_is_an_event_as_over_http() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        world.says(Broker::Refuse(StatusCode::SERVICE_UNAVAILABLE));
        let mut socket = open(&shop).await;
        let (begun, events) = socket.begin("m1", "Hello?").await;
        assert!(matches!(events.last(), Some(Event::Error(_))));
        // The same message again is answered.
        world.says(Broker::Quote);
        socket
            .say(json!({"type": "ask", "id": "m1", "text": "Hello?"}))
            .await;
        assert_eq!(text(&socket.answer("m1").await), "I do not know.");
        assert_eq!(shop.visitor.said(&begun).await.len(), 2);
        shop.stop().await;
    });
}

#[test]
fn strange_pages_and_wrong_handshakes_get_no_websocket() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        for origin in ["https://shop.example", "https://chat.example"] {
            open_with(&shop, "/v1/socket", &[("origin", origin)]).await;
        }
        for origin in ["https://evil.example", "null", "http://chat.example"] {
            let request = handshake("/v1/socket", &[("origin", origin)]);
            assert_eq!(refused(&shop, request).await.0, 403);
        }
        let unknown = format!("/v1/socket?conversation={}", "0".repeat(32));
        assert_eq!(refused(&shop, handshake(&unknown, &[])).await.0, 404);
        let reply = shop.visitor.get("/v1/socket").await;
        assert_eq!(reply.headers()["sec-websocket-version"], "13");
        assert_eq!(problem(reply).await.0, 426);
        let reply = shop
            .visitor
            .send(Method::POST, "/v1/socket", None, "{}")
            .await;
        assert_eq!(problem(reply).await.0, 405);
        shop.stop().await;
    });
}

#[test]
fn the_caller_may_choose_the_first_conversations_id() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        let id = "0123456789abcdef0123456789abcdef";
        let mut socket = open_with(&shop, "/v1/socket", &[("casemate-conversation", id)]).await;
        assert_eq!(socket.begin("m1", "Hello?").await.0.conversation, id);
        assert_ne!(socket.begin("m1", "Hello?").await.0.conversation, id);
        shop.stop().await;
    });
}

#[test]
fn what_is_too_long_or_no_text_closes_the_connection_with_its_code() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        let mut socket = open(&shop).await;
        socket
            .0
            .send(Message::text("a".repeat(64 * 1024 + 1)))
            .await
            .unwrap();
        assert_eq!(socket.closed().await, 1009);
        let mut socket = open(&shop).await;
        let text = tokio_tungstenite::tungstenite::protocol::frame::Frame::message(
            vec![0xff, 0xfe],
            tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode::Data(
                tokio_tungstenite::tungstenite::protocol::frame::coding::Data::Text,
            ),
            true,
        );
        socket.0.send(Message::Frame(text)).await.unwrap();
        assert_eq!(socket.closed().await, 1007);
        shop.stop().await;
    });
}

#[test]
fn when_the_service_stops_an_answer_is_finished_and_visitors_are_told_to_come_again() {
    testkit::confined(|confined| async move {
        let world = World::new(confined);
        let shop = world.serve("1");
        world.says(Broker::Stepwise(vec![delta("One."), DONE.into()]));
        let (mut quiet, mut busy) = (open(&shop).await, open(&shop).await);
        busy.say(json!({"type": "begin", "id": "m1", "text": "Count."}))
            .await;
        for _ in 0..3 {
            busy.event("m1").await;
        }
        let listen = async {
            assert_eq!(quiet.closed().await, 1012);
            world.step.notify_one();
            assert!(busy.answer("m1").await.last().unwrap().is_end());
            assert_eq!(busy.closed().await, 1012);
            assert!(busy.0.next().await.is_none() && quiet.0.next().await.is_none());
        };
        tokio::join!(shop.stop(), listen);
    });
}
