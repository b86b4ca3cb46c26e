//! The commands of `cargo xtask`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Outcome;
use crate::root::inside::Inside;
use crate::{bench, boot, crash, down, shell, test, up};

/// Builds, boots, tests and measures the appliance.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build and boot the appliance, make a demo bot, and print where to find it
    Up(up::Options),
    /// Stop the appliance and clear away what a killed one left
    Down,
    /// Open a root shell inside the appliance, or run one command there
    Shell {
        /// The command and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Run every check there is
    Test(test::Options),
    /// Measure, and say whether the promised figures hold
    Bench(bench::Options),
    /// Prove that the store survives power cuts, damage and kills
    Crash(crash::Options),
    /// Boot one machine in the foreground (used by the other commands and by the VM tests)
    #[command(subcommand, hide = true)]
    Boot(Boot),
    /// Run one program in a root without booting it (used by the other commands)
    #[command(hide = true)]
    Inside {
        #[command(flatten)]
        root: Inside,
        /// The program and its arguments
        #[arg(last = true, required = true)]
        words: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
enum Boot {
    /// Under systemd-nspawn
    Nspawn(boot::nspawn::Container),
    /// In QEMU
    Qemu(boot::qemu::Guest),
}

/// Does what the command line asks for.
pub(crate) fn run() -> Outcome<ExitCode> {
    match Arguments::parse().command {
        Task::Up(options) => up::up(&options)?,
        Task::Down => down::down()?,
        Task::Shell { command } => return shell::shell(&command),
        Task::Test(options) => return test::test(&options),
        Task::Bench(options) => return bench::bench(&options),
        Task::Crash(options) => return crash::crash(&options),
        Task::Boot(Boot::Nspawn(container)) => boot::nspawn::boot(&container)?,
        Task::Boot(Boot::Qemu(guest)) => boot::qemu::boot(&guest)?,
        Task::Inside { root, words } => root.exec(&words)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
