//! `cargo xtask`: builds the appliance, boots it for a person or a test, and measures it.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks to its user"
)]

mod assemble;
mod bench;
mod boot;
mod cgroup;
mod cli;
mod crash;
mod demo;
mod down;
mod failure;
mod fingerprint;
mod forward;
mod host;
mod instance;
mod machine;
mod mounts;
mod program;
mod progress;
mod root;
mod shell;
mod stop;
mod terminal;
mod test;
mod up;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run().unwrap_or_else(|failure| {
        eprintln!("error: {failure}");
        ExitCode::FAILURE
    })
}
