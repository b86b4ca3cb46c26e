//! Offers a request to one member after another, until one has answered.

use std::time::Duration;

use bytes::Bytes;
use chat_api::{BotName, CONVERSATION_HEADER, ConversationId};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use ipc::Body;

use super::Balance;
use super::choose::{Candidate, Purpose, choose};
use super::health::Source;
use super::members::Seat;
use super::retry::{After, Outcome, after, time};
use crate::forward::{away, no_such_assistant};

/// The header that names a conversation that begins.
pub(crate) const CONVERSATION: HeaderName = HeaderName::from_static(CONVERSATION_HEADER);

/// The header by which an appliance says to another one that nobody there could be asked, and nothing was done.
pub(crate) const AWAY: HeaderName = HeaderName::from_static("casemate-away");

/// Longest answer that is kept of a member that has no such conversation, in bytes, and how long it may take.
const SHORT_BYTES: usize = 4096;
const SHORT_TIME: Duration = Duration::from_secs(2);

/// A request with all of its body, so that it can be sent again.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the answer may go on for long.
    pub(crate) streams: bool,
}

impl Asked {
    /// It, with a body that is known to be whole.
    pub(super) fn whole(&self) -> Request<Bytes> {
        let mut request = Request::new(self.body.clone());
        self.method.clone_into(request.method_mut());
        self.uri.clone_into(request.uri_mut());
        self.headers.clone_into(request.headers_mut());
        request
    }

    pub(super) fn request(&self) -> Request<Body> {
        self.whole().map(|body| {
            if body.is_empty() {
                ipc::empty()
            } else {
                ipc::full(body)
            }
        })
    }
}

impl Balance {
    /// Answers one request to a bot with several members.
    pub(crate) async fn spread(
        &self,
        bot: &BotName,
        seats: &[Seat],
        mut asked: Asked,
    ) -> Response<Body> {
        // Of a visitor's headers this one is removed; the gate that he came to has set it.
        let given = asked.headers.get(CONVERSATION);
        let given = given.and_then(|value| ConversationId::parse(value.to_str().ok()?));
        let begin = || given.unwrap_or_else(begin);
        let purpose = Purpose::of(&asked.method, asked.uri.path(), begin);
        if let Purpose::Begin(id) = &purpose
            && let Ok(value) = HeaderValue::try_from(id.to_string())
        {
            asked.headers.insert(CONVERSATION, value);
        }
        let candidates: Vec<Candidate<'_>> = seats
            .iter()
            .map(|seat| seat.member.candidate(&self.own, seat.is_gone()))
            .collect();
        let choice = choose(&purpose, &candidates, self.turn());
        let mut is_away = choice.incomplete;
        let mut unknown = None;
        let last = choice.tries.last();
        for index in &choice.tries {
            let member = &seats[*index].member;
            let time = time(
                self.answer_time,
                Some(index) == last,
                &asked.method,
                &purpose,
            );
            let sent = member.ask(bot, &asked, time).await;
            let outcome = match &sent {
                Ok(response) if response.headers().contains_key(AWAY) => Outcome::NotReached,
                Ok(response) => Outcome::Answered(response.status()),
                Err(failure) => failure.outcome(),
            };
            let why = sent.as_ref().err().map(ToString::to_string);
            let result = why.as_deref().map_or(Ok(()), Err);
            if outcome != Outcome::NoRoom {
                self.count(member, Source::Visitor, result);
            }
            match (after(outcome, &asked.method, &purpose), sent) {
                (After::Give, Ok(response)) => return response,
                (After::Unknown, Ok(response)) => {
                    // Who has the bot, and not the conversation, has the last word.
                    if response.status() == StatusCode::NOT_FOUND || unknown.is_none() {
                        unknown = Some(short(response).await);
                    }
                }
                (After::Stop(status), Err(why)) => {
                    tracing::warn!(%bot, "a visitor was told that the assistant is away: {why}");
                    return away(status);
                }
                (_, Err(why)) => {
                    tracing::debug!(%bot, "another instance is asked: {why}");
                    is_away = true;
                }
                (After::Stop(_) | After::Away, Ok(_)) => is_away = true,
            }
        }
        match unknown {
            // All have said that they do not know it.
            Some(response) if !is_away && response.status() == StatusCode::NOT_FOUND => response,
            Some(_) if !is_away => no_such_assistant(),
            _ => {
                tracing::warn!(%bot, "a visitor was told that the assistant is away: nobody who could answer does");
                let mut response = away(StatusCode::SERVICE_UNAVAILABLE);
                let headers = response.headers_mut();
                headers.insert(AWAY, HeaderValue::from_static("1"));
                response
            }
        }
    }

    pub(super) fn turn(&self) -> usize {
        self.turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }
}

/// An answer that may not be the last word, read to its end, so that its connection can be used again.
async fn short(response: Response<Body>) -> Response<Body> {
    let (parts, body) = response.into_parts();
    // What it says beyond these bounds is left out: the status tells enough.
    let body = ipc::read_body(body, SHORT_BYTES, SHORT_TIME).await;
    Response::from_parts(parts, ipc::full(body.unwrap_or_default()))
}

/// The id of a conversation that begins now. Without random bytes it is a bad id and not a secret: the token opens the
/// conversation, and chat makes that.
pub(super) fn begin() -> ConversationId {
    let mut random = [0; ConversationId::RANDOM_BYTES];
    if let Err(error) = secret::fill_random(&mut random) {
        tracing::error!(
            "the system gives no random bytes, so conversations are spread badly: {error}"
        );
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    });
    ConversationId::begin(now, random)
}
