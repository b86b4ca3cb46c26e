//! WebSockets (RFC 6455; RFC 8441 over HTTP/2): the gate checks the handshake, hands it to the bot, and then passes the
//! frames of both sides to one another, holding the client to limits and to the RFC.
//!
//! It reads headers of frames and no content. Extensions are not offered to the bot, so none is agreed on: compression
//! would hide how long a message is, and mixes what a visitor says with what others could guess of it.

mod asked;
mod cause;
pub mod frames;
mod heard;
mod own;
mod relay;
mod rules;
mod way;

pub(crate) use asked::{is_asked, is_websocket, place};

use std::net::IpAddr;
use std::sync::Arc;

use chat_api::{BotName, CONVERSATION_HEADER};
use event::Event;
use http::header::{
    self, CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use ipc::{Body, Switch};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::Handed;
use crate::bans::Visit;
use crate::desk::Desk;
use crate::forward::Bots;
use crate::headers;
use crate::limits::{Limits, Settings, answer, seconds};
use asked::{WEBSOCKET, Wrong};
use cause::Cause;
use heard::Heard;
use rules::Rules;

/// Whether a request may open a WebSocket, in HTTP/1.1 or in HTTP/2. Others, such as a browser's question whether it may,
/// go to the bot. Over HTTP/1.1 an upgrade may be left aside, and elsewhere is (RFC 9110, section 7.8); a CONNECT may not.
pub(crate) fn may_open(request: &http::request::Parts) -> bool {
    match request.method {
        Method::CONNECT => true,
        Method::GET => place(request.uri.path()).is_some(),
        _ => false,
    }
}

/// Bytes of a key (section 4.1).
const KEY_BYTES: usize = 16;

/// What all WebSockets share.
#[derive(Debug)]
pub(crate) struct Sockets {
    rules: Rules,
    limits: Arc<Limits>,
    /// Connections to bots that there is room for.
    room: Arc<Semaphore>,
    /// Cancelled when clients are to come again.
    stop: CancellationToken,
}

impl Sockets {
    pub(crate) fn new(settings: &Settings, desk: &Desk, stop: CancellationToken) -> Self {
        Self {
            rules: Rules::of(settings),
            limits: desk.limits(),
            room: desk.answers(),
            stop,
        }
    }

    /// Answers a request for a WebSocket, or one that should have been. Where the bot agrees, `relays` has a task that
    /// passes its frames once the answer is sent.
    pub(crate) async fn answer(
        &self,
        bots: &Bots,
        relays: &TaskTracker,
        mut request: Request<Incoming>,
        authority: &str,
        client: IpAddr,
    ) -> Response<Body> {
        let upgrade = hyper::upgrade::on(&mut request);
        let (mut parts, _body) = request.into_parts();
        let visit = parts.extensions.remove::<Arc<Visit>>();
        let named = headers::is_domain(&parts);
        let refuse = |wrong: Wrong| {
            let reason = &wrong.to_string();
            event::report(&Event::UpgradeRefused { client, reason });
            let mut response = wrong.response();
            headers::to_visitor(response.headers_mut(), named);
            if wrong.response().status() == StatusCode::UPGRADE_REQUIRED {
                agree(&mut response, parts.version);
            }
            response
        };
        let Some((bot, _)) = place(parts.uri.path()) else {
            return refuse(Wrong::Place);
        };
        if !is_asked(&parts) {
            return refuse(Wrong::NotAsked);
        }
        if let Err(wrong) = asked::check(&parts) {
            return refuse(wrong);
        }
        let Some(held) = self.limits.socket(client) else {
            let mut response = answer::too_many_sockets();
            headers::to_visitor(response.headers_mut(), named);
            return response;
        };
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            let mut response = answer::no_room();
            headers::to_visitor(response.headers_mut(), named);
            return response;
        };
        let held = (held, room);
        let (version, origin) = (parts.version, parts.headers.get(header::ORIGIN).cloned());
        let Some(asking) = for_bot(parts, authority, client) else {
            let mut response = ipc::problem(StatusCode::SERVICE_UNAVAILABLE, "Please try again.");
            headers::to_visitor(response.headers_mut(), named);
            return response;
        };
        let (head, bytes) = match bots.switch(&bot, asking).await {
            Ok(Switch::Done(head, bytes)) => (head, bytes),
            Ok(Switch::Refused(response)) => {
                if response.status() == StatusCode::FORBIDDEN {
                    let origin = origin.as_ref().and_then(|origin| origin.to_str().ok());
                    event::report(&Event::OriginRefused {
                        client,
                        origin: origin.unwrap_or("none"),
                        bot: bot.as_str(),
                    });
                }
                let mut response = response.map(|body| body.map_err(Into::into).boxed_unsync());
                headers::to_visitor(response.headers_mut(), named);
                return response;
            }
            Err(mut response) => {
                headers::to_visitor(response.headers_mut(), named);
                return response;
            }
        };
        let mut response = Response::new(ipc::empty());
        headers::to_visitor(response.headers_mut(), named);
        *response.status_mut() = if version == Version::HTTP_2 {
            StatusCode::OK
        } else {
            StatusCode::SWITCHING_PROTOCOLS
        };
        for name in [SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL] {
            if let Some(value) = head.headers.get(&name)
                && (version != Version::HTTP_2 || name != SEC_WEBSOCKET_ACCEPT)
            {
                response.headers_mut().insert(name, value.clone());
            }
        }
        agree(&mut response, version);
        let handed = Handed::default();
        response.extensions_mut().insert(handed.clone());
        let (rules, limits, stop) = (self.rules, Arc::clone(&self.limits), self.stop.clone());
        relays.spawn(async move {
            let Ok(upgraded) = upgrade.await else {
                return tracing::debug!("a client went away before its WebSocket was open");
            };
            let message = || limits.message(client, &bot);
            let tell = |cause| report(cause, client, &bot);
            let io = Heard::of(TokioIo::new(upgraded), client);
            let relayed = relay::relay(io, bytes, &rules, message, tell, &stop);
            let banned = async {
                match &visit {
                    Some(visit) => visit.banned().await,
                    None => std::future::pending().await,
                }
            };
            let ended = tokio::select! {
                biased;
                () = banned => return tracing::debug!("the WebSocket of a client who was banned was closed"),
                ended = relayed => ended,
            };
            if ended.lingered && matches!(ended.cause, None | Some(Cause::Idle | Cause::Restart)) {
                let phase = "closing a WebSocket";
                event::report(&Event::SlowClient { client, phase });
            }
            drop(held);
            handed.end(ended.bytes, ended.cause.is_none());
        });
        response
    }
}

/// The request as the bot gets it, over HTTP/1.1 in any case; none where there are no random bytes. `authority` is the
/// host and port that it is for, by which the bot knows a page of its own.
fn for_bot(
    mut parts: http::request::Parts,
    authority: &str,
    client: IpAddr,
) -> Option<Request<Body>> {
    let (_, rest) = place(parts.uri.path())?;
    let uri = crate::forward::below(rest, parts.uri.query())?;
    let headers = &mut parts.headers;
    headers::to_service(headers, client);
    for name in [
        SEC_WEBSOCKET_EXTENSIONS,
        header::CONTENT_LENGTH,
        HeaderName::from_static(CONVERSATION_HEADER),
    ] {
        headers.remove(name);
    }
    headers.insert(header::HOST, HeaderValue::from_str(authority).ok()?);
    headers.insert(CONNECTION, HeaderValue::from_name(UPGRADE));
    headers.insert(UPGRADE, WEBSOCKET);
    if !headers.contains_key(SEC_WEBSOCKET_KEY) {
        let mut key = [0; KEY_BYTES];
        secret::fill_random(&mut key).ok()?;
        let key = data_encoding::BASE64.encode(&key);
        headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_str(&key).ok()?);
    }
    let mut request = Request::new(ipc::empty());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri;
    *request.headers_mut() = parts.headers;
    Some(request)
}

/// Names the protocol that is spoken, or should be (RFC 9110, sections 7.8 and 15.5.22). HTTP/2 has no such headers.
fn agree(response: &mut Response<Body>, version: Version) {
    if version != Version::HTTP_2 {
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_name(UPGRADE));
        headers.insert(UPGRADE, WEBSOCKET);
    }
}

/// Writes down why the gate closes a WebSocket.
fn report(cause: Cause, client: IpAddr, bot: &BotName) {
    let slow = |phase| event::report(&Event::SlowClient { client, phase });
    match cause {
        Cause::Malformed(violation) => {
            let reason = &violation.to_string();
            event::report(&Event::FrameMalformed { client, reason });
        }
        Cause::TooLong(most_bytes) => {
            event::report(&Event::MessageTooLarge { client, most_bytes });
        }
        Cause::Limited(Some(own), wait) => event::report(&Event::RateLimited {
            client,
            limit: own.name(),
            bot: Some(bot.as_str()),
            retry_s: seconds(wait),
        }),
        Cause::Silent => slow("a WebSocket's pong"),
        Cause::Stalled => slow("reading a WebSocket"),
        Cause::BotMalformed(violation) => {
            tracing::error!(%bot, "a WebSocket was closed because the bot broke its rules: {violation}");
        }
        Cause::BotGone => {
            tracing::warn!(%bot, "a WebSocket was closed because the bot broke it off; its visitor is told to come again");
        }
        // The limit was reported where it was counted; idling and restarts are nobody's fault.
        Cause::Limited(None, _) | Cause::Idle | Cause::Restart => {}
    }
}
