//! Known vulnerabilities of dependencies.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use super::Context;
use super::stage::Verdict;
use crate::failure::Outcome;
use crate::program;
use crate::workspace::cargo;

/// Runs cargo-audit over the lock file where it and its database are at hand.
pub(super) fn run(context: &Context) -> Outcome<Vec<Verdict>> {
    if !program::exists("cargo-audit") {
        return Ok(vec![Verdict::skipped(
            "audit",
            "cargo-audit is not installed (cargo install --locked cargo-audit)",
        )]);
    }
    let Some(database) = database() else {
        return Ok(vec![Verdict::skipped(
            "audit",
            "there is no advisory database here (cargo audit fetches one)",
        )]);
    };
    let started = Instant::now();
    program::show(
        Command::new(cargo())
            .args(["audit", "--deny", "warnings", "--no-fetch", "--db"])
            .arg(database)
            .current_dir(context.workspace.root()),
    )?;
    Ok(vec![Verdict::passed("audit", started.elapsed(), "")])
}

/// The advisory database that cargo-audit has fetched before.
fn database() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map_or_else(
        || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")),
        |home| Some(home.into()),
    )?;
    let database = home.join("advisory-db");
    database.join("crates").is_dir().then_some(database)
}
