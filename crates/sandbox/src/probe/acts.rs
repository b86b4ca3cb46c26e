//! The acts, and how the outcome of one is told.

use std::io;

use super::{Attempt, Outcome, Targets};
use crate::Plan;

/// A forbidden act that can be tried.
pub(super) struct Act {
    name: String,
    group: &'static str,
    granted: bool,
    attempt: Box<dyn FnOnce() -> io::Result<()>>,
}

impl Act {
    pub(super) fn new(group: &'static str, name: impl Into<String>, attempt: impl FnOnce() -> io::Result<()> + 'static) -> Self {
        Self { name: name.into(), group, granted: false, attempt: Box::new(attempt) }
    }

    /// Tries it.
    pub(super) fn attempt(self) -> Attempt {
        let Self { name: act, group, granted, attempt } = self;
        let (outcome, errno) = match attempt() {
            Ok(()) => (Outcome::Succeeded, None),
            Err(error) => (Outcome::Denied, Some(error.to_string())),
        };
        Attempt { act, group: group.to_owned(), outcome, errno, granted }
    }
}

/// Every act there is for this plan and these targets.
pub(super) fn all(_plan: &Plan, _targets: &Targets) -> Vec<Act> {
    vec![Act::new("files", "read /etc/shadow", || std::fs::read("/etc/shadow").map(drop))]
}
