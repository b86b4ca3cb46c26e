//! A service that does nothing but reload, for the test of that: its status counts.

use std::process::ExitCode;

use daemon::{BoxError, Service, Start};
use sandbox::Plan;

struct Reloads;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

impl Service for Reloads {
    const STEM: &'static str = "reloads";
    type Config = Config;

    fn check(_config: &Config, _instance: Option<&str>) -> Result<(), String> {
        Ok(())
    }

    fn plan(_config: &Config, _instance: Option<&str>) -> Plan {
        // The service manager's socket, which a unit has from its sandbox.
        match std::env::var_os("NOTIFY_SOCKET") {
            Some(socket) => Plan::new().connect(socket),
            None => Plan::new(),
        }
    }

    async fn serve(start: Start<Config>) -> Result<(), BoxError> {
        // Whether it asks for reloads at all.
        let deaf = start.instance.as_deref() == Some("deaf");
        let mut reloads = if deaf {
            None
        } else {
            Some(start.reload.requests()?)
        };
        start.ready.notify("serving");
        let mut count = 0;
        let reload = async {
            while let Some(reloads) = &mut reloads
                && let Some(reloading) = reloads.next().await
            {
                count += 1;
                reloading.done(&format!("reloaded {count}"));
            }
            std::future::pending::<()>().await;
        };
        start.drain.run_until_cancelled(reload).await;
        Ok(())
    }
}

fn main() -> ExitCode {
    daemon::main::<Reloads>()
}
