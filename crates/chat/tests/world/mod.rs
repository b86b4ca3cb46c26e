//! A bot that really serves, a stand-in for the provider broker, and a visitor.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![expect(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use chat::bot::Bot;
use chat_api::visitor::{Begun, Conversation, Event, Message, Role};
use chat_api::{BotFile, operator};
use http::{Method, StatusCode, header};
use http_body_util::BodyExt as _;
use ipc::{Incoming, Limits};
use sandbox::Confined;
use serde_json::{Value, json};
use store::{Options, Store};
use testkit::Folder;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What the stand-in for the broker does with the next questions.
#[derive(Debug, Clone)]
pub enum Broker {
    /// Quotes the first passage.
    Quote,
    /// Sends these lines and ends.
    Lines(Vec<String>),
    /// Sends the first line, and each next one once it is let.
    Stepwise(Vec<String>),
    /// Sends these lines and breaks the connection.
    Die(Vec<String>),
    /// Takes the question and says nothing.
    Hang,
    /// Refuses with this status.
    Refuse(StatusCode),
}

/// Everything, in a folder of its own.
pub struct World {
    pub folder: Folder,
    pub confined: Confined,
    pub file: BotFile,
    pub broker: Arc<Mutex<Broker>>,
    pub asked: Arc<Mutex<Vec<Value>>>,
    pub step: Arc<Notify>,
    llm: PathBuf,
}

/// A bot that serves.
pub struct Serving {
    pub bot: Arc<Bot>,
    pub visitor: Visitor,
    pub operator: operator::Client,
    drain: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl World {
    pub fn new(confined: Confined) -> Self {
        let folder = Folder::new();
        let (llm, listener) = folder.listen("llm.sock");
        let world = Self {
            folder,
            confined,
            file: BotFile::parse("title = 'Shop'\ngreeting = 'Hello!'\nsuggestions = ['When?']\norigins = ['https://shop.example']\npreview = true").unwrap(),
            broker: Arc::new(Mutex::new(Broker::Quote)),
            asked: Arc::default(),
            step: Arc::default(),
            llm,
        };
        let (broker, asked, step) = (
            Arc::clone(&world.broker),
            Arc::clone(&world.asked),
            Arc::clone(&world.step),
        );
        let confined = world.confined.clone();
        tokio::spawn(async move {
            ipc::serve(
                &confined,
                listener,
                Limits::default(),
                CancellationToken::new(),
                move |_, request| {
                    answer(
                        Arc::clone(&broker),
                        Arc::clone(&asked),
                        Arc::clone(&step),
                        request,
                    )
                },
            )
            .await;
        });
        world
    }

    pub fn serve(&self, run: &str) -> Serving {
        self.serve_as("shop", run)
    }

    /// Serves an instance of the bot, which has a store of its own.
    pub fn serve_as(&self, instance: &str, run: &str) -> Serving {
        let store = if instance == "shop" {
            "chat.redb".to_owned()
        } else {
            format!("{instance}.redb")
        };
        let key = secret::Key::new([7; secret::KEY_BYTES]);
        let store = Store::open(&self.folder.path().join(store), &key, Options::default()).unwrap();
        let llm = llm_api::Client::new(&self.llm);
        let bot =
            Arc::new(Bot::open(instance.parse().unwrap(), self.file.clone(), store, llm).unwrap());
        let (visitors, for_visitors) = self.folder.listen(&format!("visitors-{run}.sock"));
        let (operators, for_operators) = self.folder.listen(&format!("operators-{run}.sock"));
        let drain = CancellationToken::new();
        let (confined, served, until) = (self.confined.clone(), Arc::clone(&bot), drain.clone());
        let task = tokio::spawn(async move {
            chat::run(&confined, served, for_visitors, for_operators, until).await
        });
        Serving {
            bot,
            visitor: Visitor(ipc::Client::new(visitors)),
            operator: operator::Client::new(operators),
            drain,
            task,
        }
    }

    pub fn says(&self, broker: Broker) {
        *self.broker.lock().unwrap() = broker;
    }

    pub fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Serving {
    pub async fn stop(self) {
        self.drain.cancel();
        self.task.await.unwrap();
        drop(self.visitor);
    }

    pub async fn teach(&self) {
        let refunds = "# Refunds\n\nMoney comes back in five days.\n\n## Exceptions\n\nOpened tea stays yours.";
        let name = "refunds.md".parse().unwrap();
        self.operator
            .put_document(&name, chat_api::MediaType::Markdown, refunds)
            .await
            .unwrap();
    }

    /// Waits until no answer is under way.
    pub async fn settled(&self) {
        while !self.bot.live.is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

async fn answer(
    broker: Arc<Mutex<Broker>>,
    asked: Arc<Mutex<Vec<Value>>>,
    step: Arc<Notify>,
    request: ipc::Request,
) -> ipc::Response {
    let id = ipc::RequestId::of(request.headers());
    let mut question: Value = ipc::read_json(request.into_body(), 1 << 20, Duration::from_secs(5))
        .await
        .unwrap();
    if let Some(id) = id {
        question["x-request-id"] = id.as_str().into();
    }
    asked.lock().unwrap().push(question.clone());
    let (mut sender, body) = ipc::stream(16);
    let broker = broker.lock().unwrap().clone();
    if let Broker::Refuse(status) = broker {
        return ipc::problem(status, "the broker's own words");
    }
    tokio::spawn(async move {
        match broker {
            Broker::Quote => {
                let text = question["passages"][0]["text"]
                    .as_str()
                    .unwrap_or("I do not know.")
                    .to_owned();
                let known = question["passages"][0].is_object();
                let sources = if known {
                    json!([{"passage": 0, "quote": text}])
                } else {
                    json!([])
                };
                let (first, second) =
                    text.split_at(text.char_indices().nth(5).map_or(text.len(), |(at, _)| at));
                let outcome = if known { "answered" } else { "unknown" };
                for line in [
                    json!({"delta": first}),
                    json!({"delta": second}),
                    json!({"done": {"outcome": outcome, "sources": sources}}),
                ] {
                    let _ = sender.send(format!("{line}\n")).await;
                }
            }
            Broker::Lines(lines) => {
                for line in lines {
                    let _ = sender.send(line + "\n").await;
                }
            }
            Broker::Stepwise(lines) => {
                for (at, line) in lines.into_iter().enumerate() {
                    if at > 0 {
                        step.notified().await;
                    }
                    let _ = sender.send(line + "\n").await;
                }
            }
            Broker::Die(lines) => {
                for line in lines {
                    let _ = sender.send(line + "\n").await;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
                sender.abort("the broker dies");
            }
            Broker::Hang => {
                step.notified().await;
            }
            Broker::Refuse(_) => {}
        }
    });
    let mut response = ipc::Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, llm_api::ANSWER_TYPE.parse().unwrap());
    response
}

/// A visitor's side of the socket.
#[derive(Clone)]
pub struct Visitor(pub ipc::Client);

impl Visitor {
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: impl Into<Bytes>,
    ) -> http::Response<Incoming> {
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.0
            .send(request.body(ipc::full(body)).unwrap())
            .await
            .unwrap()
    }

    pub async fn get(&self, path: &str) -> http::Response<Incoming> {
        self.send(Method::GET, path, None, "").await
    }

    /// Begins a conversation with a question, and reads the whole answer.
    pub async fn begin(&self, id: &str, text: &str) -> (Begun, Vec<Event>) {
        let reply = self
            .send(
                Method::POST,
                "/v1/conversations",
                None,
                json!({"id": id, "text": text}).to_string(),
            )
            .await;
        assert_eq!(reply.status(), StatusCode::OK);
        let mut events = events(reply).await;
        match events.remove(0) {
            Event::Conversation(begun) => (begun, events),
            other => panic!("{other:?} where a conversation begins"),
        }
    }

    pub async fn empty(&self) -> Begun {
        let reply = self
            .send(Method::POST, "/v1/conversations", None, "{}")
            .await;
        assert_eq!(reply.status(), StatusCode::CREATED);
        serde_json::from_slice(&whole(reply).await).unwrap()
    }

    pub async fn ask(&self, begun: &Begun, id: &str, text: &str) -> http::Response<Incoming> {
        let path = format!("/v1/conversations/{}/messages", begun.conversation);
        self.send(
            Method::POST,
            &path,
            Some(&begun.token),
            json!({"id": id, "text": text}).to_string(),
        )
        .await
    }

    pub async fn messages(&self, begun: &Begun) -> Vec<Message> {
        let path = format!("/v1/conversations/{}", begun.conversation);
        let reply = self.send(Method::GET, &path, Some(&begun.token), "").await;
        assert_eq!(reply.status(), StatusCode::OK);
        serde_json::from_slice::<Conversation>(&whole(reply).await)
            .unwrap()
            .messages
    }

    pub async fn said(&self, begun: &Begun) -> Vec<(Role, String)> {
        self.messages(begun)
            .await
            .into_iter()
            .map(|message| (message.role, message.text))
            .collect()
    }
}

pub async fn whole(reply: http::Response<Incoming>) -> Bytes {
    reply.into_body().collect().await.unwrap().to_bytes()
}

/// The status and the detail of a problem (RFC 9457).
pub async fn problem(reply: http::Response<Incoming>) -> (u16, String) {
    assert_eq!(reply.headers()["content-type"], "application/problem+json");
    let status = reply.status().as_u16();
    let problem: Value = serde_json::from_slice(&whole(reply).await).unwrap();
    assert_eq!(problem["status"], status);
    (status, problem["detail"].as_str().unwrap().to_owned())
}

pub async fn events(reply: http::Response<Incoming>) -> Vec<Event> {
    assert_eq!(reply.headers()["content-type"], "text/event-stream");
    parse(std::str::from_utf8(&whole(reply).await).unwrap())
}

pub fn parse(stream: &str) -> Vec<Event> {
    stream
        .split("\n\n")
        .filter(|block| !block.is_empty() && !block.starts_with(':'))
        .map(|block| {
            let (name, data) = block.split_once('\n').unwrap();
            Event::parse(
                name.strip_prefix("event: ").unwrap(),
                data.strip_prefix("data: ").unwrap(),
            )
            .unwrap()
        })
        .collect()
}

pub fn text(events: &[Event]) -> String {
    events
        .iter()
        .filter_map(|event| {
            if let Event::Delta { text } = event {
                Some(text.as_str())
            } else {
                None
            }
        })
        .collect()
}
