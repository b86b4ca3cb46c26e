//! What a process gives up for good before any rule is made: privileges gained by exec, capabilities, core dumps, being traced.

use std::io;

use caps::{CapSet, Capability};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::{Error, raw};

/// Exec never gains a privilege again (set-user-ID bits, file capabilities).
pub(crate) fn set_no_new_privs() -> Result<(), Error> {
    let act = "PR_SET_NO_NEW_PRIVS";
    rustix::thread::set_no_new_privs(true).map_err(|errno| Error::Privilege {
        act,
        source: errno.into(),
    })?;
    match rustix::thread::no_new_privs() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::Privilege {
            act,
            source: io::Error::other("the kernel did not keep it"),
        }),
        Err(errno) => Err(Error::Privilege {
            act,
            source: errno.into(),
        }),
    }
}

/// No core dump and no tracing of this process: its memory holds keys and conversations.
pub(crate) fn forbid_memory_reading() -> Result<(), Error> {
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )
    .map_err(|errno| Error::Privilege {
        act: "RLIMIT_CORE 0",
        source: errno.into(),
    })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|errno| Error::Privilege {
        act: "PR_SET_DUMPABLE 0",
        source: errno.into(),
    })
}

/// Drops every capability from every set, and returns the gaps: the bounding set of a process without `CAP_SETPCAP` can't be
/// emptied, which is tolerable only because `no_new_privs` keeps exec from taking anything out of it.
pub(crate) fn drop_capabilities() -> Result<Vec<String>, Error> {
    let refused = |what: &'static str| move |error| Error::Capabilities(format!("{what}: {error}"));
    let may_drop_bounding = caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)
        .map_err(refused("effective set"))?;
    if may_drop_bounding {
        caps::clear(None, CapSet::Bounding).map_err(refused("bounding set"))?;
    }
    caps::clear(None, CapSet::Ambient).map_err(refused("ambient set"))?;
    caps::clear(None, CapSet::Effective).map_err(refused("effective set"))?;
    caps::clear(None, CapSet::Inheritable).map_err(refused("inheritable set"))?;
    caps::clear(None, CapSet::Permitted).map_err(refused("permitted set"))?;
    for set in [
        CapSet::Effective,
        CapSet::Permitted,
        CapSet::Inheritable,
        CapSet::Ambient,
    ] {
        let left = caps::read(None, set).map_err(refused("reading back"))?;
        if !left.is_empty() {
            return Err(Error::Capabilities(format!("{set:?} still holds {left:?}")));
        }
    }
    let bounding = caps::read(None, CapSet::Bounding).map_err(refused("bounding set"))?;
    if bounding.is_empty() {
        return Ok(Vec::new());
    }
    if may_drop_bounding {
        return Err(Error::Capabilities(format!(
            "the bounding set still holds {bounding:?}"
        )));
    }
    let regain = "no_new_privs keeps exec from using it";
    Ok(vec![format!(
        "the capability bounding set holds {} entries and this process may not drop them; {regain}",
        bounding.len()
    )])
}

/// How many threads the process runs. /proc tells the number; where it can't be read the kernel at least tells one from many.
pub(crate) fn require_single_thread() -> Result<(), Error> {
    if let Ok(entries) = std::fs::read_dir("/proc/self/task") {
        return match entries.count() {
            1 => Ok(()),
            threads => Err(Error::Threads(threads)),
        };
    }
    match raw::unshare(libc::CLONE_THREAD) {
        Ok(_) => Ok(()),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Err(Error::Threads(2)),
        Err(error) => Err(Error::ThreadsUnknown(error)),
    }
}
