//! Other programs, other processes, other namespaces.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::MemfdFlags;
use rustix::process::{
    Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open, test_kill_process,
};

use super::errno::passes;
use super::{Act, files};
use crate::raw;

/// Process 1: the service manager.
const MANAGER: libc::pid_t = 1;

/// Kinds of namespace (namespaces(7)).
const NAMESPACES: [(&str, libc::c_int); 7] = [
    ("mount", libc::CLONE_NEWNS),
    ("UTS", libc::CLONE_NEWUTS),
    ("IPC", libc::CLONE_NEWIPC),
    ("user", libc::CLONE_NEWUSER),
    ("PID", libc::CLONE_NEWPID),
    ("network", libc::CLONE_NEWNET),
    ("cgroup", libc::CLONE_NEWCGROUP),
];

pub(super) fn acts(own: &Path) -> Vec<Act> {
    let own = own.to_owned();
    let mut acts = vec![
        program("run /bin/sh", || run(c"/bin/sh")),
        program("run this program again", || run(c"/proc/self/exe")),
        program("run a program that it wrote", move || run_written(&own)),
        program("run a program from memory", run_from_memory),
        process("fork", raw::fork),
        #[cfg(target_arch = "x86_64")]
        process("vfork", raw::vfork),
        process("clone a process", || raw::clone(0)),
        process("clone a process by clone3", raw::clone3),
    ];
    for (name, flag) in NAMESPACES {
        acts.push(Act::new(
            "namespaces",
            format!("clone into a new {name} namespace"),
            move || raw::clone(flag),
        ));
        acts.push(Act::apart(
            "namespaces",
            format!("unshare the {name} namespace"),
            move || raw::unshare(flag),
        ));
    }
    acts.push(Act::apart(
        "namespaces",
        "enter a namespace",
        enter_namespace,
    ));
    acts.extend([
        Act::apart("processes", "trace process 1", || {
            raw::ptrace_seize(MANAGER)
        }),
        // the address is checked behind the permission
        process("read the memory of process 1", || {
            passes(
                raw::process_memory(raw::PROCESS_VM_READV, MANAGER),
                &[libc::EFAULT],
            )
        }),
        process("write the memory of process 1", || {
            passes(
                raw::process_memory(raw::PROCESS_VM_WRITEV, MANAGER),
                &[libc::EFAULT],
            )
        }),
        process("signal process 1", || {
            test_kill_process(Pid::INIT).map_err(io::Error::from)
        }),
        process("signal a thread of process 1", || {
            raw::tgkill_nothing(MANAGER)
        }),
        process("open process 1", || {
            pidfd_open(Pid::INIT, PidfdFlags::empty())
                .map(drop)
                .map_err(io::Error::from)
        }),
        process("take a descriptor of process 1", || {
            let pidfd = pidfd_open(Pid::INIT, PidfdFlags::empty())?;
            pidfd_getfd(pidfd, 0, PidfdGetfdFlags::empty())
                .map(drop)
                .map_err(io::Error::from)
        }),
    ]);
    acts
}

fn process(name: &str, attempt: impl FnOnce() -> io::Result<()> + 'static) -> Act {
    Act::new("processes", name, attempt)
}

fn program(name: &str, attempt: impl FnOnce() -> io::Result<()> + 'static) -> Act {
    Act::new("programs", name, attempt)
}

/// Runs it with an argument that is too long, which the kernel says only of a program that it would
/// run: one that replaced this process could not report. (A kernel before 6.8 says so before it
/// looks at the file.)
fn run(path: &CStr) -> io::Result<()> {
    let refused = raw::exec_with_long_argument(None, path);
    passes(Err(refused), &[libc::E2BIG])
}

/// A script would be run by /bin/sh; the header of an ELF file is enough to get past the
/// permission.
fn run_written(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = files::scratch(directory, "program");
    let mut options = std::fs::OpenOptions::new();
    io::Write::write_all(
        &mut options
            .write(true)
            .create_new(true)
            .mode(0o700)
            .open(&path)?,
        b"\x7fELF",
    )?;
    let result = CString::new(path.as_os_str().as_bytes())
        .map_err(io::Error::other)
        .and_then(|name| run(&name));
    std::fs::remove_file(&path)?;
    result
}

fn run_from_memory() -> io::Result<()> {
    let file = rustix::fs::memfd_create(c"casemate-probe", MemfdFlags::empty())?;
    rustix::io::write(&file, b"\x7fELF")?;
    passes(
        Err(raw::exec_with_long_argument(Some(file.as_fd()), c"")),
        &[libc::E2BIG],
    )
}

/// Its own UTS namespace, so that nothing changes. Where that can't be opened, standard input does:
/// EINVAL comes behind the filter.
fn enter_namespace() -> io::Result<()> {
    let own = std::fs::File::open("/proc/self/ns/uts");
    let entered = match &own {
        Ok(file) => raw::set_namespace(file.as_fd()),
        Err(_) => raw::set_namespace(io::stdin().as_fd()),
    };
    passes(entered, &[libc::EINVAL])
}
