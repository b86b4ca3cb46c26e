//! The stages that cargo and its tools do.

use std::process::Command;
use std::time::Instant;

use super::Context;
use super::stage::Verdict;
use crate::failure::{Failure, Outcome};
use crate::program;
use crate::progress::note;
use crate::workspace::cargo;

/// How often a test that failed is tried again. Some measure time, and the machine has others; what passes only then is
/// named in the summary.
const RETRIES: &str = "1";

/// Lines of what failed that are shown again at the end of all.
const COMPLAINT_LINES: usize = 60;

/// How nextest begins its summary, after which it repeats what failed.
const SUMMARY: &str = "Summary [";

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
    let started = Instant::now();
    let mut said = Vec::new();
    let passed = program::follow(
        Command::new(cargo())
            .args(["nextest", "run", "--workspace", "--no-fail-fast"])
            .args(["--retries", RETRIES])
            .args(["--failure-output", "immediate-final"])
            // Each failure is said twice, and says where it is without.
            .env("RUST_BACKTRACE", "0")
            .current_dir(context.workspace.root()),
        |line| {
            println!("{line}");
            if !said.is_empty() || line.contains(SUMMARY) {
                said.push(line.trim().to_owned());
            }
            Ok(())
        },
    )?;
    said.truncate(COMPLAINT_LINES);
    Ok(vec![if passed {
        Verdict::passed("nextest", started.elapsed(), flaky(&said).join("\n"))
    } else {
        let why = format!("see above, and:\n{}", said.join("\n"));
        Verdict::failed("nextest", started.elapsed(), why)
    }])
}

/// What nextest says of tests that passed at another try only, and how many they were before them.
fn flaky(summary: &[String]) -> Vec<&str> {
    let tests: Vec<_> = summary
        .iter()
        .filter(|line| line.starts_with("FLAKY"))
        .map(String::as_str)
        .collect();
    if tests.is_empty() {
        return tests;
    }
    [&["passed at another try only:"], &*tests].concat()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_passed_at_another_try_only_is_named() {
        let summary = [
            "Summary [ 0.124s] 2 tests run: 2 passed (1 flaky), 0 skipped",
            "FLAKY 2/2 [ 0.122s] (2/2) scr a",
        ];
        assert_eq!(
            flaky(&summary.map(str::to_owned)),
            ["passed at another try only:", summary[1]]
        );
        assert!(
            flaky(
                &summary[..1]
                    .iter()
                    .map(|line| (*line).to_owned())
                    .collect::<Vec<_>>()
            )
            .is_empty()
        );
    }
}
