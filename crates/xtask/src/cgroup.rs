//! One control group for each machine: whatever runs in it can be found and killed, whoever started it.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome, While};

/// How long killed processes may take to go, in seconds.
const GONE_SECONDS: u64 = 20;

/// How often an emptying group is looked at, in milliseconds.
const LOOK_MILLIS: u64 = 20;

/// A control group of the unified hierarchy.
#[derive(Debug, Clone)]
pub(crate) struct Cgroup {
    path: PathBuf,
    home: PathBuf,
}

impl Cgroup {
    /// The group called `name` under the hierarchy mounted at `hierarchy`; it need not exist.
    pub(crate) fn named(hierarchy: &Path, name: &str) -> Outcome<Self> {
        let own =
            fs::read_to_string("/proc/self/cgroup").during("/proc/self/cgroup is unreadable")?;
        let home = own
            .lines()
            .find_map(|line| line.strip_prefix("0::/"))
            .unwrap_or_default();
        Ok(Self {
            path: hierarchy.join(name),
            home: hierarchy.join(home),
        })
    }

    /// Makes the group, ending whatever an earlier machine of this name left in it.
    pub(crate) fn create(&self) -> Outcome<()> {
        self.destroy()?;
        fs::create_dir(&self.path).during(format_args!(
            "the control group {} could not be made",
            self.path.display()
        ))
    }

    /// Runs `start` with the calling process inside the group, so that what it starts stays there.
    pub(crate) fn around<T>(&self, start: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let join = |group: &Path| {
            fs::write(group.join("cgroup.procs"), "0").during(format_args!(
                "the control group {} could not be entered",
                group.display()
            ))
        };
        join(&self.path)?;
        let outcome = start();
        join(&self.home)?;
        outcome
    }

    /// Kills every process in the group and below it, as a power cut would.
    pub(crate) fn kill(&self) -> Outcome<()> {
        if !self.path.exists() {
            return Ok(());
        }
        fs::write(self.path.join("cgroup.kill"), "1").during(format_args!(
            "the processes in {} could not be killed",
            self.path.display()
        ))
    }

    /// Kills what is inside and removes the group with all groups below it.
    pub(crate) fn destroy(&self) -> Outcome<()> {
        if !self.path.exists() {
            return Ok(());
        }
        self.kill()?;
        let deadline = Instant::now() + Duration::from_secs(GONE_SECONDS);
        loop {
            match remove_tree(&self.path) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > deadline => {
                    return Err(Failure::new(format!(
                        "the control group {} is still in use {GONE_SECONDS} s after its processes were \
                         killed: {error}",
                        self.path.display()
                    )));
                }
                Err(_) => sleep(Duration::from_millis(LOOK_MILLIS)),
            }
        }
    }
}

/// Removes a group and those below it, deepest first.
fn remove_tree(group: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}
