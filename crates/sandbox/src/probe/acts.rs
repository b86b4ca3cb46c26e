//! What an act is, how its outcome is told, and the list of all.

use std::io;
use std::path::PathBuf;

use super::{
    Attempt, Outcome, Targets, errno, files, identity, kernel, memory, processes, sockets,
};
use crate::{Plan, raw};

/// A forbidden act that can be tried.
pub(super) struct Act {
    name: String,
    group: &'static str,
    granted: bool,
    attempt: Box<dyn FnOnce() -> io::Result<()>>,
}

impl Act {
    /// An act of `group`; `attempt` succeeds when the kernel lets it through.
    pub(super) fn new(
        group: &'static str,
        name: impl Into<String>,
        attempt: impl FnOnce() -> io::Result<()> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            group,
            granted: false,
            attempt: Box::new(attempt),
        }
    }

    /// As [`Act::new`], for an act that changes the process which does it: it is done in a child,
    /// which ends. Where no child can be made, which is itself one of the forbidden acts, this
    /// process tries it: a success is then a breach that ends the matter anyway.
    pub(super) fn apart(
        group: &'static str,
        name: impl Into<String>,
        attempt: impl Fn() -> io::Result<()> + 'static,
    ) -> Self {
        Self::new(group, name, move || {
            raw::in_child(&attempt).unwrap_or_else(|_| attempt())
        })
    }

    /// Marks an act that the plan grants.
    pub(super) fn granted_if(mut self, granted: bool) -> Self {
        self.granted = granted;
        self
    }

    /// Tries it.
    pub(super) fn attempt(self) -> Attempt {
        let Self {
            name: act,
            group,
            granted,
            attempt,
        } = self;
        let (outcome, errno) = match attempt() {
            Ok(()) => (Outcome::Succeeded, None),
            Err(error) => (Outcome::Denied, Some(errno::name(&error))),
        };
        Attempt {
            act,
            group: group.to_owned(),
            outcome,
            errno,
            granted,
        }
    }
}

/// Every act there is for this plan and these targets.
pub(super) fn all(plan: &Plan, targets: &Targets) -> Vec<Act> {
    let own = own_directory(plan);
    let mut acts = files::acts(plan, targets, &own);
    acts.extend(sockets::acts(plan, targets));
    acts.extend(processes::acts(&own));
    acts.extend(memory::acts());
    acts.extend(identity::acts());
    acts.extend(kernel::acts());
    acts
}

/// Where a service may write: there it must not make a device, a set-user-ID program, or one that
/// runs. A service without such a directory tries /tmp.
fn own_directory(plan: &Plan) -> PathBuf {
    plan.writes()
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from)
}
