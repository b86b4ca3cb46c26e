//! What a process gives up for good before any rule is made: privileges gained by exec,
//! capabilities, core dumps, being traced.

use std::io;

use caps::{CapSet, Capability, CapsHashSet};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use rustix::thread::CapabilitySet;

use crate::{Error, Plan, raw};

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

/// Drops every capability from every set but what the plan grants, and returns the gaps: the bounding set of a process
/// without `CAP_SETPCAP` can't be emptied, which is tolerable only because `no_new_privs` keeps
/// exec from taking anything out of it.
pub(crate) fn drop_capabilities(plan: &Plan) -> Result<Vec<String>, Error> {
    let kept: CapsHashSet = if plan.has_packet_filter() {
        [Capability::CAP_NET_ADMIN].into()
    } else {
        CapsHashSet::new()
    };
    let held = read(CapSet::Permitted)?;
    if let Some(lacking) = kept.difference(&held).next() {
        return Err(Error::Capabilities(format!(
            "{lacking} is needed and not there; the unit's AmbientCapabilities= grants it"
        )));
    }
    let may_drop_bounding = read(CapSet::Effective)?.contains(&Capability::CAP_SETPCAP);
    if may_drop_bounding {
        caps::clear(None, CapSet::Bounding).map_err(refused)?;
    }
    // in this order: what is effective must be permitted, and what is ambient inheritable. A kept one is no longer either
    // of the latter, so that no program that is executed has it.
    for (set, left) in [
        (CapSet::Ambient, &CapsHashSet::new()),
        (CapSet::Inheritable, &CapsHashSet::new()),
        (CapSet::Effective, &kept),
        (CapSet::Permitted, &kept),
    ] {
        // asked first, so that a unit that gives no capability need not allow the call that sets
        // them
        if read(set)? != *left {
            caps::set(None, set, left).map_err(refused)?;
        }
    }
    require_no_other(plan)?;
    match (read(CapSet::Bounding)?.len(), may_drop_bounding) {
        (0, _) => Ok(Vec::new()),
        (left, true) => Err(Error::Capabilities(format!(
            "the bounding set still holds {left}"
        ))),
        (left, false) => Ok(vec![format!(
            "the capability bounding set holds {left} that this process may not drop; no_new_privs keeps exec from using them"
        )]),
    }
}

/// Reads the sets back as the kernel has them, capabilities that have no name yet included. The
/// ambient set can hold nothing that is not inheritable (capabilities(7)).
fn require_no_other(plan: &Plan) -> Result<(), Error> {
    let sets = rustix::thread::capabilities(None).map_err(|errno| Error::Privilege {
        act: "reading the capabilities",
        source: errno.into(),
    })?;
    let kept = if plan.has_packet_filter() {
        CapabilitySet::NET_ADMIN
    } else {
        CapabilitySet::empty()
    };
    let held = [sets.effective, sets.permitted, sets.inheritable].map(|set| set.bits());
    if held == [kept.bits(), kept.bits(), 0] {
        Ok(())
    } else {
        Err(Error::Capabilities(format!("they are still {held:#x?}")))
    }
}

fn read(set: CapSet) -> Result<CapsHashSet, Error> {
    caps::read(None, set).map_err(refused)
}

fn refused(error: caps::errors::CapsError) -> Error {
    Error::Capabilities(error.to_string())
}

/// How many threads the process runs. /proc tells the number; where it can't be read the kernel at
/// least tells one from many.
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn no_capability_remains_in_any_set() {
        let thread = std::thread::spawn(|| {
            set_no_new_privs().unwrap();
            let gaps = drop_capabilities(&Plan::new()).unwrap();
            let sets = [
                CapSet::Effective,
                CapSet::Permitted,
                CapSet::Inheritable,
                CapSet::Ambient,
            ];
            (
                gaps,
                sets.map(|set| read(set).unwrap()),
                read(CapSet::Bounding).unwrap(),
            )
        });
        let (gaps, sets, bounding) = thread.join().unwrap();
        assert!(sets.iter().all(CapsHashSet::is_empty), "{sets:?}");
        assert_eq!(
            bounding.is_empty(),
            gaps.is_empty(),
            "what remains is told: {gaps:?}"
        );
    }

    #[test]
    fn one_of_many_threads_is_not_confined() {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || receiver.recv().is_ok());
        assert!(matches!(require_single_thread(), Err(Error::Threads(2..))));
        let error = raw::unshare(libc::CLONE_THREAD).unwrap_err();
        assert_eq!(
            error.raw_os_error(),
            Some(libc::EINVAL),
            "the way without /proc"
        );
        drop(sender);
        assert!(!other.join().unwrap());
    }
}
