//! What the service manager knows of Casemate's units.

use std::process::Command;

use chat_api::Instance;
use serde::Serialize;
use tpm::Count;

use crate::Error;
use crate::places::Places;

/// The properties that are asked for; org.freedesktop.systemd1(5) describes them.
const PROPERTIES: &str = "Id,ActiveState,SubState,Result,MemoryCurrent,NRestarts,StatusText,ActiveEnterTimestamp,LoadState,Type";

/// One unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Unit {
    /// Its name without `casemate-` and `.service`, such as `gate` or `chat@shop`.
    pub(crate) service: String,
    /// `active`, `activating`, `inactive`, `failed`, ….
    pub(crate) state: String,
    /// Why it failed, where it did.
    pub(crate) result: String,
    /// Since when it is active, as the service manager writes it.
    pub(crate) since: String,
    /// Memory in bytes, where the kernel counts it.
    pub(crate) memory_bytes: Option<u64>,
    /// How often it was restarted by itself.
    pub(crate) restarts: u64,
    /// What it says of itself.
    pub(crate) says: String,
    /// Whether it is a job that ends by itself.
    pub(crate) job: bool,
}

impl Unit {
    /// Whether it does what it is there for.
    pub(crate) fn is_well(&self) -> bool {
        self.state == "active" || (self.job && self.state != "failed")
    }
}

/// Asks for all services of Casemate that are loaded.
pub(crate) fn services() -> Result<Vec<Unit>, Error> {
    let output = Command::new("systemctl")
        .args([
            "show",
            "--all",
            "--timestamp=unix",
            "--property",
            PROPERTIES,
            "casemate-*.service",
        ])
        .output()
        .map_err(Error::ServiceManager)?;
    if !output.status.success() {
        return Err(Error::Systemctl(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ));
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Whether an instance's service still runs, were it only to finish its answers.
pub(crate) fn runs(instance: &Instance) -> Result<bool, Error> {
    let unit = format!("casemate-chat@{instance}.service");
    let output = Command::new("systemctl")
        .args(["show", "--property", "ActiveState", "--value", &unit])
        .output()
        .map_err(Error::ServiceManager)?;
    let state = String::from_utf8_lossy(&output.stdout);
    Ok(!matches!(state.trim(), "inactive" | "failed"))
}

/// What the TPM's counter of an instance's store says, where there is a TPM. Reading it moves nothing.
pub(crate) fn counter(instance: &Instance, places: &Places) -> Result<Option<Count>, Error> {
    if !places.tpm().exists() {
        return Ok(None);
    }
    let unit = format!("casemate-counter@read-chat-{instance}.service");
    let output = Command::new("systemctl")
        .args(["start", "--quiet", &unit])
        .output()
        .map_err(Error::ServiceManager)?;
    if !output.status.success() {
        // As where there is no TPM: a store that is bound to one then says so.
        return Ok(None);
    }
    let path = places.counter(instance);
    let text = std::fs::read_to_string(&path).map_err(|error| Error::Read(path, error))?;
    Ok(text.parse().ok())
}

/// Has the TPM's counter of an instance's store removed, where there is a TPM. A bot of the same name
/// would be refused for lack of the store that the counter is about.
pub(crate) fn forget_counter(instance: &Instance) -> Result<(), Error> {
    let unit = format!("casemate-counter@forget-chat-{instance}.service");
    let output = Command::new("systemctl")
        .args(["start", "--quiet", &unit])
        .output()
        .map_err(Error::ServiceManager)?;
    if output.status.success() {
        return Ok(());
    }
    let instance = instance.clone();
    Err(Error::Counter { instance, unit })
}

/// Has the service manager forget how a removed instance's service ended: no one can mend it any more.
pub(crate) fn forget_end(instance: &Instance) {
    let unit = format!("casemate-chat@{instance}.service");
    let forgotten = Command::new("systemctl")
        .args(["reset-failed", "--quiet", &unit])
        .output();
    // Where it ended well there is nothing to forget, and where not it is only shown for longer.
    drop(forgotten);
}

/// Reads `systemctl show`: lines of `Name=value`, a blank line between units. Pure.
fn parse(text: &str) -> Vec<Unit> {
    let mut units: Vec<Unit> = text.split("\n\n").filter_map(one).collect();
    units.sort_by(|one, other| one.service.cmp(&other.service));
    units
}

fn one(text: &str) -> Option<Unit> {
    let mut unit = Unit::default();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        match name {
            "Id" => {
                let stem = value.strip_prefix("casemate-")?.strip_suffix(".service")?;
                stem.clone_into(&mut unit.service);
            }
            "LoadState" if value != "loaded" => return None,
            "ActiveState" => value.clone_into(&mut unit.state),
            "Result" if value != "success" => value.clone_into(&mut unit.result),
            "ActiveEnterTimestamp" => value.trim_start_matches('@').clone_into(&mut unit.since),
            "MemoryCurrent" => {
                unit.memory_bytes = value.parse().ok().filter(|bytes| *bytes != u64::MAX)
            }
            "NRestarts" => unit.restarts = value.parse().unwrap_or(0),
            "StatusText" => value.clone_into(&mut unit.says),
            "Type" => unit.job = value == "oneshot",
            _ => {}
        }
    }
    if matches!(unit.state.as_str(), "inactive" | "failed") {
        // What it said last is no longer true.
        unit.says.clear();
    }
    (!unit.service.is_empty()).then_some(unit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHOWN: &str = "Type=notify\nNRestarts=2\nStatusText=serving HTTPS\nResult=success\nMemoryCurrent=4096\nId=casemate-gate.service\nLoadState=loaded\nActiveState=active\nActiveEnterTimestamp=@1790000000\n\nType=oneshot\nId=casemate-bots.service\nLoadState=loaded\nActiveState=inactive\nStatusText=done\nMemoryCurrent=[not set]\n\nId=casemate-x.service\nLoadState=not-found\nActiveState=inactive\n";

    #[test]
    fn units_are_read_by_name() {
        let units = parse(SHOWN);
        assert_eq!(units.len(), 2);
        assert_eq!(
            (
                units[0].service.as_str(),
                units[0].job,
                units[0].memory_bytes
            ),
            ("bots", true, None)
        );
        assert!(units[0].is_well() && units[0].says.is_empty());
        let gate = &units[1];
        assert_eq!(
            (gate.service.as_str(), gate.restarts, gate.memory_bytes),
            ("gate", 2, Some(4096))
        );
        assert_eq!(
            (gate.says.as_str(), gate.since.as_str()),
            ("serving HTTPS", "1790000000")
        );
        assert!(gate.is_well());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "((Id|ActiveState|Type|X)=[a-z@.-]{0,20}\n|\n){0,20}") {
            let _ = parse(&text);
        }
    }
}
