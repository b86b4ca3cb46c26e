//! The gate terminates TLS 1.3 and hands each request to the bot that its path
//! names. It parses hostile bytes, so it can open nothing: its listening socket
//! is inherited, and of Unix sockets it sees the bots' alone. Of files it reads the
//! certificates and the answers to authorities' challenges.

mod access;
mod admit;
mod client;
mod config;
mod descriptors;
mod desk;
mod ending;
mod error;
mod forward;
mod handshake;
mod headers;
mod hosts;
mod limits;
mod places;
mod plain;
mod route;
mod serve;
pub mod strict;
mod tls;
pub mod upgrade;
mod workers;

pub use access::{ClientShown, Settings as LogSettings};
pub use client::{NETWORKS_MAX, Named, Settings as ProxiesSettings};
pub use config::{Config, Http};
pub use error::Error;
pub use limits::Settings as LimitsSettings;
pub use plain::Plain;
pub use route::{Route, route};
pub use tls::Sources;

use std::path::Path;
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
            .connect(BOT_SOCKETS);
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
        let edge = Edge::new(sources, Path::new(BOT_SOCKETS), start.config)?;
        let listeners = start.sockets.tcp("https")?;
        // Where another program has the port, HTTPS is served all the same.
        let plain_listeners = if start.sockets.names().any(|name| name == "http") {
            start.sockets.tcp("http")?
        } else {
            Vec::new()
        };
        let (plain, reloader) = (edge.plain(), edge.reloader());
        let reloads = start.reload.requests()?;
        start.ready.notify(&reloader.status());
        let drain = start.drain;
        let serve = edge.serve(&start.confined, listeners, drain.clone());
        let serve_plain = plain.serve(&start.confined, plain_listeners, drain.clone());
        let reload = drain.run_until_cancelled(reloader.answer(reloads));
        tokio::try_join!(serve, serve_plain.map(Ok), reload.map(Ok))?;
        Ok(())
    }
}

/// A gate with its certificates and the bots behind it, ready to serve.
#[derive(Debug)]
pub struct Edge {
    tls: Arc<Tls>,
    bots: forward::Bots,
    desk: desk::Desk,
    hosts: hosts::Hosts,
    config: Config,
}

impl Edge {
    /// A gate for the bots whose visitor sockets are in `bots`.
    ///
    /// # Errors
    /// When there is no certificate, or none that can be used, or the list of proxies can't be.
    pub fn new(sources: impl Into<Sources>, bots: &Path, config: Config) -> Result<Self, Error> {
        let tls = Arc::new(Tls::new(sources.into(), &config.tls)?);
        let bots = forward::Bots::new(bots, &config);
        let desk = desk::Desk::new(&config)?;
        let hosts = hosts::Hosts::new(&config.http.hosts);
        Ok(Self {
            tls,
            bots,
            desk,
            hosts,
            config,
        })
    }

    /// The side of it that is not encrypted.
    #[must_use]
    pub fn plain(&self) -> Plain {
        Plain::new(Arc::clone(&self.tls), &self.config.http)
    }

    /// What makes it read its certificates anew.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        Reloader(Arc::clone(&self.tls))
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
        let served = serve::all(confined, listeners, self, drain).await;
        event::flush();
        served.map_err(Error::Workers)
    }
}

/// Makes a gate that serves read its certificates anew.
#[derive(Debug, Clone)]
pub struct Reloader(Arc<Tls>);

impl Reloader {
    /// Reads and checks them all; new handshakes then use them. What is wrong is logged,
    /// and what was in use in its place stays so.
    pub async fn reload(&self) {
        let tls = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || tls.reload()).await {
            Ok(Ok(())) => tracing::info!("{}", self.0.status()),
            // Said already, with what stays in use.
            Ok(Err(error)) => tracing::debug!("a reload changed nothing: {error}"),
            Err(error) => tracing::error!("a reload changed nothing: {error}"),
        }
    }

    /// What `systemctl status` says.
    #[must_use]
    pub fn status(&self) -> String {
        self.0.status()
    }

    /// Reloads whenever the service manager asks for it.
    async fn answer(&self, mut reloads: Reloads) {
        while let Some(reloading) = reloads.next().await {
            self.reload().await;
            reloading.done(&self.0.status());
        }
    }
}
