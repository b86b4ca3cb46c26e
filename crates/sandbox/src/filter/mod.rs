//! The system call filter: an explicit list of what a service needs, and EPERM for everything else.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpArgLen::Qword,
    SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use crate::{Error, Plan};

/// Which threads the filter is installed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All threads of the process.
    Process,
    /// The calling thread and what it spawns.
    Thread,
}

/// When a system call is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grant {
    /// With any arguments.
    Always,
    /// Only where the plan grants listening on Unix sockets.
    Listen,
    /// Only where it grants that, or the packet filter: a netlink socket is bound to what it hears.
    Bind,
    /// Only with the arguments that `limits` in this file names.
    Limited,
}

macro_rules! calls {
    ($($grant:ident: $($call:ident)+;)+) => {
        &[$($((stringify!($call), libc::$call, Grant::$grant),)+)+]
    };
}

/// A system call's name with the prefix `SYS_`, its number on this machine, and when it is allowed.
type Call = (&'static str, libc::c_long, Grant);

/// Every system call that a service may make.
///
/// Deliberately absent, though a library asks for it: `memfd_create` (tracing-journald would pass a
/// message of more than the socket's send buffer, about 200 kB, by memfd; no log line is that
/// long), `uname`, `readlink` and `sched_setaffinity`.
const SYSTEM_CALLS: &[Call] = calls! {
    Always:
        // memory
        SYS_brk SYS_munmap SYS_mremap SYS_madvise
        // threads and their end
        SYS_futex SYS_set_robust_list SYS_rseq SYS_sched_yield SYS_sched_getaffinity SYS_gettid
        SYS_getpid SYS_exit SYS_exit_group
        // signals that the process handles, not those that it could send
        SYS_rt_sigaction SYS_rt_sigprocmask SYS_rt_sigreturn SYS_sigaltstack SYS_restart_syscall
        // time
        SYS_clock_gettime SYS_clock_getres SYS_clock_nanosleep SYS_nanosleep SYS_gettimeofday
        // files: what may be opened is Landlock's matter
        SYS_read SYS_write SYS_readv SYS_writev SYS_pread64 SYS_pwrite64 SYS_close SYS_lseek
        SYS_fstat SYS_newfstatat SYS_statx SYS_fstatfs
        SYS_fsync SYS_fdatasync SYS_ftruncate SYS_fallocate SYS_fadvise64 SYS_flock SYS_getdents64 SYS_unlinkat
        SYS_renameat SYS_renameat2
        // readiness
        SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2 SYS_eventfd2 SYS_pipe2
        SYS_ppoll
        // sockets that exist already, and Unix sockets to connect
        SYS_connect SYS_accept4 SYS_shutdown SYS_getsockname SYS_getpeername SYS_getsockopt
        SYS_recvfrom SYS_recvmsg SYS_sendto SYS_sendmsg
        // what a program asks about itself
        SYS_getrandom SYS_getuid SYS_geteuid SYS_getgid SYS_getegid SYS_getrusage SYS_sysinfo;
    Listen: SYS_listen;
    Bind: SYS_bind;
    Limited:
        SYS_kill SYS_mmap SYS_mprotect SYS_clone SYS_clone3 SYS_openat SYS_mkdirat SYS_fcntl
        SYS_ioctl SYS_prctl SYS_prlimit64 SYS_tgkill SYS_socket
        SYS_socketpair SYS_setsockopt;
};

/// The calls that only this architecture still has, for which glibc does not use the newer form.
#[cfg(target_arch = "x86_64")]
const LEGACY_CALLS: &[Call] = calls! {
    Always: SYS_epoll_wait SYS_poll SYS_stat SYS_lstat SYS_unlink SYS_rmdir SYS_rename;
    Limited: SYS_mkdir;
};
#[cfg(not(target_arch = "x86_64"))]
const LEGACY_CALLS: &[Call] = &[];

/// The names of every system call that a confined service may make, some only with certain
/// arguments or by certain plans. A unit's `SystemCallFilter=` needs these, and those that its
/// start takes.
pub fn system_calls() -> impl Iterator<Item = &'static str> {
    calls().map(|(name, ..)| name.trim_start_matches("SYS_"))
}

fn calls() -> impl Iterator<Item = &'static Call> {
    SYSTEM_CALLS.iter().chain(LEGACY_CALLS)
}

/// Bits of a `clone` that makes a thread and nothing else must match [`libc::CLONE_THREAD`]
/// exactly.
const CLONE_MASK: u64 = flag(
    libc::CLONE_THREAD
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_PTRACE,
);
/// `SOCK_TYPE_MASK` of linux/net.h: the type without `SOCK_CLOEXEC` and `SOCK_NONBLOCK`.
const SOCK_TYPE_MASK: u64 = 0xf;
/// Set-user-ID and set-group-ID bits of a mode.
const SETID_BITS: u64 = 0o6000;

/// A constant of libc's as the kernel sees the 32-bit argument.
const fn flag(value: libc::c_int) -> u64 {
    value.cast_unsigned() as u64
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Installs the plan's filter for good.
pub(crate) fn install(plan: &Plan, extent: Extent) -> Result<(), Error> {
    let refused = |error: seccompiler::Error| Error::Filter(error.to_string());
    let built = |error: BackendError| Error::Filter(error.to_string());
    let own_pid = u64::from(std::process::id());
    for program in [
        without_clone3().map_err(built)?,
        allow_list(plan, own_pid).map_err(built)?,
    ] {
        match extent {
            Extent::Process => seccompiler::apply_filter_all_threads(&program).map_err(refused)?,
            Extent::Thread => seccompiler::apply_filter(&program).map_err(refused)?,
        }
    }
    Ok(())
}

fn errno(value: libc::c_int) -> SeccompAction {
    SeccompAction::Errno(value.unsigned_abs())
}

fn arch() -> Result<TargetArch, BackendError> {
    std::env::consts::ARCH.try_into()
}

/// ENOSYS for `clone3`, whose flags lie in memory that a filter can't read: glibc then makes
/// threads by `clone`. It would take EPERM for a failure. Of two filters' errors the kernel takes
/// the one installed last, so this one comes first and the list lets `clone3` through to it.
fn without_clone3() -> Result<BpfProgram, BackendError> {
    let rules = Rules::from([(libc::SYS_clone3, Vec::new())]);
    SeccompFilter::new(rules, SeccompAction::Allow, errno(libc::ENOSYS), arch()?)?.try_into()
}

/// The allow list for a plan; `own_pid` is the one process that signals may go to.
fn allow_list(plan: &Plan, own_pid: u64) -> Result<BpfProgram, BackendError> {
    let mut rules = Rules::new();
    for (_, number, grant) in calls() {
        let granted = match grant {
            Grant::Always => true,
            Grant::Listen => plan.has_bind(),
            Grant::Bind => plan.has_bind() || plan.has_packet_filter(),
            Grant::Limited => false,
        };
        if granted {
            rules.insert(*number, Vec::new());
        }
    }
    rules.insert(libc::SYS_clone3, Vec::new());
    rules.extend(limits(own_pid)?);
    rules.extend(sockets(plan)?);
    if plan.has_reload_manager() {
        let hang_up = vec![is(0, 1)?, is(1, flag(libc::SIGHUP))?];
        rules.insert(libc::SYS_kill, rule(hang_up)?);
    }
    SeccompFilter::new(rules, errno(libc::EPERM), SeccompAction::Allow, arch()?)?.try_into()
}

/// The 32-bit argument `index` equals `value`.
fn is(index: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(index, Dword, SeccompCmpOp::Eq, value)
}

/// The bits `mask` of argument `index` equal `value`.
fn masked(index: u8, mask: u64, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(index, Qword, SeccompCmpOp::MaskedEq(mask), value)
}

/// One rule for each of `values` that argument `index` may have.
fn one_of(index: u8, values: &[u64]) -> Result<Vec<SeccompRule>, BackendError> {
    values
        .iter()
        .map(|value| SeccompRule::new(vec![is(index, *value)?]))
        .collect()
}

fn rule(conditions: Vec<SeccompCondition>) -> Result<Vec<SeccompRule>, BackendError> {
    Ok(vec![SeccompRule::new(conditions)?])
}

fn limits(own_pid: u64) -> Result<Rules, BackendError> {
    let executable = flag(libc::PROT_EXEC);
    let mut rules = Rules::from([
        (libc::SYS_mmap, rule(vec![masked(2, executable, 0)?])?),
        (libc::SYS_mprotect, rule(vec![masked(2, executable, 0)?])?),
        (
            libc::SYS_clone,
            rule(vec![masked(0, CLONE_MASK, flag(libc::CLONE_THREAD))?])?,
        ),
        (libc::SYS_openat, rule(vec![masked(3, SETID_BITS, 0)?])?),
        (libc::SYS_mkdirat, rule(vec![masked(2, SETID_BITS, 0)?])?),
        // abort() of this process; no other process gets a signal
        (libc::SYS_tgkill, rule(vec![is(0, own_pid)?])?),
        // reading a limit of its own, not setting one
        (
            libc::SYS_prlimit64,
            rule(vec![
                is(0, 0)?,
                SeccompCondition::new(2, Qword, SeccompCmpOp::Eq, 0)?,
            ])?,
        ),
        (
            libc::SYS_prctl,
            one_of(0, &[flag(libc::PR_SET_NAME), flag(libc::PR_GET_NAME)])?,
        ),
        (
            libc::SYS_ioctl,
            one_of(1, &[libc::FIONBIO, libc::FIOCLEX, libc::FIONREAD])?,
        ),
        (libc::SYS_fcntl, one_of(1, &FCNTL_COMMANDS.map(flag))?),
    ]);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_mkdir, rule(vec![masked(1, SETID_BITS, 0)?])?);
    Ok(rules)
}

/// Descriptor flags, duplicates and locks; no signal-driven I/O, lease, notification or seal.
const FCNTL_COMMANDS: [libc::c_int; 10] = [
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_DUPFD_CLOEXEC,
    libc::F_SETLK,
    libc::F_SETLKW,
    libc::F_OFD_SETLK,
    libc::F_OFD_SETLKW,
    libc::F_OFD_GETLK,
];

fn sockets(plan: &Plan) -> Result<Rules, BackendError> {
    let kind = |value: libc::c_int| masked(1, SOCK_TYPE_MASK, flag(value));
    let family = |value: libc::c_int| is(0, flag(value));
    let (stream, datagram) = (libc::SOCK_STREAM, libc::SOCK_DGRAM);
    let unix = |value| SeccompRule::new(vec![family(libc::AF_UNIX)?, kind(value)?]);
    let mut socket = vec![unix(stream)?, unix(datagram)?];
    if plan.has_packets() {
        socket.push(unix(libc::SOCK_SEQPACKET)?);
    }
    let mut levels = vec![flag(libc::SOL_SOCKET), flag(libc::IPPROTO_TCP)];
    if plan.has_internet() {
        for address_family in [libc::AF_INET, libc::AF_INET6] {
            // by protocol too: a stream socket could be SCTP or MPTCP, a datagram socket ICMP
            for (value, protocol) in [
                (stream, 0),
                (stream, libc::IPPROTO_TCP),
                (datagram, 0),
                (datagram, libc::IPPROTO_UDP),
            ] {
                socket.push(SeccompRule::new(vec![
                    family(address_family)?,
                    kind(value)?,
                    is(2, flag(protocol))?,
                ])?);
            }
        }
        levels.extend([flag(libc::IPPROTO_IP), flag(libc::IPPROTO_IPV6)]);
    }
    if plan.has_packet_filter() {
        for protocol in [libc::NETLINK_NETFILTER, libc::NETLINK_ROUTE] {
            socket.push(SeccompRule::new(vec![
                family(libc::AF_NETLINK)?,
                kind(libc::SOCK_RAW)?,
                is(2, flag(protocol))?,
            ])?);
        }
    }
    Ok(Rules::from([
        (libc::SYS_socket, socket),
        (libc::SYS_socketpair, vec![unix(stream)?, unix(datagram)?]),
        (libc::SYS_setsockopt, one_of(1, &levels)?),
    ]))
}

#[cfg(test)]
mod tests;
