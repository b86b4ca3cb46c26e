//! Tries each forbidden act for real and reports what came of it.
//!
//! An act that the kernel refuses is *denied*, with the error that it gave. An act that is let
//! through is *succeeded*, unless the service's own [`Plan`] grants it. Every act undoes what it
//! did, or fails harmlessly right behind the kernel's permission check, so that the same acts can
//! be tried where nothing forbids them: that shows that a denial means something.

mod acts;
mod errno;
mod files;
mod identity;
mod kernel;
mod memory;
mod processes;
mod sockets;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Confined, Plan, Report};
use acts::Act;

/// The environment variable that [`Targets::from_environment`] reads.
pub const TARGETS_VARIABLE: &str = "CASEMATE_PROVE_TARGETS";

/// Other services' things to try, beside what every Linux has. The probe knows no service; whoever
/// runs it names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Targets {
    /// Files to read and to open for writing: keys, bot files, stores.
    pub files: Vec<PathBuf>,
    /// Directories to list and to make a file in: other services' state.
    pub directories: Vec<PathBuf>,
    /// Listening Unix sockets to connect to.
    pub sockets: Vec<PathBuf>,
    /// The name of a listening abstract Unix socket, without the leading NUL.
    pub abstract_socket: Option<String>,
}

impl Targets {
    /// Reads the targets as JSON from [`TARGETS_VARIABLE`]; an unset variable names none.
    ///
    /// # Errors
    /// When the variable is set and is not such a document.
    pub fn from_environment() -> Result<Self, serde_json::Error> {
        std::env::var(TARGETS_VARIABLE)
            .map_or_else(|_| Ok(Self::default()), |text| serde_json::from_str(&text))
    }
}

/// What came of trying an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It failed.
    Denied,
    /// It was let through.
    Succeeded,
}

/// One act and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What was tried, such as `read /etc/shadow`.
    pub act: String,
    /// What kind of act it is: `files`, `sockets`, `processes`, …
    pub group: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The error's name, such as `EPERM`. `ENOSYS` may mean that the kernel has no such call, or
    /// that a filter says so.
    pub errno: Option<String>,
    /// Whether the plan grants the act, so that success is no breach.
    pub granted: bool,
}

impl Attempt {
    /// Whether a forbidden act was let through.
    #[must_use]
    pub fn is_breach(&self) -> bool {
        self.outcome == Outcome::Succeeded && !self.granted
    }
}

/// All acts of one service, as printed by `--prove-confinement`.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// The service's stem.
    pub stem: String,
    /// What confinement reached; `None` for the control, which tries the same acts unconfined.
    pub report: Option<Report>,
    /// Every act.
    pub attempts: Vec<Attempt>,
}

impl Proof {
    /// Whether no forbidden act was let through.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.attempts.iter().any(Attempt::is_breach)
    }
}

/// Tries every act. Call it on the thread that was confined, with no other thread running: some
/// acts try to make a child.
#[must_use]
pub fn attempt_all(plan: &Plan, targets: &Targets) -> Vec<Attempt> {
    acts::all(plan, targets)
        .into_iter()
        .map(Act::attempt)
        .collect()
}

/// Tries every act and puts the answers beside what confinement reported. `confined` is `None` for
/// the control.
#[must_use]
pub fn prove(stem: &str, plan: &Plan, targets: &Targets, confined: Option<&Confined>) -> Proof {
    let report = confined.map(|confined| confined.report().clone());
    Proof {
        stem: stem.to_owned(),
        report,
        attempts: attempt_all(plan, targets),
    }
}
