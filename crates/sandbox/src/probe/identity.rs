//! Users, groups, capabilities and limits that are not the service's.

use std::io;

use rustix::process::{
    DumpableBehavior, Gid, Resource, Rlimit, Uid, getrlimit, set_dumpable_behavior,
    setpriority_process, setrlimit,
};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities, capabilities_secure_bits,
    configure_capability_in_ambient_set, set_capabilities, set_capabilities_secure_bits,
    set_keep_capabilities, set_thread_gid, set_thread_groups, set_thread_res_uid, set_thread_uid,
};

use super::Act;
use crate::raw;

/// A niceness above that of any other service.
const EAGER: i32 = -5;

pub(super) fn acts() -> Vec<Act> {
    vec![
        apart("become the user root", || {
            set_thread_uid(Uid::ROOT).map_err(io::Error::from)
        }),
        apart("become the user root in all ways", || {
            set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).map_err(io::Error::from)
        }),
        apart("become the group root", || {
            set_thread_gid(Gid::ROOT).map_err(io::Error::from)
        }),
        apart("join the group root", || {
            set_thread_groups(&[Gid::ROOT]).map_err(io::Error::from)
        }),
        apart("raise a capability", raise_capability),
        apart("raise an ambient capability", raise_ambient),
        apart("keep capabilities over a change of user", || {
            set_keep_capabilities(true).map_err(io::Error::from)
        }),
        apart("set the secure bits", || {
            let bits = capabilities_secure_bits().unwrap_or(CapabilitiesSecureBits::empty());
            set_capabilities_secure_bits(bits).map_err(io::Error::from)
        }),
        apart("raise a resource limit", raise_limit),
        apart("allow core dumps", allow_core_dumps),
        apart("become traceable", || {
            set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(io::Error::from)
        }),
        apart("raise its own priority", || {
            setpriority_process(None, EAGER).map_err(io::Error::from)
        }),
        apart("run in real time", raw::real_time),
    ]
}

fn apart(name: &str, attempt: fn() -> io::Result<()>) -> Act {
    Act::apart("identity", name, attempt)
}

/// A filter that forbids to ask must not hide whether setting is forbidden too.
fn current_sets() -> CapabilitySets {
    let none = CapabilitySet::empty();
    capabilities(None).unwrap_or(CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    })
}

fn raise_capability() -> io::Result<()> {
    let mut sets = current_sets();
    sets.effective |= CapabilitySet::CHOWN;
    sets.permitted |= CapabilitySet::CHOWN;
    set_capabilities(None, sets).map_err(io::Error::from)
}

fn raise_ambient() -> io::Result<()> {
    // an ambient capability must be inheritable first; where that is refused, so is this
    let mut sets = current_sets();
    sets.inheritable |= CapabilitySet::CHOWN;
    set_capabilities(None, sets).ok();
    configure_capability_in_ambient_set(CapabilitySet::CHOWN, true).map_err(io::Error::from)
}

/// Of one page, which the kernel would allow whoever has not given up core dumps for good.
fn allow_core_dumps() -> io::Result<()> {
    let page = Some(4096);
    setrlimit(
        Resource::Core,
        Rlimit {
            current: page,
            maximum: page,
        },
    )
    .map_err(io::Error::from)
}

fn raise_limit() -> io::Result<()> {
    let limit = getrlimit(Resource::Msgqueue);
    let maximum = limit.maximum.map(|bytes| bytes.saturating_add(1));
    setrlimit(
        Resource::Msgqueue,
        Rlimit {
            current: limit.current,
            maximum,
        },
    )
    .map_err(io::Error::from)
}
