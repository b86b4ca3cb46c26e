#![expect(clippy::unwrap_used, reason = "tests")]

use std::io;

use proptest::prelude::*;
use rustix::net::{AddressFamily, SocketType};
use seccompiler::sock_filter;

use super::*;

const OWN_PID: u64 = 4242;
/// Return values of a filter (linux/seccomp.h).
const ALLOW: u32 = 0x7fff_0000;
const DENY: u32 = 0x0005_0000 | libc::EPERM as u32;

/// The word of `struct seccomp_data` (linux/seccomp.h) at the byte `offset`.
fn word(number: i64, arguments: [u64; 6], offset: u32) -> u32 {
    let arch = if cfg!(target_arch = "x86_64") {
        0xc000_003e
    } else {
        0xc000_00b7
    };
    let mut data = Vec::new();
    data.extend(i32::try_from(number).unwrap().to_ne_bytes());
    data.extend(u32::to_ne_bytes(arch));
    data.extend([0; 8]);
    data.extend(arguments.iter().flat_map(|argument| argument.to_ne_bytes()));
    let start = offset as usize;
    u32::from_ne_bytes(data[start..start + 4].try_into().unwrap())
}

/// What the kernel's interpreter makes of a filter: the instructions of linux/bpf_common.h that
/// seccompiler emits, and no others.
fn run(program: &[sock_filter], number: i64, arguments: [u64; 6]) -> u32 {
    let (mut accumulator, mut at) = (0_u32, 0_usize);
    loop {
        let sock_filter { code, jt, jf, k } = program[at];
        at += 1;
        let jump = |condition: bool| usize::from(if condition { jt } else { jf });
        match code {
            0x20 => accumulator = word(number, arguments, k),
            0x54 => accumulator &= k,
            0x05 => at += k as usize,
            0x15 => at += jump(accumulator == k),
            0x25 => at += jump(accumulator > k),
            0x35 => at += jump(accumulator >= k),
            0x06 => return k,
            other => unreachable!("instruction {other:#x}"),
        }
    }
}

fn decide(plan: &Plan, number: libc::c_long, arguments: [u64; 6]) -> u32 {
    run(&allow_list(plan, OWN_PID).unwrap(), number, arguments)
}

fn allowed(plan: &Plan, number: libc::c_long, arguments: [u64; 6]) -> bool {
    match decide(plan, number, arguments) {
        ALLOW => true,
        DENY => false,
        other => unreachable!("neither allowed nor denied: {other:#x}"),
    }
}

fn any_plan() -> impl Strategy<Value = Plan> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(internet, bind, reload, packets)| {
            let plan = if internet {
                Plan::new().internet()
            } else {
                Plan::new()
            };
            let plan = if bind { plan.bind("/x") } else { plan };
            let plan = if packets { plan.packet_filter() } else { plan };
            if reload { plan.reload_manager() } else { plan }
        },
    )
}

proptest! {
    #[test]
    fn a_call_that_is_not_listed_is_denied(plan in any_plan(), number in 0_i64..1024, arguments: [u64; 6]) {
        prop_assume!(!calls().any(|(_, listed, _)| *listed == number));
        prop_assert!(!allowed(&plan, number, arguments));
    }

    /// The x32 numbers of x86-64 would otherwise be a second way to every call.
    #[test]
    fn numbers_of_another_calling_convention_are_denied(plan in any_plan(), number in 0_i64..1024, arguments: [u64; 6]) {
        prop_assert!(!allowed(&plan, number | 0x4000_0000, arguments));
    }

    #[test]
    fn calls_that_always_go_take_any_arguments(plan in any_plan(), arguments: [u64; 6]) {
        let program = allow_list(&plan, OWN_PID).unwrap();
        for (name, number, grant) in calls() {
            if *grant == Grant::Always {
                let decision = run(&program, *number, arguments);
                prop_assert_eq!(decision, ALLOW, "{}", name);
            }
        }
    }

    #[test]
    fn no_memory_becomes_executable(plan in any_plan(), mut arguments: [u64; 6]) {
        for number in [libc::SYS_mmap, libc::SYS_mprotect] {
            arguments[2] |= flag(libc::PROT_EXEC);
            prop_assert!(!allowed(&plan, number, arguments));
            arguments[2] &= !flag(libc::PROT_EXEC);
            prop_assert!(allowed(&plan, number, arguments));
        }
    }

    #[test]
    fn clone_makes_threads_only(plan in any_plan(), flags: u64, rest: [u64; 5]) {
        let [b, c, d, e, f] = rest;
        let thread = flags & CLONE_MASK == flag(libc::CLONE_THREAD);
        prop_assert_eq!(allowed(&plan, libc::SYS_clone, [flags, b, c, d, e, f]), thread);
    }

    #[test]
    fn files_are_made_without_set_id_bits(plan in any_plan(), mut arguments: [u64; 6]) {
        prop_assert_eq!(allowed(&plan, libc::SYS_openat, arguments), arguments[3] & SETID_BITS == 0);
        arguments[3] |= 0o4000;
        prop_assert!(!allowed(&plan, libc::SYS_openat, arguments));
    }

    #[test]
    fn signals_go_to_this_process_only(plan in any_plan(), process: u32, rest: [u64; 5]) {
        let [b, c, d, e, f] = rest;
        let process = u64::from(process);
        prop_assert_eq!(allowed(&plan, libc::SYS_tgkill, [process, b, c, d, e, f]), process == OWN_PID);
        prop_assert!(allowed(&plan, libc::SYS_tgkill, [OWN_PID, b, c, d, e, f]));
    }

    #[test]
    fn kill_is_a_hang_up_of_process_1_at_most(plan in any_plan(), process in 0_u64..4, signal in 0_u64..4) {
        let granted = plan.has_reload_manager() && process == 1 && signal == flag(libc::SIGHUP);
        prop_assert_eq!(allowed(&plan, libc::SYS_kill, [process, signal, 0, 0, 0, 0]), granted);
    }

    #[test]
    fn sockets_are_unix_or_granted(plan in any_plan(), family in 0_u64..48, kind in 0_u64..16, protocol in 0_u64..300, flags in 0_u64..4) {
        let (stream, datagram) = (flag(libc::SOCK_STREAM), flag(libc::SOCK_DGRAM));
        let flags = flags * flag(libc::SOCK_NONBLOCK);
        let packets = plan.has_packets() && kind == flag(libc::SOCK_SEQPACKET);
        let unix = family == flag(libc::AF_UNIX) && ([stream, datagram].contains(&kind) || packets);
        let internet = plan.has_internet()
            && [flag(libc::AF_INET), flag(libc::AF_INET6)].contains(&family)
            && (kind == stream && [0, 6].contains(&protocol) || kind == datagram && [0, 17].contains(&protocol));
        let netlink = plan.has_packet_filter()
            && family == flag(libc::AF_NETLINK)
            && kind == flag(libc::SOCK_RAW)
            && [flag(libc::NETLINK_ROUTE), flag(libc::NETLINK_NETFILTER)].contains(&protocol);
        let arguments = [family, kind | flags, protocol, 0, 0, 0];
        prop_assert_eq!(allowed(&plan, libc::SYS_socket, arguments), unix || internet || netlink);
    }
}

#[test]
fn clone3_is_answered_as_missing_so_that_glibc_uses_clone() {
    let program = without_clone3().unwrap();
    assert_eq!(
        run(&program, libc::SYS_clone3, [0; 6]),
        0x0005_0000 | libc::ENOSYS as u32
    );
    assert_eq!(run(&program, libc::SYS_clone, [0; 6]), ALLOW);
    assert!(
        allowed(&Plan::new(), libc::SYS_clone3, [0; 6]),
        "must reach the other filter"
    );
}

#[test]
fn listening_is_for_plans_that_grant_it() {
    for (plan, binds, listens) in [
        (Plan::new(), false, false),
        (Plan::new().internet(), false, false),
        (Plan::new().packet_filter(), true, false),
        (Plan::new().bind("/x"), true, true),
    ] {
        assert_eq!(allowed(&plan, libc::SYS_bind, [0; 6]), binds);
        assert_eq!(allowed(&plan, libc::SYS_listen, [0; 6]), listens);
    }
}

#[test]
fn a_limit_is_read_and_not_set() {
    let plan = Plan::new();
    assert!(allowed(&plan, libc::SYS_prlimit64, [0, 7, 0, 1, 0, 0]));
    assert!(!allowed(
        &plan,
        libc::SYS_prlimit64,
        [0, 7, 1 << 40, 0, 0, 0]
    ));
    assert!(!allowed(&plan, libc::SYS_prlimit64, [1, 7, 0, 1, 0, 0]));
}

#[test]
fn every_call_is_listed_once() {
    let mut numbers: Vec<_> = calls().map(|(_, number, _)| *number).collect();
    numbers.sort_unstable();
    let listed = numbers.len();
    numbers.dedup();
    assert_eq!(numbers.len(), listed);
}

/// The filter alone, without Landlock.
#[test]
fn the_filter_alone_denies_calls_and_not_files() {
    let thread = std::thread::spawn(|| {
        rustix::thread::set_no_new_privs(true).unwrap();
        install(&Plan::new(), Extent::Thread).unwrap();
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None);
        let program = std::process::Command::new("/bin/true").status();
        let memory = crate::raw::map_page(libc::PROT_READ | libc::PROT_EXEC, None);
        let file = std::fs::read("/proc/self/stat");
        std::thread::spawn(|| 0).join().unwrap();
        (
            io::Error::from(socket.unwrap_err()),
            program.unwrap_err(),
            memory.unwrap_err(),
            file,
        )
    });
    let (socket, program, memory, file) = thread.join().unwrap();
    for denied in [socket, program, memory] {
        assert_eq!(denied.raw_os_error(), Some(libc::EPERM));
    }
    file.unwrap();
}
