//! Mappings, and memory that processes share.
#![expect(
    unsafe_code,
    reason = "raw system calls; each block says why it is sound"
)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{checked, done, owned, plain};

/// `shmget(2)`, `semget(2)` or `msgget(2)` of a private object, removed at once by `remove`.
fn system_v(
    get: [i64; 3],
    get_number: libc::c_long,
    remove: impl FnOnce(i64) -> libc::c_long,
) -> io::Result<()> {
    let identifier = checked(plain(get_number, [get[0], get[1], get[2], 0, 0]))?;
    done(remove(identifier))
}

/// `IPC_CREAT` and a mode for the owner alone.
const MAKE_PRIVATE: i64 = libc::IPC_CREAT as i64 | 0o600;
const REMOVE: i64 = libc::IPC_RMID as i64;

/// A System V shared memory segment of one page.
pub(crate) fn shared_memory() -> io::Result<()> {
    system_v([0, 4096, MAKE_PRIVATE], libc::SYS_shmget, |id| {
        plain(libc::SYS_shmctl, [id, REMOVE, 0, 0, 0])
    })
}

/// A System V semaphore set.
pub(crate) fn semaphores() -> io::Result<()> {
    system_v([0, 1, MAKE_PRIVATE], libc::SYS_semget, |id| {
        plain(libc::SYS_semctl, [id, 0, REMOVE, 0, 0])
    })
}

/// A System V message queue.
pub(crate) fn messages() -> io::Result<()> {
    system_v([0, MAKE_PRIVATE, 0], libc::SYS_msgget, |id| {
        plain(libc::SYS_msgctl, [id, REMOVE, 0, 0, 0])
    })
}

/// `mq_open(3)` of a new POSIX queue, removed at once.
pub(crate) fn posix_queue() -> io::Result<()> {
    let name = c"casemate-probe";
    // SAFETY: a NUL-terminated static string, and no attributes.
    let queue = unsafe {
        libc::syscall(
            libc::SYS_mq_open,
            name.as_ptr(),
            libc::O_CREAT | libc::O_CLOEXEC,
            0o600,
            std::ptr::null::<u8>(),
        )
    };
    drop(owned(queue)?);
    // SAFETY: as above.
    done(unsafe { libc::syscall(libc::SYS_mq_unlink, name.as_ptr()) })
}

/// Maps a fresh page with the protection `first`, then changes that to `then`; unmaps it again.
pub(crate) fn map_page(first: libc::c_int, then: Option<libc::c_int>) -> io::Result<()> {
    const PAGE: usize = 4096;
    // SAFETY: a new private mapping at a place of the kernel's choice; nothing refers to it but
    // this function, which unmaps it.
    unsafe {
        let page = libc::mmap(
            std::ptr::null_mut(),
            PAGE,
            first,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if page == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let changed = then.map_or(Ok(()), |protection| {
            done(libc::c_long::from(libc::mprotect(page, PAGE, protection)))
        });
        libc::munmap(page, PAGE);
        changed
    }
}

/// As [`map_page`], by `pkey_mprotect(2)` without a key.
pub(crate) fn pkey_protect(then: libc::c_int) -> io::Result<()> {
    const PAGE: usize = 4096;
    // SAFETY: as in `map_page`.
    unsafe {
        let page = libc::mmap(
            std::ptr::null_mut(),
            PAGE,
            libc::PROT_READ,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if page == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let changed = done(libc::syscall(libc::SYS_pkey_mprotect, page, PAGE, then, -1));
        libc::munmap(page, PAGE);
        changed
    }
}

/// Maps the first page of `file` executable, and unmaps it.
pub(crate) fn map_file_executable(file: BorrowedFd<'_>) -> io::Result<()> {
    const PAGE: usize = 4096;
    let protection = libc::PROT_READ | libc::PROT_EXEC;
    // SAFETY: as in `map_page`; nothing reads or runs the mapping.
    unsafe {
        let page = libc::mmap(
            std::ptr::null_mut(),
            PAGE,
            protection,
            libc::MAP_PRIVATE,
            file.as_raw_fd(),
            0,
        );
        if page == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        libc::munmap(page, PAGE);
    }
    Ok(())
}
