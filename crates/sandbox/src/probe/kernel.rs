//! What belongs to the kernel and to the machine as a whole.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::inotify;
use rustix::mount::{
    FsOpenFlags, MountFlags, OpenTreeFlags, UnmountFlags, fsopen, mount, open_tree, unmount,
};
use rustix::process::{chroot, pivot_root};
use rustix::system::{
    RebootCommand, delete_module, finit_module, init_module, reboot, setdomainname, sethostname,
};
use rustix::time::{ClockId, clock_gettime, clock_settime};

use super::Act;
use super::errno::passes;
use crate::raw;

pub(super) fn acts() -> Vec<Act> {
    let mut acts = mounts();
    acts.extend(modules());
    acts.extend(interfaces());
    acts.extend(machine());
    acts
}

fn mounts() -> Vec<Act> {
    let group = "mounts";
    vec![
        // the type is looked up behind the permission check
        Act::new(group, "mount", || {
            let nothing = mount(c"none", c"/", c"casemate-none", MountFlags::empty(), None);
            passes(nothing.map_err(io::Error::from), &[libc::ENODEV])
        }),
        // /proc/self/fd is no mount point, as the kernel says to whoever may unmount
        Act::new(group, "unmount", || {
            passes(
                unmount(c"/proc/self/fd", UnmountFlags::empty()).map_err(io::Error::from),
                &[libc::EINVAL],
            )
        }),
        Act::new(group, "change the root by pivot_root", || {
            passes(
                pivot_root(c"/", c"/").map_err(io::Error::from),
                &[libc::EBUSY, libc::EINVAL],
            )
        }),
        Act::apart(group, "change the root by chroot", || {
            chroot(c"/").map_err(io::Error::from)
        }),
        Act::new(group, "copy a mount", || {
            let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            open_tree(rustix::fs::CWD, c"/", flags)
                .map(drop)
                .map_err(io::Error::from)
        }),
        Act::new(group, "open a file system", || {
            fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)
                .map(drop)
                .map_err(io::Error::from)
        }),
    ]
}

fn modules() -> Vec<Act> {
    let group = "kernel code";
    vec![
        Act::new(group, "load a module", || {
            passes(
                init_module(b"casemate", c"").map_err(io::Error::from),
                &[libc::ENOEXEC],
            )
        }),
        // standard input is no module
        Act::new(group, "load a module from a file", || {
            let loaded = finit_module(io::stdin().as_fd(), c"", 0).map_err(io::Error::from);
            passes(
                loaded,
                &[libc::ENOEXEC, libc::EBADF, libc::EINVAL, libc::EIO],
            )
        }),
        Act::new(group, "remove a module", || {
            passes(
                delete_module(c"casemate_none", 0).map_err(io::Error::from),
                &[libc::ENOENT],
            )
        }),
        Act::new(group, "load a kernel", raw::kexec_load),
        #[cfg(target_arch = "x86_64")]
        Act::new(group, "load a kernel from a file", || {
            passes(raw::kexec_file_load(), &[libc::EINVAL, libc::EBADF])
        }),
        Act::new(group, "make a BPF map", raw::bpf_map),
    ]
}

fn interfaces() -> Vec<Act> {
    let group = "kernel interfaces";
    vec![
        Act::new(group, "look up its keyring", raw::keyring_id),
        Act::new(group, "add a key", raw::add_key),
        // no such key, says the kernel to whoever may ask
        Act::new(group, "ask for a key", || {
            passes(raw::request_key(), &[libc::ENOKEY, libc::ENOENT])
        }),
        Act::new(group, "set up io_uring", raw::io_uring),
        Act::new(group, "handle page faults", raw::userfaultfd),
        Act::new(group, "count performance events", raw::perf_event),
        Act::new(group, "read the kernel's log", raw::kernel_log),
        Act::new(group, "hold up others' opens by fanotify", raw::fanotify),
        Act::new(group, "watch files by inotify", || {
            inotify::init(inotify::CreateFlags::CLOEXEC)
                .map(drop)
                .map_err(io::Error::from)
        }),
        Act::new(group, "sync quotas", raw::quota_sync),
        #[cfg(target_arch = "x86_64")]
        Act::apart(group, "use I/O ports by ioperm", raw::ioperm),
        #[cfg(target_arch = "x86_64")]
        Act::apart(group, "use I/O ports by iopl", raw::iopl),
    ]
}

/// Each of these sets what is set already, or what can't be set.
fn machine() -> Vec<Act> {
    let group = "machine";
    vec![
        // what the service manager itself sets at boot
        Act::new(group, "set what Ctrl-Alt-Del does", || {
            reboot(RebootCommand::CadOff).map_err(io::Error::from)
        }),
        Act::new(group, "swap to a file", || {
            passes(raw::swapon(), &[libc::ENOENT])
        }),
        Act::new(group, "stop swapping to a file", || {
            passes(raw::swapoff(), &[libc::ENOENT])
        }),
        // a name that is too long is told only to whoever may set one
        Act::new(group, "set the host's name", || {
            passes(
                sethostname(&[b'x'; 65]).map_err(io::Error::from),
                &[libc::EINVAL],
            )
        }),
        Act::new(group, "set the domain's name", || {
            passes(
                setdomainname(&[b'x'; 65]).map_err(io::Error::from),
                &[libc::EINVAL],
            )
        }),
        Act::new(group, "set the clock", || {
            clock_settime(ClockId::Realtime, clock_gettime(ClockId::Realtime))
                .map_err(io::Error::from)
        }),
        Act::new(group, "set the time of day", || {
            let now = clock_gettime(ClockId::Realtime);
            raw::set_time_of_day(now.tv_sec, now.tv_nsec / 1_000)
        }),
        Act::new(group, "adjust the clock", raw::adjust_time),
    ]
}
