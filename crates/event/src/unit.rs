//! Which unit the process at the other end of a socket belongs to.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_peercred;

use crate::raw;

/// Where processes tell their control groups.
const PROC: &str = "/proc";

/// Who opened a connection, as the kernel and the service manager know him; never as he says himself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The system unit, such as `casemate-gate.service`.
    pub unit: String,
    /// Process id, for the journal.
    pub pid: i32,
}

/// Why it is not known which unit a connection is from. Nothing that comes from there can be believed.
#[derive(Debug, thiserror::Error)]
pub enum UnitError {
    /// The kernel does not tell.
    #[error("the kernel does not tell whose connection it is (it takes Linux 6.5)")]
    Kernel(#[source] io::Error),
    /// The process has ended, so that its id may be another's.
    #[error("the process that opened the connection has ended")]
    Ended,
    /// Its control group could not be read.
    #[error("the control group of process {0} could not be read")]
    Unread(i32, #[source] io::Error),
    /// It belongs to none.
    #[error("process {0} belongs to no unit of the system")]
    None(i32),
}

impl Peer {
    /// Asks the kernel who opened a connected Unix socket. That the process still lives after its control group was
    /// read shows that the group is its own and not that of a process with the same id.
    ///
    /// # Errors
    /// [`UnitError`]
    pub fn of(socket: impl AsFd) -> Result<Self, UnitError> {
        let process = raw::peer_pidfd(&socket).map_err(|error| match error.raw_os_error() {
            Some(libc::ESRCH | libc::EINVAL | libc::ENODATA) => UnitError::Ended,
            _ => UnitError::Kernel(error),
        })?;
        let credentials =
            socket_peercred(&socket).map_err(|error| UnitError::Kernel(error.into()))?;
        let pid = credentials.pid.as_raw_pid();
        let read = fs::read_to_string(Path::new(PROC).join(pid.to_string()).join("cgroup"));
        if has_ended(&process) {
            return Err(UnitError::Ended);
        }
        let text = read.map_err(|error| UnitError::Unread(pid, error))?;
        let unit = unit_of(&text).ok_or(UnitError::None(pid))?.to_owned();
        Ok(Self { unit, pid })
    }
}

/// A descriptor of a process is readable once the process has ended (pidfd_open(2)).
fn has_ended(process: impl AsFd) -> bool {
    let mut asked = [PollFd::new(&process, PollFlags::IN)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut asked, Some(&at_once)) != Ok(0)
}

/// The unit in the text of `/proc/PID/cgroup` (cgroups(7)). Pure.
///
/// It is the first below the slices: what is further below is the unit's own to name, and a user's service manager
/// could call something there `casemate-gate.service`. Of the unified hierarchy and the service manager's own of the old
/// kind, the manager uses one and leaves processes at the other's root, or it uses both and they agree.
fn unit_of(text: &str) -> Option<&str> {
    fn path_of(line: &str) -> Option<&str> {
        let (number, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let unified = number == "0" && controllers.is_empty();
        (controllers == "name=systemd" || unified).then_some(path)
    }
    let mut used = text.lines().filter_map(path_of).filter(|path| *path != "/");
    let unit = unit_in(used.next()?)?;
    used.all(|path| unit_in(path) == Some(unit)).then_some(unit)
}

fn unit_in(path: &str) -> Option<&str> {
    let mut below = path.strip_prefix('/')?.split('/');
    let unit = below.find(|part| !part.ends_with(".slice"))?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    let known = unit.ends_with(".service") && unit.bytes().all(is_name);
    known.then_some(unit)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_unit_is_the_first_below_the_slices() {
        for (text, unit) in [
            (
                "0::/system.slice/casemate-gate.service\n",
                Some("casemate-gate.service"),
            ),
            (
                "0::/system.slice/system-casemate\\x2dchat.slice/casemate-chat@shop.service\n",
                Some("casemate-chat@shop.service"),
            ),
            (
                "0::/system.slice/casemate-gate.service/below.service\n",
                Some("casemate-gate.service"),
            ),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/casemate-gate.service\n",
                Some("user@1000.service"),
            ),
            ("0::/user.slice/user-0.slice/session-3.scope\n", None),
            (
                "12:pids:/x\n1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n",
                Some("a.service"),
            ),
            (
                "1:name=systemd:/system.slice/a.service\n0::/\n",
                Some("a.service"),
            ),
            (
                "1:name=systemd:/\n0::/system.slice/a.service\n",
                Some("a.service"),
            ),
            ("1:name=systemd:/a.service\n0::/b.service\n", None),
            ("12:pids:/system.slice/a.service\n", None),
            ("0::/\n", None),
            ("0::/init.scope\n", None),
            ("0::/../../a.service\n", None),
            ("0::/a b.service\n", None),
            ("", None),
        ] {
            assert_eq!(unit_of(text), unit, "{text}");
        }
    }

    #[test]
    fn a_process_of_this_machine_is_itself() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let unit = unit_of(&own).map(str::to_owned);
        assert_eq!(Peer::of(&one).map(|peer| peer.unit).ok(), unit);
    }

    #[test]
    fn who_has_ended_is_nobody() {
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        let process = raw::peer_pidfd(&one).unwrap();
        assert!(!has_ended(&process));
        drop(other);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        // A child that connects and ends.
        let script = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])";
        let status = std::process::Command::new("python3")
            .args(["-c", script])
            .arg(&path)
            .status();
        assert!(status.unwrap().success());
        let (accepted, _) = listener.accept().unwrap();
        assert!(matches!(Peer::of(&accepted), Err(UnitError::Ended)));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[0:/a-c.\\n]{0,40}|0::(/[a-z]{1,4}\\.(slice|service|scope)){0,5}\n") {
            if let Some(unit) = unit_of(&text) {
                prop_assert!(unit.ends_with(".service") && !unit.contains('/'));
            }
        }
    }
}
