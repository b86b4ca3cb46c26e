//! A conventional stack, measured beside the appliance.
//!
//! It runs in the container's network, so that both are asked over the same loopback and both ask the very same stand-in
//! for a provider. Its processes are kept in a control group of their own, which counts their processor time as systemd
//! counts the services'. The script, what it starts, and every child of that are in it; the stand-in and the visitors
//! are in neither side's count.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use super::booted::Machine;
use super::load::Service;
use super::provided;
use super::usage::{self, Memory};
use crate::cgroup::Cgroup;
use crate::failure::{Failure, Outcome, While};
use crate::instance::Instance;

/// How long the script may take, in seconds.
const SCRIPT_SECONDS: u64 = 120;

/// Where a conventional stack serves.
pub(super) const SERVICE: Service = Service {
    name: "beside",
    address: "127.0.0.1:8444",
    path: "/api/chat",
    body: r#"{"conversation":"{n}","message":"When do I get my refund?"}"#,
    done: "data: [DONE]",
};

/// A running conventional stack.
pub(super) struct Stack {
    script: PathBuf,
    log: PathBuf,
    group: PathBuf,
    cgroup: Cgroup,
    instance: Instance,
}

impl Stack {
    /// Starts it, ending what an earlier run may have left.
    pub(super) fn start(
        machine: &Machine,
        script: &Path,
        instance: Instance,
        hierarchy: &Path,
    ) -> Outcome<Self> {
        let script = script
            .canonicalize()
            .during(format_args!("{} cannot be found", script.display()))?;
        instance.prepare()?;
        // `cargo xtask down` then clears it away should this process be killed.
        instance.note(None, None)?;
        let stack = Self {
            script,
            log: instance.dir().join("script.log"),
            group: hierarchy.join(instance.cgroup()),
            cgroup: Cgroup::named(hierarchy, instance.cgroup())?,
            instance,
        };
        stack.cgroup.create()?;
        let started = stack.cgroup.around(|| {
            stack.run(machine, &["stop"])?;
            stack.run(machine, &[])
        });
        match started {
            Ok(status) if status.success() => Ok(stack),
            outcome => {
                stack.clear()?;
                let why =
                    outcome.map_or_else(|failure| failure.to_string(), |status| status.to_string());
                Failure::because(format!(
                    "the stack beside could not be started: {why}. What its script said is in {}",
                    stack.log.display()
                ))
            }
        }
    }

    /// The processor time that all its processes have taken.
    pub(super) fn processor(&self) -> Outcome<Duration> {
        usage::processor_of_group(&self.group)
    }

    /// The memory of its programs.
    pub(super) fn memory(&self) -> Outcome<Memory> {
        usage::memory_of_group(&self.group)
    }

    /// Ends it by its script, and whatever that leaves.
    pub(super) fn stop(self, machine: &Machine) -> Outcome<()> {
        let asked = self.cgroup.around(|| self.run(machine, &["stop"]));
        self.clear()?;
        asked?;
        self.instance.forget()
    }

    fn clear(&self) -> Outcome<()> {
        self.cgroup.destroy()?;
        self.instance.unnote()
    }

    fn run(&self, machine: &Machine, arguments: &[&str]) -> Outcome<ExitStatus> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .during("the script's log could not be made")?;
        let errors = log.try_clone().during("the script's log was lost")?;
        let mut command: Command = machine.beside(Path::new("timeout"));
        command
            .arg(SCRIPT_SECONDS.to_string())
            .arg(&self.script)
            .args(arguments)
            .env("LLM_URL", provided::URL)
            // OpenAI's own clients take headers from here: the stand-in insists on its key.
            .env(
                "OPENAI_CUSTOM_HEADERS",
                format!("Authorization: Bearer {}", provided::KEY),
            )
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .status()
            .during("the script could not be started")
    }
}
