//! Hands a request to its bot and the answer back to its visitor.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_api::BotName;
use chat_api::limits::REQUEST_TIME;
use chat_api::visitor::EVENT_STREAM;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use ipc::{Body, BodyError, Client, ClientError, Switch};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::balance::{AWAY, Asked, Balance, Behind, CONVERSATION, Seat};
use crate::client::forwarded;
use crate::peers::Peer;
use crate::{Config, Route, headers, route};

/// Longest body of a visitor's request, in bytes. A bot takes 64 KiB at most, and
/// the widget sends less.
pub(crate) const BODY_BYTES: usize = 64 * 1024;

/// How much of visitors' bodies is kept at once, in KiB, where there are several members: a body is sent again to the
/// next one. The unit's `MemoryMax=` has room for it.
const KEPT_KIB: usize = 32 * 1024;

/// How much of a body that is refused is read all the same, in bytes.
const DISCARD_BYTES: usize = 4 * 1024 * 1024;

/// How long that may take.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// What a client is told to wait before it tries again, in seconds.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// The bots behind the gate.
#[derive(Debug)]
pub(crate) struct Bots {
    balance: Balance,
    answer_time: Duration,
    /// Room for bodies that are kept until somebody has answered, in KiB.
    room: Semaphore,
}

impl Bots {
    /// Those whose sockets are in a folder, and those of other appliances.
    /// `lines` is the room for connections that answers share.
    pub(crate) fn new(
        sockets: impl Into<PathBuf>,
        config: &Config,
        peers: Vec<Peer>,
        lines: Arc<Semaphore>,
    ) -> Self {
        Self {
            balance: Balance::new(sockets.into(), config, peers, lines),
            answer_time: config.answer_time(),
            room: Semaphore::new(KEPT_KIB),
        }
    }

    /// Checks, for as long as it runs, which of them answer.
    pub(crate) async fn watch(&self) {
        self.balance.watch().await;
    }

    /// Waits until somebody goes out or comes back.
    pub(crate) async fn changed(&self) {
        self.balance.changed().await;
    }

    /// Who does not answer, for `systemctl status`; nothing where all do.
    pub(crate) fn status(&self) -> String {
        match self.balance.out() {
            out if out.is_empty() => String::new(),
            out => format!("; no answer from {}", out.join(", ")),
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
                    parts.uri = uri;
                    self.forward(&bot, Request::from_parts(parts, body), client)
                        .await
                }
                None => ipc::problem(StatusCode::BAD_REQUEST, "The address cannot be read."),
            },
        };
        headers::to_visitor(response.headers_mut(), named);
        response
    }

    /// Answers one request that another appliance hands on: from this one's own instances alone. It was found fit, and
    /// within its visitor's limits, where he came in.
    pub(crate) async fn answer_peer(&self, request: Request<Incoming>) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        // It writes one line of one element, in which the visitor is.
        let line = parts.headers.get(header::FORWARDED);
        let visitor = line.and_then(|line| forwarded::hops(line.as_bytes()).next()?);
        let query = parts.uri.query().map(str::to_owned);
        let (Some(visitor), Route::Bot(bot, rest)) = (visitor, route(parts.uri.path())) else {
            let detail = "This is not as one appliance asks another.";
            return ipc::problem(StatusCode::BAD_REQUEST, detail);
        };
        let Some(uri) = below(rest, query.as_deref()) else {
            return ipc::problem(StatusCode::BAD_REQUEST, "The address cannot be read.");
        };
        let seats = self.balance.near(&bot);
        if seats.is_empty() {
            let detail = "There is no such assistant on this appliance.";
            return ipc::problem(StatusCode::MISDIRECTED_REQUEST, detail);
        }
        let id = parts.headers.remove(CONVERSATION);
        headers::to_service(&mut parts.headers, visitor);
        parts.headers.extend(id.map(|id| (CONVERSATION, id)));
        parts.uri = uri;
        let request = Request::from_parts(parts, body);
        let mut response = self.spread(&bot, &seats, request, visitor).await;
        headers::strip(response.headers_mut());
        response
    }

    async fn forward(
        &self,
        bot: &BotName,
        request: Request<Incoming>,
        visitor: IpAddr,
    ) -> Response<Body> {
        match self.balance.behind(bot) {
            Behind::One(client) => self.hand_on(bot, &client, request, visitor).await,
            Behind::Several(seats) => {
                let mut response = self.spread(bot, &seats, request, visitor).await;
                response.headers_mut().remove(AWAY);
                response
            }
        }
    }

    async fn spread(
        &self,
        bot: &BotName,
        seats: &[Seat],
        request: Request<Incoming>,
        visitor: IpAddr,
    ) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let (body, _room) = match self.keep(bot, body, visitor).await {
            Ok(kept) => kept,
            Err(refusal) => return refusal,
        };
        let asked = Asked {
            streams: streams(&parts),
            method: parts.method,
            uri: parts.uri,
            headers: parts.headers,
            body,
        };
        self.balance.spread(bot, seats, asked).await
    }

    /// All of a visitor's body, so that it can be sent again, and the room that it takes until somebody has answered.
    ///
    /// # Errors
    /// The answer for the visitor.
    async fn keep(
        &self,
        bot: &BotName,
        body: Incoming,
        visitor: IpAddr,
    ) -> Result<(Bytes, SemaphorePermit<'_>), Response<Body>> {
        // Taken as it comes: what is only announced, or comes slowly, keeps nobody out.
        let mut room = self.room.try_acquire_many(0).ok();
        let mut bytes = 0;
        let counted = bounded(body).map_frame(|frame| {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            let Some(held) = &mut room else {
                return frame.map_data(|_unread| Bytes::new());
            };
            let kib = bytes.min(BODY_BYTES).div_ceil(1024) - held.num_permits();
            match self
                .room
                .try_acquire_many(u32::try_from(kib).unwrap_or(u32::MAX))
            {
                Ok(more) => held.merge(more),
                Err(_) => room = None,
            }
            frame
        });
        let body = whole(counted, visitor).await?;
        let Some(room) = room else {
            tracing::warn!(%bot, "a visitor was told that the assistant is away: {KEPT_KIB} KiB of requests wait for answers");
            return Err(away(StatusCode::SERVICE_UNAVAILABLE));
        };
        Ok((body, room))
    }

    /// Asks a bot to speak another protocol: one of its instances on this appliance, which may have to be the one that has
    /// the conversation named by the address.
    ///
    /// # Errors
    /// The answer for the visitor.
    pub(crate) async fn switch(
        &self,
        bot: &BotName,
        request: Request<Body>,
    ) -> Result<Switch, Response<Body>> {
        let client = match self.balance.behind(bot) {
            Behind::One(client) => client,
            Behind::Several(seats) => {
                let (parts, _empty) = request.into_parts();
                return self.balance.switch(bot, &seats, parts).await;
            }
        };
        match tokio::time::timeout(self.answer_time, client.switch(request)).await {
            Ok(Ok(switch)) => Ok(switch),
            Ok(Err(ClientError::Absent(..))) => Err(no_such_assistant()),
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

    /// Hands a request to the one member that there is; as it comes, unless its answer may take long.
    async fn hand_on(
        &self,
        bot: &BotName,
        client: &Client,
        request: Request<Incoming>,
        visitor: IpAddr,
    ) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let sent = if streams(&parts) {
            let (body, _room) = match self.keep(bot, body, visitor).await {
                Ok(kept) => kept,
                Err(refusal) => return refusal,
            };
            let sent = client.stream(head(parts, body));
            let sent = tokio::time::timeout(self.answer_time, sent).await;
            sent.map(|sent| sent.map(|response| response.map(passed)))
        } else {
            let sent = client.send(head(parts, bounded(body)));
            let sent = tokio::time::timeout(self.answer_time, sent).await;
            sent.map(|sent| sent.map(|response| response.map(passed)))
        };
        match sent {
            Ok(Ok(response)) => response,
            Ok(Err(ClientError::Absent(..))) => no_such_assistant(),
            Ok(Err(ClientError::Broken(_, error))) if is_too_long(&*error) => too_large(visitor),
            Ok(Err(error @ ClientError::NoRoom(_))) => {
                tracing::warn!(%bot, "a visitor was told that the assistant is away: {error}");
                away(StatusCode::SERVICE_UNAVAILABLE)
            }
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
}

/// Whether the answer may be a stream of events, which goes on for as long as the bot has something to say: whatever is
/// posted may make a bot answer.
pub(crate) fn streams(request: &Parts) -> bool {
    let accepts = |value: &HeaderValue| {
        let wanted = EVENT_STREAM.as_bytes();
        let mut parts = value.as_bytes().windows(wanted.len());
        parts.any(|part| part.eq_ignore_ascii_case(wanted))
    };
    request.method == Method::POST || request.headers.get_all(header::ACCEPT).iter().any(accepts)
}

/// A request as it is handed on: without what a connection's software added to it.
fn head<B>(parts: Parts, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = parts.method;
    *request.uri_mut() = parts.uri;
    *request.headers_mut() = parts.headers;
    request
}

/// A bot's body, for a visitor.
pub(crate) fn passed<B>(body: B) -> Body
where
    B: hyper::body::Body<Data = Bytes, Error = hyper::Error> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}

/// All of a visitor's body, or what he is told in its place: the same as a bot says that takes it as it comes.
async fn whole<B>(body: B, visitor: IpAddr) -> Result<Bytes, Response<Body>>
where
    B: hyper::body::Body<Data = Bytes> + Send + Unpin,
    B::Error: Into<ipc::BoxError>,
{
    let read = ipc::read_body(body, BODY_BYTES, REQUEST_TIME).await;
    read.map_err(|error| match error {
        BodyError::TooLarge(_) => too_large(visitor),
        error => error.response(),
    })
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
            bytes += frame.data_ref().map_or(0, Bytes::len);
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

pub(crate) fn no_such_assistant() -> Response<Body> {
    ipc::problem(StatusCode::NOT_FOUND, "There is no such assistant here.")
}

pub(crate) fn away(status: StatusCode) -> Response<Body> {
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
