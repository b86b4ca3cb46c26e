//! Keys and records in memory stay there: no core dump, no swap.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Forbids core dumps and reading by other processes of the same user; as root, who is not
/// limited in it, swap too. The commands work the same where the kernel refuses.
pub(crate) fn keep_private() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if rustix::process::geteuid().is_root() {
        // Only what is touched: thread stacks are large and mostly unused.
        let _ = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT);
    }
}
