//! `casemate-fill`: gives a further instance of a bot the documents of the first, has it let visitors in, and ends.
//!
//! The service manager runs it whenever such an instance starts: when it is new, and when it was away while documents
//! were added. It speaks with both through the operators' sockets, as an operator does.

mod copy;

use std::path::Path;
use std::time::{Duration, Instant};

use chat_api::{Instance, operator};
use daemon::{BoxError, Job};
use sandbox::{Confined, Plan};

pub use crate::copy::{Copied, Error, copy};

/// The operators' sockets of the bots' instances.
const SOCKETS: &str = "/run/casemate/chat-operator";

/// How long it is tried before the unit fails, to be tried again later: an instance that starts with the machine takes
/// some seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// The job.
#[derive(Debug)]
pub struct Fill;

/// There is nothing to configure.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

impl Job for Fill {
    const STEM: &'static str = "fill";
    type Config = Config;

    fn check(_config: &Config, instance: Option<&str>) -> Result<(), String> {
        instance.map_or(Ok(()), |name| further(name).map(drop))
    }

    fn plan(_config: &Config, _instance: Option<&str>) -> Plan {
        Plan::new().connect(SOCKETS)
    }

    fn run(_config: Config, instance: Option<&str>, _confined: &Confined) -> Result<(), BoxError> {
        let instance = further(instance.unwrap_or_default())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let copied = runtime.block_on(fill(&instance, Path::new(SOCKETS)))?;
        tracing::info!(
            put = copied.put,
            removed = copied.removed,
            "{instance} has the documents of the first instance, and visitors are let in"
        );
        Ok(())
    }
}

/// The further instance of this name.
fn further(name: &str) -> Result<Instance, String> {
    let refused = |why: &str| {
        format!("--instance {name:?} is no further instance of a bot, such as shop.2: {why}")
    };
    let instance: Instance = name
        .parse()
        .map_err(|error: chat_api::InstanceError| refused(&error.to_string()))?;
    if instance.is_first() {
        return Err(refused("it is the first, which the others are filled from"));
    }
    Ok(instance)
}

/// Tries until it is done, for [`PATIENCE`].
async fn fill(instance: &Instance, sockets: &Path) -> Result<Copied, Error> {
    let client = |of: &Instance| operator::Client::new(sockets.join(format!("{of}.sock")));
    let (first, further) = (
        client(&Instance::first(instance.bot().clone())),
        client(instance),
    );
    let until = Instant::now() + PATIENCE;
    loop {
        match copy(&first, &further).await {
            Err(error) if Instant::now() < until => {
                tracing::debug!("{instance} is not filled yet: {error}");
                tokio::time::sleep(PAUSE).await;
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_further_instances_are_filled() {
        assert!(further("shop.2").is_ok());
        assert!(further("shop").is_err_and(|why| why.contains("it is the first")));
        for name in ["", "shop.1", "shop.9", "../shop.2"] {
            assert!(further(name).is_err(), "{name}");
        }
    }
}
