//! One machine of this checkout: what it keeps between boots, and a note on who runs it.

use std::fs;
use std::hash::Hasher;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroup;
use crate::failure::{Outcome, While};
use crate::root::remove;
use crate::workspace::Workspace;
use crate::{boot, mounts};

/// Where a checkout keeps its machines.
const DIRECTORY: &str = ".casemate";

/// The note on a running machine.
const NOTE: &str = "running.json";

/// A named machine.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    dir: PathBuf,
    cgroup: String,
}

/// A process that is still the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pid: i32,
    /// When it started, in clock ticks since the machine's boot (`proc_pid_stat(5)`, field 22).
    started: u64,
}

/// What is noted about a running machine, for other commands to find it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    /// The process that holds the machine and stops it in order.
    pub(crate) owner: Process,
    /// How to reach inside; a test's driver keeps that to itself.
    pub(crate) reach: Option<Reach>,
    /// Where its page is served, for a person's machine.
    pub(crate) listen: Option<SocketAddr>,
}

/// How commands get into a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reach {
    /// Through the namespaces of a container's PID 1.
    Container {
        /// That process, as this machine numbers it.
        leader: u32,
    },
    /// Through a virtual machine's consoles.
    Console {
        /// The root shell for commands.
        shell: PathBuf,
        /// The terminal for a person.
        terminal: PathBuf,
    },
}

impl Instance {
    /// The machine called `name` of this checkout.
    pub(crate) fn named(workspace: &Workspace, name: &str) -> Self {
        let mut hasher = std::hash::DefaultHasher::new();
        hasher.write(workspace.root().as_os_str().as_encoded_bytes());
        // Two checkouts may each have a machine of this name.
        let checkout = hasher.finish() & 0xffff_ffff;
        Self {
            dir: workspace.root().join(DIRECTORY).join(name),
            cgroup: format!("casemate-{name}-{checkout:08x}"),
        }
    }

    /// Every machine of this checkout that has a note on running.
    pub(crate) fn noted(workspace: &Workspace) -> Vec<Self> {
        let Ok(entries) = fs::read_dir(workspace.root().join(DIRECTORY)) else {
            return Vec::new();
        };
        entries
            .filter_map(Result::ok)
            .filter(|entry| entry.path().join(NOTE).exists())
            .map(|entry| Self::named(workspace, &entry.file_name().to_string_lossy()))
            .collect()
    }

    /// The directory with all that it keeps.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The name of its control group.
    pub(crate) fn cgroup(&self) -> &str {
        &self.cgroup
    }

    /// Makes sure that the directory is there.
    pub(crate) fn prepare(&self) -> Outcome<()> {
        fs::create_dir_all(&self.dir)
            .during(format_args!("{} could not be made", self.dir.display()))
    }

    /// Keeps every other process from using this machine until the returned file is closed; none if one does.
    pub(crate) fn claim(&self) -> Outcome<Option<fs::File>> {
        self.prepare()?;
        let failed = || format!("{} could not be locked", self.dir.display());
        // Beside the directory, which may be forgotten while the claim stands.
        let lock = fs::File::create(self.dir.with_extension("lock")).during(failed())?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error).during(failed()),
        }
    }

    /// Forgets all that the machine kept. It must not run.
    pub(crate) fn forget(&self) -> Outcome<()> {
        remove(&self.dir)
    }

    /// The note on the running machine, if there is one that can be read.
    pub(crate) fn running(&self) -> Option<Running> {
        serde_json::from_slice(&fs::read(self.dir.join(NOTE)).ok()?).ok()
    }

    /// Notes that this process runs the machine.
    pub(crate) fn note(&self, reach: Option<Reach>, listen: Option<SocketAddr>) -> Outcome<()> {
        let pid = i32::try_from(std::process::id()).during("this process has no number")?;
        let owner = Process::of(pid).during("this process cannot see itself in /proc")?;
        let running = Running {
            owner,
            reach,
            listen,
        };
        let text = serde_json::to_vec(&running).during("the note could not be written")?;
        let partial = self.dir.join("running.partial");
        fs::write(&partial, text)
            .and_then(|()| fs::rename(&partial, self.dir.join(NOTE)))
            .during("the note on the running machine could not be written")
    }

    /// Removes the note.
    pub(crate) fn unnote(&self) -> Outcome<()> {
        remove(&self.dir.join(NOTE))
    }

    /// Ends whatever is left of a machine whose owner is gone, and the note on it.
    ///
    /// The calling process gets a mount namespace of its own to see the control groups in.
    pub(crate) fn sweep(&self) -> Outcome<()> {
        let hierarchy = mounts::unified_cgroups()?;
        Cgroup::named(&hierarchy, &self.cgroup)?.destroy()?;
        remove(&boot::qemu::socket_dir(&self.cgroup))?;
        self.unnote()
    }
}

impl Process {
    /// The process with this number, if it is there.
    fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(Self {
            pid,
            started: start_time(&stat)?,
        })
    }

    /// Whether it is still there; another that got its number does not count.
    pub(crate) fn alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Asks it to end in order.
    pub(crate) fn terminate(self) -> Outcome<()> {
        let pid = Pid::from_raw(self.pid).during("there is no process 0")?;
        kill_process(pid, Signal::TERM).during(format_args!("process {} took no signal", self.pid))
    }

    /// Its number.
    pub(crate) fn pid(self) -> i32 {
        self.pid
    }
}

/// The start time in a `/proc/PID/stat`; none for a process that has ended and is only not yet waited for.
fn start_time(stat: &str) -> Option<u64> {
    // The second field is a name in parentheses and may hold spaces and parentheses itself.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_number_and_start() {
        let own = Process::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(own.alive());
        let other = Process {
            started: own.started + 1,
            ..own
        };
        assert!(!other.alive());
    }

    #[test]
    fn names_with_parentheses_do_not_shift_the_fields() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20";
        assert_eq!(start_time(stat), Some(777));
        assert_eq!(
            start_time("42 (a) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777"),
            None
        );
        assert_eq!(start_time("nonsense"), None);
    }
}
