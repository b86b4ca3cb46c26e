//! The gate terminates TLS 1.3 and hands each request to the bot that its path
//! names. It parses hostile bytes, so it can open nothing: its listening socket
//! is inherited, and of Unix sockets it sees the bots' alone.

mod access;
mod admit;
mod client;
mod config;
mod desk;
mod error;
mod forward;
mod headers;
mod hosts;
mod limits;
mod route;
mod serve;
pub mod strict;
mod tls;

pub use access::{ClientShown, Settings as LogSettings};
pub use client::{NETWORKS_MAX, Named, Settings as ProxiesSettings};
pub use config::{Config, Http};
pub use error::Error;
pub use hosts::Hosts;
pub use limits::Settings as LimitsSettings;
pub use route::{Route, route};

use std::path::Path;
use std::sync::Arc;

use daemon::{BoxError, Service, Start};
use sandbox::{Confined, Plan};
use secret::Credentials;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Where the bots' visitor sockets are, one `BOT.sock` each.
pub const BOT_SOCKETS: &str = "/run/casemate/chat";

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
        let plan = Plan::new().connect(BOT_SOCKETS);
        match &config.proxies.networks_file {
            Some(path) => plan.read(path),
            None => plan,
        }
    }

    async fn serve(mut start: Start<Config>) -> Result<(), BoxError> {
        let edge = Edge::new(&start.credentials, Path::new(BOT_SOCKETS), start.config)?;
        let listeners = start.sockets.tcp("https")?;
        start.ready.notify("serving HTTPS");
        edge.serve(&start.confined, listeners, start.drain).await;
        Ok(())
    }
}

/// A gate with its certificate and the bots behind it, ready to serve.
pub struct Edge {
    tls: TlsAcceptor,
    bots: forward::Bots,
    desk: desk::Desk,
    hosts: Arc<Hosts>,
    config: Config,
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edge")
            .field("bots", &self.bots)
            .finish_non_exhaustive()
    }
}

impl Edge {
    /// A gate for the bots whose visitor sockets are in `bots`.
    ///
    /// # Errors
    /// When the certificate is missing or cannot be used, or the list of proxies is.
    pub fn new(credentials: &Credentials, bots: &Path, config: Config) -> Result<Self, Error> {
        let tls = tls::from_credentials(credentials)?;
        let bots = forward::Bots::new(bots, &config);
        let desk = desk::Desk::new(&config)?;
        let hosts = Arc::new(Hosts::new(&config.http.hosts));
        Ok(Self {
            tls,
            bots,
            desk,
            hosts,
            config,
        })
    }

    /// The hosts that it answers for; whoever holds the certificate tells them its names.
    #[must_use]
    pub fn hosts(&self) -> Arc<Hosts> {
        Arc::clone(&self.hosts)
    }

    /// Serves on all listeners until `drain` is cancelled, then lets answers
    /// under way finish.
    pub async fn serve(
        self,
        confined: &Confined,
        listeners: Vec<TcpListener>,
        drain: CancellationToken,
    ) {
        serve::all(confined, listeners, self, drain).await;
        event::flush();
    }
}
