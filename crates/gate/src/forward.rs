//! Hands a request to its bot and the answer back to its visitor.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chat_api::BotName;
use http::header::{self, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use ipc::{Body, Client, ClientError, Switch};

use crate::{Config, Route, headers, route};

/// Longest body of a visitor's request, in bytes. A bot takes 64 KiB at most, and
/// the widget sends less.
pub(crate) const BODY_BYTES: usize = 64 * 1024;

/// How much of a body that is refused is read all the same, in bytes.
const DISCARD_BYTES: usize = 4 * 1024 * 1024;

/// How long that may take.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// Bots whose connections are remembered. A machine has fewer; names that lead
/// to no bot are never remembered.
const CLIENTS_MAX: usize = 1024;

/// What a client is told to wait before it tries again, in seconds.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// The bots behind the gate.
#[derive(Debug)]
pub(crate) struct Bots {
    sockets: PathBuf,
    answer_time: Duration,
    clients: Mutex<HashMap<BotName, Client>>,
}

impl Bots {
    pub(crate) fn new(sockets: impl Into<PathBuf>, config: &Config) -> Self {
        Self {
            sockets: sockets.into(),
            answer_time: config.answer_time(),
            clients: Mutex::default(),
        }
    }

    /// Answers one request.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        client: IpAddr,
    ) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        let named = headers::is_domain(&parts);
        let query = parts.uri.query().map(str::to_owned);
        let mut response = match route(parts.uri.path()) {
            route if !route.takes(&parts.method) => not_allowed(&route, &parts.method, client),
            Route::Health => Response::new(ipc::full("ok\n")),
            Route::Unknown => ipc::problem(StatusCode::NOT_FOUND, "There is nothing here."),
            Route::Slash(bot) => redirect(&bot, query.as_deref()),
            Route::Bot(..) if body.size_hint().lower() > BODY_BYTES as u64 => {
                discard(body).await;
                too_large(client)
            }
            Route::Bot(bot, rest) => match below(rest, query.as_deref()) {
                Some(uri) => {
                    headers::to_service(&mut parts.headers, client);
                    let mut forwarded = Request::new(bounded(body));
                    *forwarded.method_mut() = parts.method;
                    *forwarded.uri_mut() = uri;
                    *forwarded.headers_mut() = parts.headers;
                    self.forward(&bot, forwarded, client).await
                }
                None => ipc::problem(StatusCode::BAD_REQUEST, "The address cannot be read."),
            },
        };
        headers::to_visitor(response.headers_mut(), named);
        response
    }

    async fn forward(
        &self,
        bot: &BotName,
        request: Request<Body>,
        visitor: IpAddr,
    ) -> Response<Body> {
        let client = self.client(bot);
        let sent = tokio::time::timeout(self.answer_time, client.send(request)).await;
        match sent {
            Ok(Ok(response)) => {
                self.remember(bot, client);
                response.map(|body| body.map_err(Into::into).boxed_unsync())
            }
            Ok(Err(ClientError::Absent(..))) => {
                ipc::problem(StatusCode::NOT_FOUND, "There is no such assistant here.")
            }
            Ok(Err(ClientError::Broken(_, error))) if is_too_long(&error) => too_large(visitor),
            Ok(Err(error)) => {
                tracing::warn!(%bot, "a visitor was told that the assistant is away: {error}");
                away(StatusCode::BAD_GATEWAY)
            }
            Err(_) => {
                let time = self.answer_time;
                tracing::warn!(%bot, ?time, "a visitor was told that the assistant is away: no answer in time");
                away(StatusCode::GATEWAY_TIMEOUT)
            }
        }
    }

    /// Asks a bot to speak another protocol.
    ///
    /// # Errors
    /// The answer for the visitor.
    pub(crate) async fn switch(
        &self,
        bot: &BotName,
        request: Request<Body>,
    ) -> Result<Switch, Response<Body>> {
        let client = self.client(bot);
        match tokio::time::timeout(self.answer_time, client.switch(request)).await {
            Ok(Ok(switch)) => {
                self.remember(bot, client);
                Ok(switch)
            }
            Ok(Err(ClientError::Absent(..))) => Err(ipc::problem(
                StatusCode::NOT_FOUND,
                "There is no such assistant here.",
            )),
            Ok(Err(error)) => {
                tracing::warn!(%bot, "a visitor was told that the assistant is away: {error}");
                Err(away(StatusCode::BAD_GATEWAY))
            }
            Err(_) => {
                let time = self.answer_time;
                tracing::warn!(%bot, ?time, "a visitor was told that the assistant is away: no answer in time");
                Err(away(StatusCode::GATEWAY_TIMEOUT))
            }
        }
    }

    fn client(&self, bot: &BotName) -> Client {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let known = clients.get(bot).cloned();
        known.unwrap_or_else(|| Client::new(self.sockets.join(format!("{bot}.sock"))))
    }

    fn remember(&self, bot: &BotName, client: Client) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() < CLIENTS_MAX && !clients.contains_key(bot) {
            clients.insert(bot.clone(), client);
        }
    }
}

/// A body whose length the visitor did not tell. The bot refuses it by the same
/// limit and hears it out; here it breaks off where hearing it out ends.
fn bounded(body: Incoming) -> Body {
    if body.is_end_stream() {
        return ipc::empty();
    }
    Limited::new(body, DISCARD_BYTES).boxed_unsync()
}

/// Reads what a client is bent on sending, within bounds: many hear an answer
/// only once they have sent all, and a connection closed before is an error to
/// them that says nothing.
async fn discard(mut body: Incoming) {
    let read = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, bytes::Bytes::len);
            if bytes > DISCARD_BYTES {
                break;
            }
        }
    };
    // Whether it ended or ran out of time, the answer is the same.
    let _ = tokio::time::timeout(DISCARD_TIME, read).await;
}

fn is_too_long(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

pub(crate) fn below(rest: &str, query: Option<&str>) -> Option<Uri> {
    let path = match query {
        Some(query) => PathAndQuery::try_from(format!("{rest}?{query}")),
        None => PathAndQuery::try_from(rest),
    };
    path.ok().map(Uri::from)
}

fn not_allowed(route: &Route<'_>, method: &Method, client: IpAddr) -> Response<Body> {
    let method = method.as_str();
    event::report(&event::Event::MethodRefused { client, method });
    let detail = "This method is not taken here.";
    let mut response = ipc::problem(StatusCode::METHOD_NOT_ALLOWED, detail);
    if let Ok(allow) = HeaderValue::from_str(&route.allow()) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

fn too_large(client: IpAddr) -> Response<Body> {
    event::report(&event::Event::BodyTooLarge {
        client,
        most_bytes: BODY_BYTES as u64,
    });
    let detail = format!("The request is longer than {BODY_BYTES} bytes; nothing of it was kept.");
    let mut response = ipc::problem(StatusCode::PAYLOAD_TOO_LARGE, &detail);
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn away(status: StatusCode) -> Response<Body> {
    let detail = "The assistant is away for a moment. Please try again.";
    let mut response = ipc::problem(status, detail);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, RETRY_SECONDS);
    response
}

fn redirect(bot: &BotName, query: Option<&str>) -> Response<Body> {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let mut response = Response::new(ipc::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(location) = HeaderValue::from_str(&format!("/b/{bot}/{query}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
