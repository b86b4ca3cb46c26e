//! The dialer as a service.

use std::path::Path;
use std::sync::Arc;

use daemon::{BoxError, Service, Start};
use sandbox::Plan;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::resolve::{HOSTS, RESOLV_CONF, Resolver};
use crate::serve::{Dialer, serve};

/// `casemate-dialer`.
#[derive(Debug)]
pub struct DialerService;

impl Service for DialerService {
    const STEM: &'static str = "dialer";
    type Config = Config;

    fn check(config: &Config, _instance: Option<&str>) -> Result<(), String> {
        config.reaches().map(drop)
    }

    fn plan(_config: &Config, _instance: Option<&str>) -> Plan {
        // A machine without a network has neither file.
        let files = [RESOLV_CONF, HOSTS]
            .into_iter()
            .filter(|file| Path::new(file).exists());
        files.fold(Plan::new().internet(), Plan::read)
    }

    async fn serve(mut start: Start<Config>) -> Result<(), BoxError> {
        let dialer = Arc::new(Dialer::new(start.config.reaches()?, Resolver::default()));
        let callers: Vec<String> = start.sockets.names().map(str::to_owned).collect();
        if callers.is_empty() {
            return Err(
                "no caller's socket was handed over; start the service through its .socket units"
                    .into(),
            );
        }
        for reach in dialer
            .reaches()
            .iter()
            .filter(|reach| !callers.contains(&reach.unit))
        {
            tracing::warn!(unit = reach.unit, host = %reach.host, "dialer.toml names a unit that has no socket here, so nobody can use that entry");
        }
        let mut lines = JoinSet::new();
        for caller in callers {
            let listener = start.sockets.unix(&caller)?;
            let (dialer, confined, drain) = (
                Arc::clone(&dialer),
                start.confined.clone(),
                start.drain.clone(),
            );
            lines.spawn(async move { serve(dialer, &confined, caller, listener, drain).await });
        }
        start.ready.notify(&format!(
            "{} declared for {} callers",
            dialer.reaches().len(),
            lines.len()
        ));
        while let Some(ended) = lines.join_next().await {
            ended?;
        }
        Ok(())
    }
}
