//! The gate terminates TLS 1.3 and hands each request to the bot that its path
//! names: of a bot with several instances, to the one that has the conversation, here or
//! on another appliance. It parses hostile bytes, so it can open nothing: its listening
//! sockets are inherited, and of Unix sockets it sees the bots' and its own one of the
//! dialer, which connects it to the appliances that are declared and to nothing else. Of
//! files it reads the certificates and the answers to authorities' challenges. It tells `guard` what clients do that
//! they should not, and refuses those whom `guard` bans.

mod access;
mod admit;
mod balance;
mod bans;
mod client;
mod config;
mod descriptors;
mod desk;
mod ending;
mod error;
mod forward;
mod handshake;
mod headers;
mod honeypots;
mod hosts;
mod limits;
mod peers;
mod places;
mod plain;
mod route;
mod serve;
mod sites;
pub mod strict;
mod tls;
pub mod upgrade;
mod workers;

pub use access::{ClientShown, Settings as LogSettings};
pub use balance::Settings as BalanceSettings;
pub use client::{NETWORKS_MAX, Named, Settings as ProxiesSettings};
pub use config::{Config, Http};
pub use error::Error;
pub use honeypots::Settings as HoneypotsSettings;
pub use limits::Settings as LimitsSettings;
pub use peers::{Door, Other, Own, PeerSources};
pub use plain::Plain;
pub use route::{Route, route};
pub use tls::Sources;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use daemon::{BoxError, Reloads, Service, Start};
use futures_util::FutureExt as _;
use sandbox::{Confined, Plan};
use tls::Tls;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Where the bots' visitor sockets are, one `BOT.sock` each.
pub const BOT_SOCKETS: &str = "/run/casemate/chat";

/// Where certificates are, one `NAME.pem` each with its private key.
pub const CERTIFICATES: &str = "/run/casemate/tls";

/// Where the answers to authorities' challenges are.
pub const CHALLENGES: &str = "/run/casemate/challenges";

/// The authority whose certificates other appliances show, where there are any.
pub const PEERS_AUTHORITY: &str = "/etc/casemate/peers.pem";

/// The gate's door to the dialer, which knows it by that door.
pub const DIALER: &str = "/run/casemate/dialer/gate/dialer.sock";
const DIALER_FOLDER: &str = "/run/casemate/dialer/gate";

/// The service, as `daemon` starts it.
#[derive(Debug)]
pub struct Gate;

impl Service for Gate {
    const STEM: &'static str = "gate";
    type Config = Config;

    fn check(config: &Config, _instance: Option<&str>) -> Result<(), String> {
        config.check()
    }

    fn plan(config: &Config, _instance: Option<&str>) -> Plan {
        let mut plan = Plan::new()
            .read(CERTIFICATES)
            .read(CHALLENGES)
            // Listed, to see which instances of a bot there are.
            .read(BOT_SOCKETS)
            .connect(BOT_SOCKETS)
            .connect(DIALER_FOLDER);
        if Path::new(event::SOCKET_FOLDER).exists() {
            plan = plan.connect_packets(event::SOCKET_FOLDER);
        }
        if Path::new(PEERS_AUTHORITY).exists() {
            plan = plan.read(PEERS_AUTHORITY);
        }
        let files = [&config.tls.client_ca, &config.proxies.networks_file];
        for path in files.into_iter().flatten() {
            plan = plan.read(path);
        }
        plan
    }

    async fn serve(mut start: Start<Config>) -> Result<(), BoxError> {
        let sources = Sources::from(&start.credentials)
            .folder(CERTIFICATES)
            .challenges(CHALLENGES);
        let peers = PeerSources::new(&start.credentials, PEERS_AUTHORITY, DIALER);
        let edge = Edge::new(sources, Path::new(BOT_SOCKETS), start.config)?.beside(&peers);
        edge.follow(Path::new(event::SOCKET)).await;
        let listeners = start.sockets.tcp("https")?;
        let mut optional = |wanted: &str| {
            let is_there = start.sockets.names().any(|name| name == wanted);
            let listeners = is_there.then(|| start.sockets.tcp(wanted));
            listeners.transpose().map(Option::unwrap_or_default)
        };
        // Where another program has the port, HTTPS is served all the same.
        let plain_listeners = optional("http")?;
        let peers_listeners = optional("peers")?;
        let door = edge.door();
        let (plain, reloader) = (edge.plain(), edge.reloader());
        let shown = reloader.clone();
        let reloads = start.reload.requests()?;
        start.ready.notify(&reloader.status());
        let drain = start.drain;
        let serve = edge.serve(&start.confined, listeners, drain.clone());
        let serve_plain = plain.serve(&start.confined, plain_listeners, drain.clone());
        let serve_peers = door.serve(&start.confined, peers_listeners, drain.clone());
        let reload = drain.run_until_cancelled(reloader.answer(reloads));
        let show = drain.run_until_cancelled(shown.show());
        tokio::try_join!(
            serve,
            serve_plain.map(Ok),
            serve_peers.map(Ok),
            reload.map(Ok),
            show.map(Ok)
        )?;
        Ok(())
    }
}

/// A gate with its certificates and the bots behind it, ready to serve.
#[derive(Debug)]
pub struct Edge {
    tls: Arc<Tls>,
    bots: Arc<forward::Bots>,
    sockets: PathBuf,
    /// How other appliances' handshakes are made; none where there are no others.
    peers: Option<Arc<rustls::ServerConfig>>,
    desk: desk::Desk,
    hosts: hosts::Hosts,
    config: Config,
}

impl Edge {
    /// A gate for the bots whose visitor sockets are in `sockets`.
    ///
    /// # Errors
    /// When there is no certificate, or none that can be used, or the list of proxies can't be.
    pub fn new(sources: impl Into<Sources>, sockets: &Path, config: Config) -> Result<Self, Error> {
        let tls = Arc::new(Tls::new(sources.into(), &config.tls)?);
        let desk = desk::Desk::new(&config)?;
        let bots = forward::Bots::new(sockets, &config, Vec::new(), desk.lines());
        let bots = Arc::new(bots);
        let hosts = hosts::Hosts::new(&config.http.hosts);
        Ok(Self {
            tls,
            bots,
            sockets: sockets.to_owned(),
            peers: None,
            desk,
            hosts,
            config,
        })
    }

    /// The same gate beside other appliances, where the settings name any. What is wrong with their certificates is
    /// logged; visitors are then served by this appliance alone.
    #[must_use]
    pub fn beside(mut self, sources: &PeerSources) -> Self {
        if let Some(peers) = peers::Peers::if_usable(sources, &self.config) {
            self.peers = Some(peers.server());
            let lines = self.desk.lines();
            let bots = forward::Bots::new(&self.sockets, &self.config, peers.all, lines);
            self.bots = Arc::new(bots);
        }
        self
    }

    /// The side of it that other appliances come to.
    #[must_use]
    pub fn door(&self) -> Door {
        let drains = self.config.appliance.drain;
        Door::new(self.peers.clone(), Arc::clone(&self.bots), drains)
    }

    /// The side of it that is not encrypted.
    #[must_use]
    pub fn plain(&self) -> Plain {
        Plain::new(Arc::clone(&self.tls), &self.desk, &self.config.http)
    }

    /// From now on tells whoever listens on that socket of security events, and refuses whom he bans. Waits until he
    /// has said who is banned already, where he listens; where he does not, all is as without him.
    pub async fn follow(&self, socket: &Path) {
        self.desk.bans().follow(socket).await;
    }

    /// What makes it read its certificates anew.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        Reloader {
            tls: Arc::clone(&self.tls),
            bots: Arc::clone(&self.bots),
        }
    }

    /// Serves on all listeners until `drain` is cancelled, then lets answers
    /// under way finish.
    ///
    /// # Errors
    /// When the kernel has no room for threads to serve on; nothing was served then.
    pub async fn serve(
        self,
        confined: &Confined,
        listeners: Vec<TcpListener>,
        drain: CancellationToken,
    ) -> Result<(), Error> {
        let bots = Arc::clone(&self.bots);
        let served = tokio::select! {
            served = serve::all(confined, listeners, self, drain) => served,
            // Goes on while answers under way end, and ends with them.
            () = bots.watch() => Ok(()),
        };
        event::flush();
        served.map_err(Error::Workers)
    }
}

/// Makes a gate that serves read its certificates anew, and says how it stands.
#[derive(Debug, Clone)]
pub struct Reloader {
    tls: Arc<Tls>,
    bots: Arc<forward::Bots>,
}

impl Reloader {
    /// Reads and checks them all; new handshakes then use them. What is wrong is logged,
    /// and what was in use in its place stays so.
    pub async fn reload(&self) {
        let tls = Arc::clone(&self.tls);
        match tokio::task::spawn_blocking(move || tls.reload()).await {
            Ok(Ok(())) => tracing::info!("{}", self.tls.status()),
            // Said already, with what stays in use.
            Ok(Err(error)) => tracing::debug!("a reload changed nothing: {error}"),
            Err(error) => tracing::error!("a reload changed nothing: {error}"),
        }
    }

    /// What `systemctl status` says.
    #[must_use]
    pub fn status(&self) -> String {
        format!("{}{}", self.tls.status(), self.bots.status())
    }

    /// Reloads whenever the service manager asks for it.
    async fn answer(&self, mut reloads: Reloads) {
        while let Some(reloading) = reloads.next().await {
            self.reload().await;
            reloading.done(&self.status());
        }
    }

    /// Tells the service manager whenever a member goes out or comes back.
    async fn show(&self) {
        loop {
            self.bots.changed().await;
            daemon::say(&self.status());
        }
    }
}
