//! The firewall as a service.

use std::path::Path;
use std::sync::Arc;

use daemon::{BoxError, Reloads, Service, Start, Threads};
use sandbox::Plan;

use crate::config::{Config, FILE, FOLDER};
use crate::firewall::Firewall;
use crate::judge::{Judge, Own};
use crate::own;
use crate::serve::serve;
use crate::table::{Reader, Table, Tenure};
use crate::watches;

/// `casemate-firewall`.
#[derive(Debug)]
pub struct FirewallService;

impl Service for FirewallService {
    const STEM: &'static str = "firewall";
    // With more each call wakes another, for a quarter of what a ban costs. What takes a while has threads of its own.
    const THREADS: Threads = Threads::One;
    type Config = Config;

    fn check(config: &Config, _instance: Option<&str>) -> Result<(), String> {
        config.check()
    }

    fn plan(_config: &Config, _instance: Option<&str>) -> Plan {
        let plan = Plan::new().packet_filter();
        // To read its configuration anew, which need not be there.
        if Path::new(FOLDER).exists() {
            plan.read(FOLDER)
        } else {
            plan
        }
    }

    async fn serve(mut start: Start<Config>) -> Result<(), BoxError> {
        // The rules first: the network waits for them, and nobody who could call is there yet.
        let addresses = own::changes()?;
        let judge = Judge {
            policy: start.config.policy(),
            own: own::read().unwrap_or_else(|error| {
                // They are read again as soon as the rules are there.
                tracing::warn!("this machine's addresses could not be read: {error}");
                Own::default()
            }),
        };
        let table = Table::take(start.config.ports(), judge, Tenure::Owned)?;
        let firewall = Arc::new(Firewall::new(table, Reader::open()?));
        let listener = start.sockets.unix("firewall")?;
        watches::addresses(Arc::clone(&firewall), addresses)?;
        watches::table(Arc::clone(&firewall))?;
        tokio::spawn(watches::time(Arc::clone(&firewall)));
        tokio::spawn(watches::lists(Arc::clone(&firewall)));
        tokio::spawn(reload(Arc::clone(&firewall), start.reload.requests()?));
        start.ready.notify(&firewall.status());
        serve(firewall, &start.confined, listener, start.drain).await;
        Ok(())
    }
}

/// Reads the configuration anew whenever asked to. What cannot be served changes nothing.
async fn reload(firewall: Arc<Firewall>, mut reloads: Reloads) {
    while let Some(reloading) = reloads.next().await {
        let shared = Arc::clone(&firewall);
        // The turn to change the table may be long in coming.
        let taken = tokio::task::spawn_blocking(move || {
            shared.configure(&read()?)?;
            Ok::<_, BoxError>(shared.status())
        });
        match taken.await.map_err(BoxError::from).flatten() {
            Ok(status) => reloading.done(&status),
            Err(error) => {
                tracing::error!(
                    "the configuration was not taken, and what was open stays open: {error}"
                );
                reloading.done("The configuration was not taken; see the journal.");
            }
        }
    }
}

fn read() -> Result<Config, BoxError> {
    let Some((path, text)) = daemon::read(&[FILE.into()])? else {
        return Ok(Config::default());
    };
    let config: Config =
        daemon::parse(&text).map_err(|why| format!("{}: {why}", path.display()))?;
    config
        .check()
        .map_err(|why| format!("{}: {why}", path.display()))?;
    Ok(config)
}
