//! Interfaces of the kernel: keys, BPF, performance events, time, ports, handles.
#![expect(
    unsafe_code,
    reason = "raw system calls; each block says why it is sound"
)]

use std::io;

use super::{checked, done, owned, plain};

/// `keyctl(2)` KEYCTL_GET_KEYRING_ID of the session keyring, made if need be.
pub(crate) fn keyring_id() -> io::Result<()> {
    done(plain(libc::SYS_keyctl, [0, -3, 1, 0, 0]))
}

/// `add_key(2)` of a "user" key to the process keyring, which ends with the process.
pub(crate) fn add_key() -> io::Result<()> {
    const PROCESS_KEYRING: i64 = -2;
    let (kind, name, value) = (c"user", c"casemate-probe", b"x");
    // SAFETY: two NUL-terminated strings and one byte of payload, all static.
    done(unsafe {
        libc::syscall(
            libc::SYS_add_key,
            kind.as_ptr(),
            name.as_ptr(),
            value.as_ptr(),
            1_usize,
            PROCESS_KEYRING,
        )
    })
}

/// `request_key(2)` of a key that does not exist.
pub(crate) fn request_key() -> io::Result<()> {
    let (kind, name) = (c"user", c"casemate-probe-none");
    // SAFETY: two NUL-terminated static strings and no callout text.
    done(unsafe {
        libc::syscall(
            libc::SYS_request_key,
            kind.as_ptr(),
            name.as_ptr(),
            std::ptr::null::<u8>(),
            0_i64,
        )
    })
}

/// `bpf(2)` BPF_MAP_CREATE of an array with one element.
pub(crate) fn bpf_map() -> io::Result<()> {
    // union bpf_attr of BPF_MAP_CREATE: type BPF_MAP_TYPE_ARRAY, key size, value size, entries
    let attributes = [2_u32, 4, 4, 1];
    // SAFETY: the kernel reads the 16 bytes that it is told of.
    owned(unsafe {
        libc::syscall(
            libc::SYS_bpf,
            0,
            attributes.as_ptr(),
            size_of_val(&attributes),
        )
    })
    .map(drop)
}

/// `io_uring_setup(2)` with one entry.
pub(crate) fn io_uring() -> io::Result<()> {
    // struct io_uring_params is 120 bytes, written by the kernel
    let mut parameters = [0_u64; 16];
    // SAFETY: the buffer is larger than the structure that the kernel fills.
    owned(unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) }).map(drop)
}

/// `userfaultfd(2)` for faults in the kernel too.
pub(crate) fn userfaultfd() -> io::Result<()> {
    owned(plain(
        libc::SYS_userfaultfd,
        [i64::from(libc::O_CLOEXEC), 0, 0, 0, 0],
    ))
    .map(drop)
}

/// `perf_event_open(2)` of the software clock, counting this process.
pub(crate) fn perf_event() -> io::Result<()> {
    // struct perf_event_attr, first version (64 bytes): type PERF_TYPE_SOFTWARE, size, config
    // PERF_COUNT_SW_CPU_CLOCK
    let mut attributes = [0_u32; 16];
    attributes[0] = 1;
    attributes[1] = 64;
    // SAFETY: the kernel reads the 64 bytes that the structure says it has.
    owned(unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            attributes.as_ptr(),
            0,
            -1,
            -1,
            0_usize,
        )
    })
    .map(drop)
}

/// `kexec_load(2)` of no segment, which unloads what was loaded.
pub(crate) fn kexec_load() -> io::Result<()> {
    done(plain(libc::SYS_kexec_load, [0; 5]))
}

/// `kexec_file_load(2)` with flags that no kernel knows.
#[cfg(target_arch = "x86_64")]
pub(crate) fn kexec_file_load() -> io::Result<()> {
    done(plain(libc::SYS_kexec_file_load, [-1, -1, 0, 0, 1 << 30]))
}

/// `swapon(2)` of a file that does not exist.
pub(crate) fn swapon() -> io::Result<()> {
    // SAFETY: a NUL-terminated static string.
    done(unsafe { libc::syscall(libc::SYS_swapon, c"/casemate-probe-none".as_ptr(), 0) })
}

/// `swapoff(2)` of a file that does not exist.
pub(crate) fn swapoff() -> io::Result<()> {
    // SAFETY: a NUL-terminated static string.
    done(unsafe { libc::syscall(libc::SYS_swapoff, c"/casemate-probe-none".as_ptr()) })
}

/// `settimeofday(2)` to the time that it is.
pub(crate) fn set_time_of_day(seconds: i64, microseconds: i64) -> io::Result<()> {
    let time = libc::timeval {
        tv_sec: seconds,
        tv_usec: microseconds,
    };
    // SAFETY: the structure outlives the call, and no time zone is given.
    done(unsafe {
        libc::syscall(
            libc::SYS_settimeofday,
            &raw const time,
            std::ptr::null::<u8>(),
        )
    })
}

/// `adjtimex(2)`: sets the tick to what it is.
pub(crate) fn adjust_time() -> io::Result<()> {
    // SAFETY: all of the structure's fields are numbers, for which zero is valid.
    let mut time: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the structure outlives both calls. The first asks only (modes 0), the second sets
    // what the first told.
    unsafe {
        checked(libc::syscall(libc::SYS_adjtimex, &raw mut time))?;
        time.modes = libc::ADJ_TICK;
        done(libc::syscall(libc::SYS_adjtimex, &raw mut time))
    }
}

/// `ioperm(2)` on the port that nothing but delays use, given back at once.
#[cfg(target_arch = "x86_64")]
pub(crate) fn ioperm() -> io::Result<()> {
    done(plain(libc::SYS_ioperm, [0x80, 1, 1, 0, 0]))?;
    done(plain(libc::SYS_ioperm, [0x80, 1, 0, 0, 0]))
}

/// `iopl(2)` to level 3, given back at once.
#[cfg(target_arch = "x86_64")]
pub(crate) fn iopl() -> io::Result<()> {
    done(plain(libc::SYS_iopl, [3, 0, 0, 0, 0]))?;
    done(plain(libc::SYS_iopl, [0; 5]))
}

/// `personality(2)`: READ_IMPLIES_EXEC.
pub(crate) fn personality() -> io::Result<()> {
    done(plain(libc::SYS_personality, [0x040_0000, 0, 0, 0, 0]))
}

/// `syslog(2)` SYSLOG_ACTION_READ_ALL: the kernel's log.
pub(crate) fn kernel_log() -> io::Result<()> {
    let mut buffer = [0_u8; 256];
    // SAFETY: the kernel writes at most the length that it is told.
    done(unsafe { libc::syscall(libc::SYS_syslog, 3, buffer.as_mut_ptr(), buffer.len()) })
}

/// `quotactl(2)` Q_SYNC of all file systems.
pub(crate) fn quota_sync() -> io::Result<()> {
    const Q_SYNC: i64 = 0x80_0001 << 8;
    done(plain(libc::SYS_quotactl, [Q_SYNC, 0, 0, 0, 0]))
}

/// `name_to_handle_at(2)` of the root directory: the handle, for [`open_handle`].
pub(crate) fn file_handle() -> io::Result<[u32; 34]> {
    // struct file_handle: size of the handle, its type, then up to 128 bytes
    let mut handle = [0_u32; 34];
    handle[0] = 128;
    let mut mount = 0;
    // SAFETY: the buffer has the 128 bytes that its first field promises; `mount` outlives the
    // call.
    done(unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::AT_FDCWD,
            c"/".as_ptr(),
            handle.as_mut_ptr(),
            &raw mut mount,
            0,
        )
    })?;
    Ok(handle)
}

/// `open_by_handle_at(2)`.
pub(crate) fn open_handle(handle: &[u32; 34]) -> io::Result<()> {
    // SAFETY: the kernel reads no more than the structure's first field promises, which is within
    // the buffer.
    owned(unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            libc::AT_FDCWD,
            handle.as_ptr(),
            libc::O_PATH,
        )
    })
    .map(drop)
}

/// `fanotify_init(2)` of a group that could hold up other processes' opens.
pub(crate) fn fanotify() -> io::Result<()> {
    /// `FAN_CLASS_CONTENT | FAN_CLOEXEC` of linux/fanotify.h.
    const CONTENT_CLOEXEC: i64 = 0x4 | 0x1;
    owned(plain(
        libc::SYS_fanotify_init,
        [CONTENT_CLOEXEC, 0, 0, 0, 0],
    ))
    .map(drop)
}

/// `sched_setscheduler(2)`: this process as real-time, lowest priority.
pub(crate) fn real_time() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: the structure outlives the call.
    done(unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            0,
            libc::SCHED_FIFO,
            &raw const parameters,
        )
    })
}
