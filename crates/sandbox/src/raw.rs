//! The system calls that no safe wrapper covers, one small function each. Nothing here decides anything.
#![expect(unsafe_code, reason = "raw system calls; each block says why it is sound")]

use std::io;

/// The errno of the last call, as the error of `result` when it is negative.
fn checked(result: libc::c_long) -> io::Result<i64> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The kernel's Landlock ABI version, by `landlock_create_ruleset(2)`.
pub(crate) fn landlock_abi() -> io::Result<i64> {
    /// `LANDLOCK_CREATE_RULESET_VERSION` of linux/landlock.h.
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the kernel takes no pointer and only returns a number.
    checked(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION) })
}

/// Asks `unshare(2)` for a thread group of its own: a no-op for a process with one thread, EINVAL for one with more.
pub(crate) fn unshare_thread_group() -> io::Result<i64> {
    // SAFETY: takes no pointer; either fails or changes nothing, as the process is alone in its group.
    checked(unsafe { libc::syscall(libc::SYS_unshare, libc::c_ulong::from(libc::CLONE_THREAD.unsigned_abs())) })
}
