//! The broker as a service.

use daemon::{BoxError, Service, Start};
use sandbox::Plan;

use crate::{
    config::Config,
    serve::{Broker, serve},
};

/// The dialer's socket for this service alone.
const DIALER: &str = "/run/casemate/dialer/llm/dialer.sock";
/// The folder that it is in.
const DIALER_FOLDER: &str = "/run/casemate/dialer/llm";
/// The name of the inherited listener.
const SOCKET: &str = "llm";

/// `casemate-llm`.
#[derive(Debug)]
pub struct Llm;

impl Service for Llm {
    const STEM: &'static str = "llm";

    type Config = Config;

    fn check(config: &Config, _: Option<&str>) -> Result<(), String> {
        config.check()
    }

    fn plan(config: &Config, _: Option<&str>) -> Plan {
        let plan = Plan::new().connect(DIALER_FOLDER);
        let files = config
            .provider
            .iter()
            .filter_map(|entry| entry.ca_file.as_ref());
        files.fold(plan, |plan, file| plan.read(file))
    }

    async fn serve(start: Start<Config>) -> Result<(), BoxError> {
        let Start {
            config,
            mut sockets,
            credentials,
            confined,
            drain,
            ready,
            ..
        } = start;
        let listener = sockets.unix(SOCKET)?;
        let count = config.provider.len();
        let broker = Broker::new(config, &credentials, &dialer_api::Client::new(DIALER));
        ready.notify(&format!(
            "answering from documents and by {count} configured providers"
        ));
        serve(&confined, listener, broker, drain).await;
        Ok(())
    }
}
