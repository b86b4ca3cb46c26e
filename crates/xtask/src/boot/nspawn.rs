//! Boots a root under systemd-nspawn: seconds, on this machine's own kernel.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::supervise::{Running, supervise};
use crate::cgroup::Cgroup;
use crate::failure::{Outcome, While};
use crate::mounts;
use crate::program;
use crate::root::hold;

/// What the appliance's own sandboxes need and nspawn does not give by default. Without `bpf` systemd's IP
/// filters silently do nothing, and without Landlock no service starts.
const CAPABILITIES: &str = "CAP_BPF,CAP_NET_ADMIN,CAP_PERFMON";
const SYSTEM_CALLS: &str =
    "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self bpf";

/// A container to boot.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Container {
    /// A read-only layer of the root; topmost first.
    #[arg(long = "lower", required = true)]
    pub(crate) lowers: Vec<PathBuf>,
    /// The directory that keeps what the machine writes.
    #[arg(long)]
    pub(crate) state: PathBuf,
    /// The name of the machine's control group.
    #[arg(long)]
    pub(crate) cgroup: String,
    /// Restart when the container asks for it; otherwise a restart ends the machine.
    #[arg(long)]
    pub(crate) allow_reboot: bool,
}

/// Boots the container and stays until it is off.
pub(crate) fn boot(container: &Container) -> Outcome<()> {
    mounts::enter_private_namespace()?;
    // Held while the machine runs, so that nothing tidies its layers away.
    let _held = container
        .lowers
        .iter()
        .map(|lower| hold(lower))
        .collect::<Outcome<Vec<_>>>()?;
    let hierarchy = mounts::unified_cgroups()?;
    let private = mounts::cover_run()?;
    let root = private.join("root");
    mounts::overlay(
        &container.lowers,
        &container.state.join("upper"),
        &container.state.join("work"),
        &root,
    )?;
    let socket = private.join("notify");
    let notifications =
        UnixDatagram::bind(&socket).during("the notification socket could not be made")?;
    notifications
        .set_nonblocking(true)
        .during("the notification socket could not be watched")?;
    let cgroup = Cgroup::named(&hierarchy, &container.cgroup)?;
    cgroup.create()?;
    let begin = || cgroup.around(|| start(&root, &socket));
    let child = match begin() {
        Ok(child) => child,
        Err(failure) => {
            cgroup.destroy()?;
            return Err(failure);
        }
    };
    supervise(Running {
        child,
        cgroup: cgroup.clone(),
        notifications: Some(notifications),
        power_off: &|pid| {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let pid = pid.during("the container's process has no number")?;
            // nspawn answers SIGTERM by asking the container's systemd to power off (`--kill-signal`).
            kill_process(pid, Signal::TERM).during("the container could not be told to power off")
        },
        restart: container.allow_reboot.then_some(&begin),
    })
}

/// Starts systemd-nspawn; its console goes to standard error.
fn start(root: &Path, notify_socket: &Path) -> Outcome<Child> {
    // A container must not outlive the process that watches it.
    program::ending_with_this("KILL")
        .arg("systemd-nspawn")
        .arg("--directory")
        .arg(root)
        .args([
            "--boot",
            "--machine=casemate",
            "--register=no",
            "--keep-unit",
            "--settings=no",
            "--private-network",
            "--notify-ready=yes",
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
            "--console=pipe",
            "--kill-signal=SIGRTMIN+3",
        ])
        .arg(format!("--capability={CAPABILITIES}"))
        .arg(format!("--system-call-filter={SYSTEM_CALLS}"))
        .env("NOTIFY_SOCKET", notify_socket)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .spawn()
        .during("systemd-nspawn could not be started")
}
