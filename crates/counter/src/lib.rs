//! `casemate-counter`: reads, moves and forgets the TPM's counter of one store, and ends.
//!
//! The store's own service has no device. Before it starts, `casemate-counter@read-STORE` hands
//! over what the counter says; once the service serves, and has said that it noted the next value,
//! `casemate-counter@move-STORE` moves the counter there. The device is opened by the service
//! manager: this program could open no other, and not that one again.

mod handover;
pub mod step;
pub mod wear;

use daemon::{BoxError, Job};
use sandbox::{Confined, Plan};
use secret::Credentials;
use tpm::{Count, Device, Moved};

use handover::Folder;
use step::{Step, Task};

/// The name that the unit gives the opened device.
const DEVICE: &str = "tpm";

/// The credential that is what the store's service has noted.
const OPENED: &str = "opened";

/// What it is where the service has noted nothing.
const NOTHING: &str = "none";

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service says nonsense.
    #[error(
        "what the store's service noted makes no sense, so the counter is not moved: an older copy \
         that is put back might go unnoticed"
    )]
    Opened(#[source] tpm::CountError),
}

/// The job.
#[derive(Debug)]
pub struct Counter;

/// There is nothing to configure.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

impl Job for Counter {
    const STEM: &'static str = "counter";
    type Config = Config;

    fn check(_config: &Config, instance: Option<&str>) -> Result<(), String> {
        instance.map_or(Ok(()), |it| it.parse::<Task>().map(drop))
    }

    fn plan(_config: &Config, _instance: Option<&str>) -> Plan {
        daemon::runtime_folder().map_or_else(|_| Plan::new(), |folder| Plan::new().write(folder))
    }

    fn run(_config: Config, instance: Option<&str>, _confined: &Confined) -> Result<(), BoxError> {
        let task: Task = instance.unwrap_or_default().parse()?;
        let folder = Folder::new(daemon::runtime_folder()?);
        let mut device = Device::new(daemon::opened(DEVICE)?);
        match task.step {
            Step::Read => {
                // What an earlier start was shown must not be shown again.
                folder.withdraw(&task.store)?;
                let count = tpm::read(&mut device, &task.store)?;
                folder.hand_over(&task.store, count)?;
                tracing::info!(
                    store = task.store,
                    "the TPM's counter is at {}",
                    count.value
                );
            }
            Step::Move => {
                if let Some(to) = noted(&Credentials::from_environment())? {
                    let moved = advance(&mut device, &folder, &task.store, to);
                    // The next start is to be shown what is read then, or nothing.
                    folder.withdraw(&task.store)?;
                    moved?;
                }
            }
            Step::Forget => {
                folder.withdraw(&task.store)?;
                if tpm::remove(&mut device, &task.store)? {
                    tracing::info!(store = task.store, "the TPM's counter is removed");
                }
            }
        }
        Ok(())
    }
}

/// What the store's service has noted, if it has: one that did not come to open its store has not.
fn noted(credentials: &Credentials) -> Result<Option<Count>, BoxError> {
    let text = match credentials.text(OPENED) {
        Ok(text) => text,
        Err(secret::Error::Missing(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match text.expose() {
        NOTHING => Ok(None),
        text => Ok(Some(text.parse().map_err(Error::Opened)?)),
    }
}

fn advance(
    device: &mut Device<std::fs::File>,
    folder: &Folder,
    store: &str,
    to: Count,
) -> Result<(), BoxError> {
    let Some(wear) = wear::allow(folder.wear(store), wear::now()) else {
        tracing::info!(
            store,
            "the store was opened often of late, so the TPM's counter rests and its memory is spared"
        );
        return Ok(());
    };
    if tpm::advance(device, store, to)? == Moved::Now {
        folder.note_wear(store, wear)?;
        tracing::info!(store, "the TPM's counter has moved to {}", to.value);
    }
    Ok(())
}
