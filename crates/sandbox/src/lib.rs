//! Confines a service from inside, on top of its systemd unit's sandbox, so that each forbidden act
//! is denied by two layers.
//!
//! [`confine`] takes away, for good and in this order: privileges by exec, core dumps and tracing,
//! every capability that it does not grant (none, but for the packet filter), every file and directory that the [`Plan`] does not name (Landlock), and every
//! system call that a service does not need (seccomp). It yields a [`Confined`], which nothing else
//! can make: a function that asks for one can't be called unconfined.

mod domain;
mod error;
mod filter;
mod plan;
mod privileges;
pub mod probe;
mod raw;

use std::sync::Arc;

pub use error::Error;
pub use filter::system_calls;
pub use plan::Plan;

/// What confinement reached on this kernel.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// The Landlock ABI that the rules were made for: the kernel's, or the newest that this program
    /// knows.
    pub landlock_abi: i32,
    /// What this kernel, or the way the process was started, leaves open; one sentence each. To be
    /// logged at start.
    pub gaps: Vec<String>,
}

/// Proof that the calling thread, and every thread spawned since, is confined. Only [`confine`] and
/// [`confine_thread`] make one.
#[derive(Clone, Debug)]
pub struct Confined {
    report: Arc<Report>,
}

impl Confined {
    /// What was reached.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }
}

/// Confines the process for good. Call it on the main thread, before the runtime starts its
/// threads.
///
/// # Errors
/// Any [`Error`] means that the process must not serve; some of the rules may hold already.
pub fn confine(plan: &Plan) -> Result<Confined, Error> {
    privileges::require_single_thread()?;
    privileges::set_no_new_privs()?;
    privileges::forbid_memory_reading()?;
    restrict(plan, filter::Extent::Process)
}

/// Confines the calling thread and whatever it spawns, and leaves the process's other threads as
/// they are.
///
/// A test runs many tests in one process and confines the thread of one. This leaves out what is
/// the whole process's: core dumps and tracing. A service calls [`confine`], which refuses where
/// other threads exist.
///
/// # Errors
/// As [`confine`], but for the number of threads.
pub fn confine_thread(plan: &Plan) -> Result<Confined, Error> {
    privileges::set_no_new_privs()?;
    restrict(plan, filter::Extent::Thread)
}

fn restrict(plan: &Plan, extent: filter::Extent) -> Result<Confined, Error> {
    let mut gaps = privileges::drop_capabilities(plan)?;
    let landlock_abi = domain::enforce(plan)?;
    gaps.extend(domain::gaps(landlock_abi));
    filter::install(plan, extent)?;
    Ok(Confined {
        report: Arc::new(Report { landlock_abi, gaps }),
    })
}
