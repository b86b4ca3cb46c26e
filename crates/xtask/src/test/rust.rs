//! The stages that cargo and its tools do.

use std::process::Command;
use std::time::Instant;

use super::Context;
use super::stage::Verdict;
use crate::failure::{Failure, Outcome};
use crate::program;
use crate::progress::note;
use crate::workspace::cargo;

/// `cargo fmt --check`.
pub(super) fn fmt(context: &Context) -> Outcome<Vec<Verdict>> {
    require_component("fmt", "rustfmt")?;
    checked(context, "fmt", &["fmt", "--all", "--check"])
}

/// clippy over every target, warnings being errors.
pub(super) fn clippy(context: &Context) -> Outcome<Vec<Verdict>> {
    require_component("clippy", "clippy")?;
    checked(
        context,
        "clippy",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    )
}

/// The tests of the workspace, and those of its documentation.
pub(super) fn nextest(context: &Context) -> Outcome<Vec<Verdict>> {
    if !program::exists("cargo-nextest") {
        note("cargo-nextest is missing and is installed from crates.io");
        program::show(Command::new(cargo()).args(["install", "--locked", "cargo-nextest"]))?;
    }
    checked(
        context,
        "nextest",
        &["nextest", "run", "--workspace", "--no-fail-fast"],
    )
}

/// Runs cargo so that the user sees it.
fn checked(context: &Context, name: &str, arguments: &[&str]) -> Outcome<Vec<Verdict>> {
    let started = Instant::now();
    program::show(
        Command::new(cargo())
            .args(arguments)
            .current_dir(context.workspace.root()),
    )?;
    Ok(vec![Verdict::passed(name, started.elapsed(), "")])
}

/// Says how to get a part of the toolchain that is missing.
fn require_component(subcommand: &str, component: &str) -> Outcome<()> {
    let found = program::capture(Command::new(cargo()).args([subcommand, "--version"]))?
        .status
        .success();
    if found {
        return Ok(());
    }
    Failure::because(format!(
        "{component} is missing. With rustup: rustup component add {component}; with Debian's cargo: apt-get \
         install {}",
        if component == "clippy" {
            "rust-clippy"
        } else {
            component
        }
    ))
}
