//! Answers a request where its client may ask: he is not banned, and within his limits.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use chat_api::{BotName, FORGED_HEADER};
use event::Event;
use http::header::{self, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use ipc::Body;
use tokio::sync::OwnedSemaphorePermit;

use super::Desk;
use crate::access::{Handed, Record, Recorded};
use crate::bans::{self, Visit};
use crate::honeypots::is_linked;
use crate::limits::{Class, Decision, Place, answer};
use crate::{Route, forward, headers, route, upgrade};

impl Desk {
    /// Answers one request of a connection from `peer`, whose visit it is unless he is a proxy: by `answer`, which is
    /// told the client, where he is within his limits and not banned. What he did is judged before he is answered.
    pub(crate) async fn answer<F, A>(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        visit: Option<Arc<Visit>>,
        answer: F,
    ) -> Response<Body>
    where
        F: FnOnce(Request<Incoming>, IpAddr) -> A,
        A: Future<Output = Response<Body>>,
    {
        let begun = Instant::now();
        let id = request_id();
        let (mut parts, body) = request.into_parts();
        if self.proxies.is_forged(peer, &parts.headers) {
            let (client, reason) = (
                peer,
                "it names a client in a header, and is no trusted proxy",
            );
            event::report(&Event::ProxyUntrusted { client, reason });
        }
        let client = self.proxies.client(peer, &parts.headers);
        parts.headers.insert(headers::REQUEST_ID, id.clone());
        let bot = match route(parts.uri.path()) {
            Route::Bot(bot, _) | Route::Slash(bot) => Some(bot),
            Route::Health | Route::Unknown => None,
        };
        let origin = parts.headers.get(header::ORIGIN).cloned();
        if bot.is_none() && self.honeypots.holds(parts.uri.path()) {
            let path = parts.uri.path();
            event::report(&if is_linked(&parts) {
                Event::HoneypotLinked { client, path }
            } else {
                Event::HoneypotProbed { client, path }
            });
        }
        let record = self.log.record(
            &parts,
            client,
            bot.as_ref().map(BotName::as_str),
            &id,
            begun,
        );
        let named = headers::is_domain(&parts);
        // One whom a proxy names with each request has a visit for each.
        let by_proxy = client != peer.to_canonical();
        let visit = if by_proxy {
            self.bans.admit(client).map(Arc::new)
        } else {
            visit
        };
        let mut is_refused = if by_proxy {
            visit.is_none()
        } else {
            self.bans.refuses(client)
        };
        // What he did before, on whichever connection, decides on this one too: nobody behind the gate sees it until then.
        if !is_refused && let Some(judgement) = event::judgement(client) {
            judgement.await;
            is_refused = self.bans.refuses(client);
        }
        let (mut response, mut place) = if is_refused {
            (own(bans::refusal(), named), None)
        } else {
            // A WebSocket goes on after the answer.
            if let Some(visit) = &visit
                && upgrade::may_open(&parts)
            {
                parts.extensions.insert(Arc::clone(visit));
            }
            let asked = (parts, body);
            self.within_limits(asked, client, bot.as_ref(), named, answer)
                .await
        };
        if response.headers_mut().remove(FORGED_HEADER).is_some()
            && let Some(bot) = &bot
        {
            let bot = bot.as_str();
            event::report(&Event::TokenForged { client, bot });
        }
        event::judged(client).await;
        if !is_refused && self.bans.refuses(client) {
            (response, place) = (own(bans::refusal(), named), None);
            is_refused = true;
        }
        if let Some(visit) = visit.as_ref().filter(|_| is_refused && !by_proxy) {
            visit.gone().await;
        }
        let is_handed = response.extensions().get::<Handed>().is_some();
        if let (Some(bot), Some(origin), false) = (&bot, origin, is_handed) {
            self.sites
                .settle(bot, origin, response.headers_mut(), Instant::now());
        }
        response.headers_mut().insert(headers::REQUEST_ID, id);
        let response = recorded(response, record, place);
        match visit {
            Some(visit) if by_proxy && !is_refused => response.map(|body| bans::cut(body, visit)),
            _ => response,
        }
    }

    /// Answers a request where its client is within his limits.
    async fn within_limits<F, A>(
        &self,
        (parts, body): (http::request::Parts, Incoming),
        client: IpAddr,
        bot: Option<&BotName>,
        named: bool,
        answer: F,
    ) -> (Response<Body>, Option<Held>)
    where
        F: FnOnce(Request<Incoming>, IpAddr) -> A,
        A: Future<Output = Response<Body>>,
    {
        let class = Class::of(&parts.method, parts.uri.path(), bot);
        let standing = match self.limits.request(client, class, bot) {
            Decision::Refused(standing, wait) => {
                return (own(answer::refusal(&standing, wait), named), None);
            }
            Decision::Taken(standing) => standing,
        };
        let place = match self.place(client, forward::streams(&parts)) {
            Err(refusal) => return (own(refusal(), named), None),
            Ok(place) => place,
        };
        let mut response = answer(Request::from_parts(parts, body), client).await;
        if let Some(standing) = standing.filter(|_| answer::is_told(class)) {
            answer::tell(response.headers_mut(), &standing);
        }
        (response, Some(place))
    }

    /// A place for a request that is to be answered.
    ///
    /// # Errors
    /// What the client is told where there is none.
    fn place(&self, client: IpAddr, streams: bool) -> Result<Held, fn() -> Response<Body>> {
        let place = self.limits.stream(client);
        let place = place.ok_or(answer::too_many_streams as fn() -> _)?;
        let room = if streams {
            &self.streams
        } else {
            &self.answers
        };
        let room = Arc::clone(room).try_acquire_owned();
        room.map(|room| (place, room))
            .map_err(|_| answer::no_room as fn() -> _)
    }
}

/// What a request holds until its answer is sent.
type Held = (Place, OwnedSemaphorePermit);

/// An answer of the desk itself, which no one behind it has made fit for a visitor.
fn own(mut response: Response<Body>, named: bool) -> Response<Body> {
    headers::to_visitor(response.headers_mut(), named);
    response
}

/// The response, written down once all of it is sent; until then it holds its place.
/// Where another protocol follows, whoever speaks it writes it down.
fn recorded(
    mut response: Response<Body>,
    record: Option<Record>,
    place: Option<Held>,
) -> Response<Body> {
    let status = response.status();
    if let Some(handed) = response.extensions_mut().remove::<Handed>() {
        handed.over(record, status);
        return response;
    }
    response.map(|body| Recorded::body(body, record, status, place))
}

/// 64 random bits in hexadecimal.
fn request_id() -> HeaderValue {
    let mut bytes = [0_u8; 8];
    if secret::fill_random(&mut bytes).is_err() {
        return HeaderValue::from_static("0");
    }
    let text = format!("{:016x}", u64::from_ne_bytes(bytes));
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("0"))
}
