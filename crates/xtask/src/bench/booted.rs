//! An appliance that is booted to be measured.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::assemble::{Assembled, assemble};
use crate::boot::child::Booted;
use crate::boot::{Event, Order};
use crate::failure::{Failure, Outcome, While};
use crate::host;
use crate::instance::{Instance, Reach};
use crate::program;
use crate::progress::note;
use crate::root::base::Purpose;
use crate::workspace::Workspace;

/// How long a container may take before it is given up, in seconds.
const PATIENCE_SECONDS: u64 = 120;

/// What a container is booted from for a benchmark.
pub(super) struct Ground {
    pub(super) workspace: Workspace,
    pub(super) assembled: Assembled,
    pub(super) instance: Instance,
}

impl Ground {
    /// Builds and assembles the root for `purpose`, lets `measure` boot it as a machine called `name`, and forgets that
    /// machine's state; where `measure` fails, the state is kept and named.
    pub(super) fn lend<T>(
        purpose: Purpose,
        name: &str,
        measure: impl FnOnce(&Self) -> Outcome<T>,
    ) -> Outcome<T> {
        host::prepare(host::CONTAINER)?;
        let workspace = Workspace::find()?;
        let assembled = assemble(&workspace, purpose)?;
        let instance = Instance::named(&workspace, name);
        let Some(_claim) = instance.claim()? else {
            return Failure::because("this benchmark is under way already");
        };
        instance.forget()?;
        instance.prepare()?;
        instance.note(None, None)?;
        let ground = Self {
            workspace,
            assembled,
            instance,
        };
        let measured = measure(&ground);
        if measured.is_ok() {
            ground.instance.forget()?;
        } else {
            ground.instance.unnote()?;
            let dir = ground.instance.dir().display();
            note(&format!("the machine's state and log are in {dir}"));
        }
        measured
    }

    /// Boots it, and stops it when `measure` is done.
    pub(super) fn boot<T>(
        &self,
        order: Order,
        measure: impl FnOnce(&Machine) -> Outcome<T>,
    ) -> Outcome<T> {
        let machine = Machine::start(&self.assembled, &self.instance)?;
        let measured = measure(&machine);
        machine.stop(if measured.is_ok() {
            order
        } else {
            Order::Crash
        })?;
        measured
    }
}

/// A running container.
pub(super) struct Machine {
    booted: Booted,
    started: Instant,
    leader: u32,
}

impl Machine {
    /// Boots `instance` and returns as soon as it has a PID 1.
    fn start(assembled: &Assembled, instance: &Instance) -> Outcome<Self> {
        let console = File::create(instance.dir().join("console.log"))
            .during("the console's log could not be made")?;
        let started = Instant::now();
        let booted = Booted::start(assembled.in_container(instance), console)?;
        let leader = match awaited(&booted, |event| match event {
            Event::Leader { pid } => Some(*pid),
            _ => None,
        }) {
            Ok(leader) => leader,
            Err(failure) => {
                booted.stop(Order::Crash)?;
                return Err(failure);
            }
        };
        Ok(Self {
            booted,
            started,
            leader,
        })
    }

    /// Waits until its start-up jobs are done; returns how long that took since the container was started.
    pub(super) fn ready(&self) -> Outcome<Duration> {
        awaited(&self.booted, |event| (*event == Event::Ready).then_some(()))?;
        Ok(self.age())
    }

    /// The time since the container was started.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// The way to run commands inside.
    pub(super) fn reach(&self) -> Reach {
        Reach::Container {
            leader: self.leader,
        }
    }

    /// A place in the container's file system, as this machine sees it.
    pub(super) fn path(&self, place: &str) -> PathBuf {
        format!("/proc/{}/root{place}", self.leader).into()
    }

    /// A command that runs a program of this machine in the container's network, and is killed with this process.
    pub(super) fn beside(&self, path: &Path) -> Command {
        let mut command = program::ending_with_this("KILL");
        command
            .args(["nsenter", "--target"])
            .arg(self.leader.to_string())
            .args(["--net", "--"])
            .arg(path);
        command
    }

    /// Stops it and waits until it is off.
    fn stop(self, order: Order) -> Outcome<()> {
        self.booted.stop(order)
    }
}

/// Waits for an event.
fn awaited<T>(booted: &Booted, wanted: impl Fn(&Event) -> Option<T>) -> Outcome<T> {
    loop {
        match booted.event(Duration::from_secs(PATIENCE_SECONDS))? {
            Some(event) => {
                if let Some(found) = wanted(&event) {
                    return Ok(found);
                }
            }
            None => return Failure::because("the container did not finish its start-up"),
        }
    }
}
