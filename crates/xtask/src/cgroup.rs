//! One control group for each machine: whatever runs in it can be found and killed, whoever started it.

use std::fs;
use std::io::{Error, ErrorKind};
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
        match fs::write(self.path.join("cgroup.kill"), "1") {
            Err(error) if error.kind() == ErrorKind::NotFound && !self.path.exists() => Ok(()),
            outcome => outcome.during(format_args!(
                "the processes in {} could not be killed",
                self.path.display()
            )),
        }
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

/// Removes a group and those below it, deepest first. One that is gone already is well gone: the process that
/// watched the machine may be removing it too.
fn remove_tree(group: &Path) -> std::io::Result<()> {
    let gone_is_fine = |error: Error| match error.kind() {
        ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    };
    let entries = match fs::read_dir(group) {
        Ok(entries) => entries,
        Err(error) => return gone_is_fine(error),
    };
    for entry in entries.filter_map(Result::ok) {
        if entry.path().is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(group).or_else(gone_is_fine)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn trees_are_removed_and_absent_ones_are_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let group = dir.path().join("group");
        fs::create_dir_all(group.join("payload/system.slice")).unwrap();
        remove_tree(&group).unwrap();
        assert!(!group.exists());
        remove_tree(&group).unwrap();
    }

    #[test]
    fn a_group_that_is_in_use_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        // A file stands for what keeps a group from being removed.
        fs::write(dir.path().join("busy"), "").unwrap();
        assert!(remove_tree(dir.path()).is_err());
    }
}
