//! A stand-in for an instance of a bot, on its own socket. It keeps conversations, and can be made to fail.

use std::collections::HashSet;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Channel};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ipc::Body;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

/// How often an answer's stream says something.
const EVENT_EVERY: Duration = Duration::from_millis(10);

/// What is to go wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Trouble {
    #[default]
    None,
    /// It takes requests and answers none.
    Hung,
    /// It breaks off what visitors ask, once it has read all of it; it says that it is well.
    Breaks,
    /// It says that it is not well.
    Unwell,
}

/// What it has seen and does.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) trouble: Trouble,
    /// Visitors' requests: method, path, the id in the gate's header, and the body's length.
    pub(crate) asked: Vec<(Method, String, Option<String>, usize)>,
    /// For whom the last request was, as the gate says.
    pub(crate) forwarded: Option<String>,
    conversations: HashSet<String>,
}

/// An instance that runs until it is dropped.
pub(crate) struct Bot {
    name: String,
    path: PathBuf,
    seen: Arc<Mutex<Seen>>,
    running: Option<JoinHandle<()>>,
}

impl Bot {
    /// On the socket `NAME.sock` in a folder. Must be called within a runtime.
    pub(crate) fn start(folder: &std::path::Path, name: &str) -> Self {
        let mut bot = Self {
            name: name.to_owned(),
            path: folder.join(format!("{name}.sock")),
            seen: Arc::default(),
            running: None,
        };
        bot.restart();
        bot
    }

    /// Again, with all that it has.
    pub(crate) fn restart(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        let listener = UnixListener::bind(&self.path).unwrap();
        let (name, seen) = (self.name.clone(), Arc::clone(&self.seen));
        self.running = Some(tokio::spawn(serve(listener, name, seen)));
    }

    /// Ends it at once, with all of its connections, as `kill -9` does. Its socket stays and refuses.
    pub(crate) async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            let _ = running.await;
        }
    }

    /// Takes its socket away. What is under way goes on.
    pub(crate) fn leave(&self) {
        std::fs::remove_file(&self.path).unwrap();
    }

    pub(crate) fn set(&self, trouble: Trouble) {
        self.seen.lock().unwrap().trouble = trouble;
    }

    /// How many visitors' requests of this method it has got.
    pub(crate) fn count(&self, method: &Method) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.asked.iter().filter(|asked| asked.0 == *method).count()
    }

    /// The last request.
    pub(crate) fn last(&self) -> (Method, String, Option<String>, usize) {
        self.seen.lock().unwrap().asked.last().unwrap().clone()
    }

    /// For whom it was asked last.
    pub(crate) fn forwarded(&self) -> Option<String> {
        self.seen.lock().unwrap().forwarded.clone()
    }

    /// Forgets what it was asked.
    pub(crate) fn forget(&self) {
        self.seen.lock().unwrap().asked.clear();
    }

    /// All that it has.
    pub(crate) fn conversations(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.conversations.iter().cloned().collect()
    }

    pub(crate) fn has(&self, conversation: &str) -> bool {
        self.seen
            .lock()
            .unwrap()
            .conversations
            .contains(conversation)
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
        }
    }
}

async fn serve(listener: UnixListener, name: String, seen: Arc<Mutex<Seen>>) {
    // Dropped, and so aborted, with this task.
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(connection(stream, name.clone(), Arc::clone(&seen)));
    }
}

async fn connection(stream: UnixStream, name: String, seen: Arc<Mutex<Seen>>) {
    let service = service_fn(move |request| answer(request, name.clone(), Arc::clone(&seen)));
    let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .await;
}

#[derive(Debug)]
struct BrokenOff;

impl std::fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("as it was told to")
    }
}

impl std::error::Error for BrokenOff {}

async fn answer(
    request: Request<Incoming>,
    name: String,
    seen: Arc<Mutex<Seen>>,
) -> Result<Response<Body>, BrokenOff> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| BrokenOff)?.to_bytes();
    let path = parts.uri.path().to_owned();
    let header = parts.headers.get("casemate-conversation");
    let header = header.map(|value| value.to_str().unwrap().to_owned());
    let is_check = path == "/healthz";
    let trouble = {
        let mut seen = seen.lock().unwrap();
        if !is_check {
            let forwarded = parts.headers.get("forwarded");
            seen.forwarded = forwarded.map(|value| value.to_str().unwrap().to_owned());
            seen.asked.push((
                parts.method.clone(),
                path.clone(),
                header.clone(),
                body.len(),
            ));
        }
        seen.trouble
    };
    match trouble {
        Trouble::Hung => std::future::pending().await,
        Trouble::Breaks if !is_check => return Err(BrokenOff),
        Trouble::Unwell if is_check => return Ok(status(StatusCode::SERVICE_UNAVAILABLE, &name)),
        _ => {}
    }
    if path == "/v1/socket" {
        return Ok(socket(parts.uri.query(), header, &seen));
    }
    if path == "/v1/conversations" && parts.method == Method::POST {
        let mut seen = seen.lock().unwrap();
        // Without the gate's it makes one of its own.
        let id = header.unwrap_or_else(|| format!("{:032x}", seen.asked.len()));
        seen.conversations.insert(id.clone());
        let begun = format!("{{\"conversation\":\"{id}\",\"token\":\"t\"}}");
        return Ok(status(StatusCode::CREATED, &begun));
    }
    if let Some(below) = path.strip_prefix("/v1/conversations/") {
        let id = below.split('/').next().unwrap_or_default();
        if !seen.lock().unwrap().conversations.contains(id) {
            return Ok(status(StatusCode::NOT_FOUND, "no such conversation"));
        }
        if below.ends_with("/messages") {
            return Ok(events(&name));
        }
    }
    Ok(status(StatusCode::OK, &name))
}

/// Agrees to a WebSocket, on which the conversation begins that the gate names, or which is to go on with one that is here.
fn socket(query: Option<&str>, begins: Option<String>, seen: &Mutex<Seen>) -> Response<Body> {
    let mut seen = seen.lock().unwrap();
    let known = query.and_then(|query| query.strip_prefix("conversation="));
    if known.is_some_and(|id| !seen.conversations.contains(id)) {
        return status(StatusCode::NOT_FOUND, "no such conversation");
    }
    seen.conversations.extend(begins);
    let mut agreed = status(StatusCode::SWITCHING_PROTOCOLS, "");
    for (name, value) in [("connection", "upgrade"), ("upgrade", "websocket")] {
        agreed.headers_mut().insert(name, value.parse().unwrap());
    }
    agreed
}

fn status(status: StatusCode, said: &str) -> Response<Body> {
    let mut response = Response::new(ipc::full(said.to_owned()));
    *response.status_mut() = status;
    response
}

/// Events without end.
fn events(name: &str) -> Response<Body> {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    let event = Bytes::from(format!("data: {name}\n\n"));
    tokio::spawn(async move {
        while sender.send_data(event.clone()).await.is_ok() {
            tokio::time::sleep(EVENT_EVERY).await;
        }
    });
    let body = body.map_err(|never| match never {}).boxed_unsync();
    let response = Response::builder().header("content-type", "text/event-stream");
    response.body(body).unwrap()
}

/// A visitor's request for a bot.
pub(crate) fn ask(method: Method, path: &str, body: &'static str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(format!("https://localhost{path}"))
        .header("casemate-conversation", "ffffffffffffffffffffffffffffffff")
        .body(ipc::full(body))
        .unwrap()
}

/// A visitor's request for a WebSocket (RFC 8441).
pub(crate) fn ask_for_socket(query: &str) -> Request<Body> {
    let mut request = ask(Method::CONNECT, &format!("/b/shop/v1/socket{query}"), "");
    *request.body_mut() = ipc::empty();
    let protocol = hyper::ext::Protocol::from_static("websocket");
    request.extensions_mut().insert(protocol);
    let version = "13".parse().unwrap();
    request
        .headers_mut()
        .insert("sec-websocket-version", version);
    request
}
