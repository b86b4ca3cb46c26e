//! The visitors' socket.

use std::sync::Arc;

use chat_api::CONVERSATION_HEADER;
use chat_api::limits::{REQUEST_BYTES, REQUEST_TIME};
use chat_api::visitor::{Ask, Begun, Conversation, EVENT_STREAM};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use ipc::{Request, RequestId, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::answer::{Place, Question};
use crate::assets::Assets;
use crate::bot::{Bot, now};
use crate::conversation::{ConversationId, Token, normalise, random};
use crate::conversations::messages;
use crate::cors::Sites;
use crate::error::Error;
use crate::live::KEEP_ALIVE_TIME;
use crate::socket::Sockets;
use crate::turn::{Turn, turn};

/// What the calls of this socket take and give.
#[derive(Debug)]
pub struct Visitors {
    bot: Arc<Bot>,
    assets: Assets,
    sites: Sites,
    sockets: Sockets,
}

impl Visitors {
    /// The visitors of a bot. Their WebSockets end once `stop` is cancelled.
    #[must_use]
    pub fn of(bot: Arc<Bot>, stop: CancellationToken) -> Self {
        let assets = Assets::of(&bot.file);
        let sites = Sites::of(&bot.file);
        let sockets = Sockets::of(Arc::clone(&bot), stop);
        Self {
            bot,
            assets,
            sites,
            sockets,
        }
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request) -> Response {
        let caller = self.sites.caller(request.headers());
        let mut response = match self.sites.preflight(&request) {
            Some(answer) => answer,
            None => self
                .route(request)
                .await
                .unwrap_or_else(|error| error.response()),
        };
        Sites::share(caller, response.headers_mut());
        response
    }

    async fn route(&self, request: Request) -> Result<Response, Error> {
        let path = request.uri().path().to_owned();
        if let Some(rest) = path.strip_prefix("/v1/") {
            let mut segments = rest.split('/');
            let place = (
                segments.next(),
                segments.next(),
                segments.next(),
                segments.next(),
            );
            return match (place, request.method()) {
                ((Some("bot"), None, ..), &Method::GET) => {
                    Ok(ipc::json(StatusCode::OK, &self.bot.info()))
                }
                ((Some("socket"), None, ..), &Method::GET) => {
                    self.sockets.open(request, &self.sites)
                }
                ((Some("conversations"), None, ..), &Method::POST) => self.begin(request).await,
                ((Some("conversations"), Some(id), None, _), &Method::GET) => {
                    self.conversation(id, &request)
                }
                ((Some("conversations"), Some(id), None, _), &Method::DELETE) => {
                    self.erase(id, &request).await
                }
                ((Some("conversations"), Some(id), Some("messages"), None), &Method::POST) => {
                    self.message(id, request).await
                }
                ((Some("bot" | "socket"), None, ..), _) => Err(Error::Method("GET")),
                ((Some("conversations"), Some(_), None, _), _) => Err(Error::Method("GET, DELETE")),
                (
                    (Some("conversations"), None, ..)
                    | (Some("conversations"), Some(_), Some("messages"), None),
                    _,
                ) => Err(Error::Method("POST")),
                _ => Err(Error::NotFound),
            };
        }
        let read_only = matches!(*request.method(), Method::GET | Method::HEAD);
        if path == "/healthz" && read_only {
            return self.health();
        }
        let asset = self.assets.get(&path).ok_or(Error::NotFound)?;
        if read_only {
            Ok(asset.response(request.headers()))
        } else {
            Err(Error::Method("GET, HEAD"))
        }
    }

    /// Healthy is who can read the store.
    fn health(&self) -> Result<Response, Error> {
        self.bot.conversations.count()?;
        let mut response = Response::new(ipc::full("ok"));
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    async fn begin(&self, request: Request) -> Result<Response, Error> {
        /// Both or neither: [`Ask`] or `{}`.
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "the body must be {} or have \"id\" and \"text\", the id with 1 to 64 letters, digits, hyphens or underscores"
        )]
        enum Begin {
            First(Ask),
            Empty(Empty),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Empty {}

        let of = RequestId::of(request.headers());
        let named = named(request.headers())?;
        let begin: Begin = body(request).await?;
        let conversation = match named {
            Some(id) => id,
            None => ConversationId::begin(now(), random()?),
        };
        let token = Token::random()?;
        match begin {
            Begin::Empty(Empty {}) => {
                self.bot
                    .conversations
                    .begin(conversation, token.hash(), None, now())
                    .await?;
                let begun = Begun {
                    conversation: conversation.to_string(),
                    token: token.expose(),
                };
                Ok(ipc::json(StatusCode::CREATED, &begun))
            }
            Begin::First(Ask { id, text }) => {
                let text = normalise(&text)?;
                let place = Place::First(token);
                self.answer(Question {
                    conversation,
                    place,
                    id,
                    text,
                    earlier: Vec::new(),
                    request: of,
                })
                .await
            }
        }
    }

    fn conversation(&self, id: &str, request: &Request) -> Result<Response, Error> {
        let id = self.open(id, request)?;
        let exchanges = self.bot.conversations.exchanges(&id)?;
        let conversation = Conversation {
            conversation: id.to_string(),
            messages: messages(exchanges),
        };
        Ok(ipc::json(StatusCode::OK, &conversation))
    }

    async fn erase(&self, id: &str, request: &Request) -> Result<Response, Error> {
        let id = self.open(id, request)?;
        self.bot.erase(id).await?;
        Ok(ipc::no_content())
    }

    async fn message(&self, id: &str, request: Request) -> Result<Response, Error> {
        let conversation = self.open(id, &request)?;
        let of = RequestId::of(request.headers());
        let Ask { id, text } = body(request).await?;
        let text = normalise(&text)?;
        // The place is found once the right to answer is held: until then another may be finding it.
        self.answer(Question {
            conversation,
            place: Place::Next(0),
            id,
            text,
            earlier: Vec::new(),
            request: of,
        })
        .await
    }

    /// The conversation that the request's token opens.
    fn open(&self, id: &str, request: &Request) -> Result<ConversationId, Error> {
        let id = ConversationId::parse(id).ok_or(Error::UnknownConversation)?;
        let token = bearer(request)
            .and_then(Token::parse)
            .ok_or(Error::UnknownConversation)?;
        self.bot.conversations.open(&id, &token)?;
        Ok(id)
    }

    /// Answers a question, reads along where it is being answered, or says again what was answered.
    async fn answer(&self, question: Question) -> Result<Response, Error> {
        Ok(event_stream(match turn(&self.bot, question).await? {
            Turn::Live(reader) => reader.into_body(KEEP_ALIVE_TIME),
            Turn::Given(stream) => ipc::full(stream),
        }))
    }
}

fn event_stream(body: ipc::Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The id that the gate gives a conversation that begins, so that it knows which instance has it.
fn named(headers: &HeaderMap) -> Result<Option<ConversationId>, Error> {
    let mut given = headers.get_all(CONVERSATION_HEADER).iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(id), None) => id
            .to_str()
            .ok()
            .and_then(ConversationId::parse)
            .map(Some)
            .ok_or(Error::ConversationHeader),
        (Some(_), Some(_)) => Err(Error::ConversationHeader),
    }
}

fn bearer(request: &Request) -> Option<&str> {
    let value = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Reads a JSON body. Its type must be named: a page of another site may send anything else without being asked.
async fn body<T: DeserializeOwned>(request: Request) -> Result<T, Error> {
    let value = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Error::MediaType("application/json"));
    }
    Ok(ipc::read_object(request.into_body(), REQUEST_BYTES, REQUEST_TIME).await?)
}
