//! How much a client, a bot and all together may ask for.
//!
//! Own code and not the crate `governor`: its keyed limiters hold a map that grows
//! with every new client until somebody sweeps it, so a flood of addresses takes
//! either the memory or, where old keys are dropped, the limits away; and its clock
//! is a type, not a parameter. What is needed of it, the algorithm, is
//! `bucket.rs`; what it lacks is `table.rs`.

pub(crate) mod answer;
mod bucket;
mod decide;
mod open;
mod settings;
mod table;

pub use settings::Settings;

pub(crate) use bucket::{Moment, Quota, Wait, seconds};
pub(crate) use decide::{Class, Decision, Limit, Standing};
pub(crate) use event::ClientKey;
pub(crate) use open::Place;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chat_api::BotName;
use event::Event;
use ipnet::IpNet;

use decide::Limiter;
use open::Open;

/// The limits of one gate.
#[derive(Debug)]
pub(crate) struct Limits {
    limiter: Mutex<Limiter>,
    begun: Instant,
    connections: Arc<Open>,
    streams: Arc<Open>,
    sockets: Arc<Open>,
    exempt: Vec<IpNet>,
}

impl Limits {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            limiter: Mutex::new(Limiter::new(settings)),
            begun: Instant::now(),
            connections: Open::of(settings.connections),
            streams: Open::of(settings.streams),
            sockets: Open::of(settings.sockets),
            exempt: settings.exempt.clone(),
        }
    }

    /// A place for one more connection of a client, or none; an event says so.
    pub(crate) fn connection(&self, client: IpAddr) -> Option<Place> {
        self.place(&self.connections, "connections", client)
    }

    /// A place for one more request of a client that is answered, or none; an event says so.
    pub(crate) fn stream(&self, client: IpAddr) -> Option<Place> {
        self.place(&self.streams, "streams", client)
    }

    /// A place for one more WebSocket of a client, or none; an event says so.
    pub(crate) fn socket(&self, client: IpAddr) -> Option<Place> {
        self.place(&self.sockets, "sockets", client)
    }

    /// Takes one message on a WebSocket, which counts as a request that makes a bot answer; else says how long to wait.
    pub(crate) fn message(&self, client: IpAddr, bot: &BotName) -> Result<(), Duration> {
        match self.request(client, Class::Chat, Some(bot)) {
            Decision::Taken(_) => Ok(()),
            Decision::Refused(_, wait) => Err(wait),
        }
    }

    fn place(&self, open: &Arc<Open>, limit: &str, client: IpAddr) -> Option<Place> {
        if self.is_exempt(client) {
            return Some(Place::uncounted());
        }
        let place = Open::take(open, ClientKey::of(client));
        if place.is_none() {
            event::report(&Event::ConnectionLimit {
                client,
                limit,
                most: open.most().into(),
            });
        }
        place
    }

    /// Takes one request, or refuses it; then an event says so.
    pub(crate) fn request(&self, client: IpAddr, class: Class, bot: Option<&BotName>) -> Decision {
        let now = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let key = (!self.is_exempt(client)).then(|| ClientKey::of(client));
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let decision = limiter.request(now, key, class, bot);
        drop(limiter);
        if let Decision::Refused(standing, wait) = &decision {
            event::report(&Event::RateLimited {
                client,
                limit: standing.limit.name(),
                bot: bot.map(BotName::as_str),
                retry_s: seconds(*wait),
            });
        }
        decision
    }

    fn is_exempt(&self, client: IpAddr) -> bool {
        self.exempt.iter().any(|network| network.contains(&client))
    }
}
