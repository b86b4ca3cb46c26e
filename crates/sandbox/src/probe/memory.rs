//! Memory that runs, and memory shared past all others' sight.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::MemfdFlags;

use super::Act;
use crate::raw;

const READ_WRITE: libc::c_int = libc::PROT_READ | libc::PROT_WRITE;
const READ_EXECUTE: libc::c_int = libc::PROT_READ | libc::PROT_EXEC;

pub(super) fn acts() -> Vec<Act> {
    vec![
        memory("map memory writable and executable", || {
            raw::map_page(READ_WRITE | libc::PROT_EXEC, None)
        }),
        memory("map memory executable", || {
            raw::map_page(READ_EXECUTE, None)
        }),
        memory("make written memory executable", || {
            raw::map_page(READ_WRITE, Some(READ_EXECUTE))
        }),
        memory("make memory executable by a protection key", || {
            raw::pkey_protect(READ_EXECUTE)
        }),
        memory("map this program's file executable", || {
            raw::map_file_executable(File::open("/proc/self/exe")?.as_fd())
        }),
        memory("make a file in memory", || {
            rustix::fs::memfd_create(c"casemate-probe", MemfdFlags::empty())
                .map(drop)
                .map_err(io::Error::from)
        }),
        Act::apart(
            "memory",
            "make all readable memory executable",
            raw::personality,
        ),
        shared("System V shared memory", raw::shared_memory),
        shared("System V semaphores", raw::semaphores),
        shared("System V messages", raw::messages),
        shared("a POSIX message queue", raw::posix_queue),
    ]
}

fn memory(name: &str, attempt: fn() -> io::Result<()>) -> Act {
    Act::new("memory", name, attempt)
}

fn shared(name: &str, attempt: fn() -> io::Result<()>) -> Act {
    Act::new("shared objects", format!("make {name}"), attempt)
}
