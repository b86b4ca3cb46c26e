//! Where a connection and each of its requests come first: who the client is,
//! whether he is within his limits, and what is written down about it.

mod answer;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::access::AccessLog;
use crate::bans::{Bans, Line, Visit};
use crate::client::Proxies;
use crate::client::receive;
use crate::descriptors::Room;
use crate::honeypots::Honeypots;
use crate::limits::{Limits, Place};
use crate::sites::Sites;
use crate::{Config, Error};

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
    bans: Arc<Bans>,
    honeypots: Arc<Honeypots>,
}

/// A connection that is served.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// Whom it is from, as far as the connection tells: a client, or a trusted proxy
    /// that names him with each request.
    pub(crate) peer: IpAddr,
    /// His visit; none where it is a proxy's.
    pub(crate) visit: Option<Arc<Visit>>,
    /// Given back when it ends.
    _place: Option<Place>,
}

impl Arrival {
    /// Serves the connection to its end, or until its client is banned: what is under way ends with it.
    pub(crate) async fn unless_banned(&self, served: impl Future<Output = ()>) {
        let banned = async {
            match &self.visit {
                Some(visit) => visit.banned().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = banned => tracing::debug!("the connection of a client who was banned was closed"),
            () = served => {}
        }
    }
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
        let proxies = Arc::new(Proxies::new(settings, &file).map_err(Error::Proxies)?);
        Ok(Self {
            bans: Arc::new(Bans::new(Arc::clone(&proxies))),
            honeypots: Arc::new(Honeypots::new(&config.honeypots)),
            proxies,
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

    /// Who is banned.
    pub(crate) const fn bans(&self) -> &Arc<Bans> {
        &self.bans
    }

    /// The paths that betray a scanner.
    pub(crate) fn honeypots(&self) -> Arc<Honeypots> {
        Arc::clone(&self.honeypots)
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
        mut stream: TcpStream,
        address: IpAddr,
        time: Duration,
    ) -> Option<(Arrival, Line)> {
        if self.bans.refuses(address) {
            return None;
        }
        let is_proxy = self.proxies.trusts(address);
        // A stranger is counted before he is waited for.
        let place = if is_proxy {
            None
        } else {
            Some(self.limits.connection(address)?)
        };
        let peer = receive::peer(&self.proxies, &mut stream, address, time).await?;
        let place = if is_proxy && !self.proxies.trusts(peer) {
            Some(self.limits.connection(peer)?)
        } else {
            place
        };
        let visit = if self.proxies.trusts(peer) {
            None
        } else {
            Some(Arc::new(self.bans.admit(peer)?))
        };
        let line = Line::new(stream, visit.as_deref());
        let arrival = Arrival {
            peer,
            visit,
            _place: place,
        };
        Some((arrival, line))
    }
}
