//! The gate terminates TLS 1.3 and hands each request to the bot that its path
//! names. It parses hostile bytes, so it can open nothing: its listening socket
//! is inherited, and of Unix sockets it sees the bots' alone.

mod config;
mod error;
mod forward;
mod headers;
mod route;
mod serve;
mod tls;

pub use config::Config;
pub use error::Error;
pub use route::{Route, route};

use daemon::{BoxError, Service, Start};
use sandbox::Plan;

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

    fn plan(_config: &Config, _instance: Option<&str>) -> Plan {
        Plan::new().connect(BOT_SOCKETS)
    }

    async fn serve(mut start: Start<Config>) -> Result<(), BoxError> {
        let tls = tls::from_credentials(&start.credentials)?;
        let listeners = start.sockets.tcp("https")?;
        let bots = forward::Bots::new(BOT_SOCKETS, &start.config);
        start.ready.notify("serving HTTPS");
        serve::all(
            &start.confined,
            listeners,
            tls,
            &start.config,
            bots,
            start.drain,
        )
        .await;
        Ok(())
    }
}
