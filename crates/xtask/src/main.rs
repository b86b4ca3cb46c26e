//! `cargo xtask`: builds the appliance, boots it for a person or a test, and measures it.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks to its user"
)]

mod boot;
mod cgroup;
mod cli;
mod failure;
mod mounts;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
