//! Where a connection and each of its requests come first: who the client is,
//! whether he is within his limits, and what is written down about it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_api::BotName;
use event::Event;
use http::header::{self, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use ipc::Body;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::access::{AccessLog, Handed, Record, Recorded};
use crate::client::Proxies;
use crate::client::receive;
use crate::descriptors::Room;
use crate::limits::{Class, Decision, Limits, Place, answer};
use crate::sites::Sites;
use crate::{Config, Error, Route, forward, headers, route};

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Desk {
    proxies: Arc<Proxies>,
    limits: Arc<Limits>,
    /// Visitors' connections that there is room for.
    connections: usize,
    /// Connections to bots that there is room for, of one answer or WebSocket each.
    answers: Arc<Semaphore>,
    sites: Sites,
    /// Answers that there is room for which share connections.
    streams: Arc<Semaphore>,
    /// Those connections.
    lines: Arc<Semaphore>,
    log: AccessLog,
}

/// A connection that is served.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// Whom it is from, as far as the connection tells: a client, or a trusted proxy
    /// that names him with each request.
    pub(crate) peer: IpAddr,
    /// Given back when it ends.
    _place: Option<Place>,
}

impl Desk {
    /// A desk for these settings. Reads the file of proxies.
    ///
    /// # Errors
    /// When that file cannot be read, or there are no random bytes.
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let settings = &config.proxies;
        let file = match &settings.networks_file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| Error::ProxiesUnread(path.clone(), error))?,
            None => String::new(),
        };
        let room = Room::of_process(config.connections);
        Ok(Self {
            proxies: Arc::new(Proxies::new(settings, &file).map_err(Error::Proxies)?),
            limits: Arc::new(Limits::new(&config.limits)),
            connections: room.connections,
            answers: Arc::new(Semaphore::new(room.answers)),
            sites: Sites::default(),
            streams: Arc::new(Semaphore::new(room.streams)),
            lines: Arc::new(Semaphore::new(room.lines)),
            log: AccessLog::new(&config.log)?,
        })
    }

    /// The proxies that it trusts.
    pub(crate) fn proxies(&self) -> Arc<Proxies> {
        Arc::clone(&self.proxies)
    }

    /// The visitors' connections that there is room for.
    pub(crate) const fn connections(&self) -> usize {
        self.connections
    }

    /// The room for connections to bots that answers share.
    pub(crate) fn lines(&self) -> Arc<Semaphore> {
        Arc::clone(&self.lines)
    }

    /// The room for connections to bots of one WebSocket each.
    pub(crate) fn answers(&self) -> Arc<Semaphore> {
        Arc::clone(&self.answers)
    }

    /// The limits that it holds clients to.
    pub(crate) fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.limits)
    }

    /// Lets a connection in, once it is known whose it is; none where it is to be
    /// closed. A proxy has no limit of its own, for it stands for many.
    pub(crate) async fn arrive(
        &self,
        stream: &mut TcpStream,
        address: IpAddr,
        time: Duration,
    ) -> Option<Arrival> {
        let is_proxy = self.proxies.trusts(address);
        // A stranger is counted before he is waited for.
        let place = if is_proxy {
            None
        } else {
            Some(self.limits.connection(address)?)
        };
        let peer = receive::peer(&self.proxies, stream, address, time).await?;
        let place = if is_proxy && !self.proxies.trusts(peer) {
            Some(self.limits.connection(peer)?)
        } else {
            place
        };
        Some(Arrival {
            peer,
            _place: place,
        })
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

    /// Answers one request of a connection from `peer`: by `answer`, which is told the
    /// client, where he is within his limits.
    pub(crate) async fn answer<F, A>(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
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
        let class = Class::of(&parts.method, parts.uri.path(), bot.as_ref());
        let record = self.log.record(
            &parts,
            client,
            bot.as_ref().map(BotName::as_str),
            &id,
            begun,
        );
        let (mut response, place) = match self.limits.request(client, class, bot.as_ref()) {
            Decision::Refused(standing, wait) => {
                (own(answer::refusal(&standing, wait), &parts), None)
            }
            Decision::Taken(standing) => match self.place(client, forward::streams(&parts)) {
                Err(refusal) => (own(refusal(), &parts), None),
                Ok(place) => {
                    let mut response = answer(Request::from_parts(parts, body), client).await;
                    if let Some(standing) = standing.filter(|_| answer::is_told(class)) {
                        answer::tell(response.headers_mut(), &standing);
                    }
                    (response, Some(place))
                }
            },
        };
        let is_handed = response.extensions().get::<Handed>().is_some();
        if let (Some(bot), Some(origin), false) = (&bot, origin, is_handed) {
            self.sites
                .settle(bot, origin, response.headers_mut(), Instant::now());
        }
        response.headers_mut().insert(headers::REQUEST_ID, id);
        recorded(response, record, place)
    }
}

/// What a request holds until its answer is sent.
type Held = (Place, OwnedSemaphorePermit);

/// An answer of the desk itself, which no one behind it has made fit for a visitor.
fn own(mut response: Response<Body>, request: &http::request::Parts) -> Response<Body> {
    headers::to_visitor(response.headers_mut(), headers::is_domain(request));
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
