//! The system calls that no safe wrapper covers, one small function each. Nothing here decides
//! anything.
#![expect(
    unsafe_code,
    reason = "raw system calls; each block says why it is sound"
)]

mod interfaces;
mod memory;

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

pub(crate) use interfaces::*;
pub(crate) use memory::*;

/// The call's value, or the error that it left in `errno`.
fn checked(result: libc::c_long) -> io::Result<i64> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// As [`checked`], for calls that return 0 or an error.
fn done(result: libc::c_long) -> io::Result<()> {
    checked(result).map(drop)
}

/// Takes over the descriptor that a call made, so that it is closed again.
fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    let number = libc::c_int::try_from(checked(result)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Makes a system call whose arguments are all plain numbers. `number` must be one whose effect
/// does not touch this program's memory, descriptors or control flow; hence private.
fn plain(number: libc::c_long, arguments: [i64; 5]) -> libc::c_long {
    let [a, b, c, d, e] = arguments;
    // SAFETY: no argument is a pointer that the kernel could follow into memory of ours; see above
    // for the rest.
    unsafe { libc::syscall(number, a, b, c, d, e) }
}

/// The kernel's Landlock ABI version, by `landlock_create_ruleset(2)`.
pub(crate) fn landlock_abi() -> io::Result<i64> {
    /// `LANDLOCK_CREATE_RULESET_VERSION` of linux/landlock.h.
    const VERSION: i64 = 1;
    checked(plain(
        libc::SYS_landlock_create_ruleset,
        [0, 0, VERSION, 0, 0],
    ))
}

/// `unshare(2)`. With `CLONE_THREAD` it is a no-op for a process with one thread and EINVAL for one
/// with more.
pub(crate) fn unshare(flags: libc::c_int) -> io::Result<()> {
    done(plain(libc::SYS_unshare, [i64::from(flags), 0, 0, 0, 0]))
}

/// `fork(2)` by glibc: runs `act` in a child, which tells through a pipe what came of it. `Err` of
/// the outer result means that no child could be made.
pub(crate) fn in_child(act: impl FnOnce() -> io::Result<()>) -> io::Result<io::Result<()>> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    // SAFETY: called with no other thread running (the probe's contract), so that the child finds
    // every lock free.
    let child = unsafe { libc::fork() };
    if child < 0 {
        return Err(io::Error::last_os_error());
    }
    if child == 0 {
        let code = act().map_or_else(|error| error.raw_os_error().unwrap_or(libc::EIO), |()| 0);
        let told = rustix::io::write(&writer, &code.to_ne_bytes());
        // SAFETY: ends the child at once, without what the parent registered for its own exit.
        unsafe { libc::_exit(i32::from(told.is_err())) }
    }
    drop(writer);
    let mut code = [0; size_of::<libc::c_int>()];
    let read = rustix::io::read(&reader, &mut code);
    reap(child);
    Ok(match (read, libc::c_int::from_ne_bytes(code)) {
        (Ok(4), 0) => Ok(()),
        (Ok(4), code) => Err(io::Error::from_raw_os_error(code)),
        // a signal ended it before it could tell
        _ => Err(io::Error::from_raw_os_error(libc::EINTR)),
    })
}

/// Waits for a child's end. A filter may forbid that; the child was made all the same, and ends by
/// itself.
fn reap(child: libc::c_int) {
    // SAFETY: no status is asked for. __WALL also waits for a child that does not signal its end.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), libc::__WALL) };
}

/// The child that `result` names is reaped; an error is passed on.
fn reaped(result: libc::c_long) -> io::Result<()> {
    let child = libc::c_int::try_from(checked(result)?).map_err(io::Error::other)?;
    reap(child);
    Ok(())
}

/// Makes a child by `fork(2)`-like `number` whose only act is to end.
fn child_that_ends(number: libc::c_long, arguments: [i64; 5]) -> io::Result<()> {
    let child = plain(number, arguments);
    if child == 0 {
        // SAFETY: ends the child at once; it has a copy of this memory, so that nothing of the
        // parent's changes.
        unsafe { libc::_exit(0) }
    }
    reaped(child)
}

/// `fork(2)` itself where the architecture has it, else the `clone(2)` that it stands for.
pub(crate) fn fork() -> io::Result<()> {
    #[cfg(target_arch = "x86_64")]
    return child_that_ends(libc::SYS_fork, [0; 5]);
    #[cfg(not(target_arch = "x86_64"))]
    return clone(0);
}

/// `clone(2)` of a process, with further `flags`.
pub(crate) fn clone(flags: libc::c_int) -> io::Result<()> {
    child_that_ends(
        libc::SYS_clone,
        [i64::from(flags | libc::SIGCHLD), 0, 0, 0, 0],
    )
}

/// `clone3(2)` of a process.
pub(crate) fn clone3() -> io::Result<()> {
    // struct clone_args, first version (64 bytes): the fifth field is the exit signal
    let mut arguments = [0_u64; 8];
    arguments[4] = u64::from(libc::SIGCHLD.unsigned_abs());
    // SAFETY: the kernel reads the 64 bytes that it is told of, and no field of them points
    // anywhere.
    let child = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            arguments.as_ptr(),
            size_of_val(&arguments),
        )
    };
    if child == 0 {
        // SAFETY: as in `child_that_ends`.
        unsafe { libc::_exit(0) }
    }
    reaped(child)
}

/// `vfork(2)`: the child shares memory and stack with the parent, so parent and child part within
/// one assembly block.
#[cfg(target_arch = "x86_64")]
pub(crate) fn vfork() -> io::Result<()> {
    let result: i64;
    // SAFETY: the child (rax 0) calls exit_group(0) without touching memory; the parent goes on
    // with its registers as they were but for those that `syscall` clobbers.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov eax, 231",
            "xor edi, edi",
            "syscall",
            "2:",
            inlateout("rax") libc::SYS_vfork => result,
            out("rcx") _,
            out("r11") _,
            out("rdi") _,
        );
    }
    // the kernel's own way to tell an error: its negative
    if result < 0 {
        return Err(io::Error::from_raw_os_error(
            libc::c_int::try_from(-result).unwrap_or(libc::EIO),
        ));
    }
    reaped(result)
}

/// Longest single argument that `execve(2)` takes (`MAX_ARG_STRLEN`), in bytes.
const ARGUMENT_BYTES_MAX: usize = 128 * 1024;

/// `execveat(2)` of the program `path`, or of `directory` itself when `path` is empty, with an
/// argument that is too long: a kernel that lets the exec through answers E2BIG, and the caller
/// lives on.
pub(crate) fn exec_with_long_argument(directory: Option<BorrowedFd<'_>>, path: &CStr) -> io::Error {
    let mut long_argument = vec![b'x'; ARGUMENT_BYTES_MAX];
    long_argument.push(0);
    let arguments = [
        path.as_ptr(),
        long_argument.as_ptr().cast(),
        std::ptr::null(),
    ];
    let environment = [std::ptr::null::<libc::c_char>()];
    let directory = directory.map_or(libc::AT_FDCWD, |fd| fd.as_raw_fd());
    // SAFETY: both arrays end with a null pointer, every string in them with a NUL, and all outlive
    // the call. It can only return with an error: an argument beyond the kernel's limit never
    // reaches the new program.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            directory,
            path.as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

/// `setns(2)` into a UTS namespace.
pub(crate) fn set_namespace(namespace: BorrowedFd<'_>) -> io::Result<()> {
    done(plain(
        libc::SYS_setns,
        [
            i64::from(namespace.as_raw_fd()),
            i64::from(libc::CLONE_NEWUTS),
            0,
            0,
            0,
        ],
    ))
}

/// `ptrace(2)`: PTRACE_SEIZE, which attaches without stopping. The kernel detaches when the caller
/// ends.
pub(crate) fn ptrace_seize(pid: libc::pid_t) -> io::Result<()> {
    done(plain(
        libc::SYS_ptrace,
        [i64::from(libc::PTRACE_SEIZE), i64::from(pid), 0, 0, 0],
    ))
}

/// `process_vm_readv(2)` or `process_vm_writev(2)` of one byte at address 4096, which nothing maps.
pub(crate) fn process_memory(number: libc::c_long, pid: libc::pid_t) -> io::Result<()> {
    let mut byte = 0_u8;
    let local = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    let remote = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(4096),
        iov_len: 1,
    };
    // SAFETY: the local vector names one byte that outlives the call; the remote one is followed in
    // the other process only.
    done(unsafe {
        libc::syscall(
            number,
            pid,
            &raw const local,
            1_usize,
            &raw const remote,
            1_usize,
            0_usize,
        )
    })
}
/// See [`process_memory`].
pub(crate) const PROCESS_VM_READV: libc::c_long = libc::SYS_process_vm_readv;
/// See [`process_memory`].
pub(crate) const PROCESS_VM_WRITEV: libc::c_long = libc::SYS_process_vm_writev;

/// `tgkill(2)` with signal 0, which only checks the permission.
pub(crate) fn tgkill_nothing(pid: libc::pid_t) -> io::Result<()> {
    done(plain(
        libc::SYS_tgkill,
        [i64::from(pid), i64::from(pid), 0, 0, 0],
    ))
}
