use std::io;
use std::path::PathBuf;

/// Why a process could not be confined. Whoever gets one must not serve: part of the rules may hold
/// already, and part may not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Landlock rules hold for the calling thread and its children only, so confining one of many
    /// threads protects nothing.
    #[error(
        "not confined: the process already runs {0} threads, and rules set now would not hold for the others"
    )]
    Threads(usize),
    /// Neither /proc nor the kernel tells how many threads run.
    #[error("not confined: cannot tell whether other threads run already ({0})")]
    ThreadsUnknown(#[source] io::Error),
    /// A path of the plan can't be opened, so no rule can be made for it.
    #[error("not confined: {} of the plan cannot be opened: {source}", path.display())]
    Path {
        /// The path as the plan names it.
        path: PathBuf,
        /// What opening it gave.
        source: io::Error,
    },
    /// A system call that takes a privilege away failed.
    #[error("not confined: {act} failed: {source}")]
    Privilege {
        /// What was tried.
        act: &'static str,
        /// What it gave.
        source: io::Error,
    },
    /// Capabilities remain, or could be regained.
    #[error("not confined: capabilities cannot be dropped: {0}")]
    Capabilities(String),
    /// The kernel has no Landlock, or something forbids the process to use it (a container's own
    /// filter, for example).
    #[error(
        "not confined: Landlock is not available ({0}); file-system rules are a hard requirement"
    )]
    LandlockMissing(#[source] io::Error),
    /// Landlock refused a rule.
    #[error("not confined: Landlock: {0}")]
    Landlock(String),
    /// Landlock accepted the rules and does not enforce all of them.
    #[error("not confined: Landlock enforces the rules {0}")]
    NotEnforced(String),
    /// The system call filter could not be built or installed.
    #[error("not confined: system call filter: {0}")]
    Filter(String),
}
