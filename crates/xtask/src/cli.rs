//! The commands of `cargo xtask`.

use clap::{Parser, Subcommand};

use crate::boot;
use crate::failure::Outcome;

/// Builds, boots, tests and measures the appliance.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Boot one machine in the foreground (used by the other commands and by the VM tests)
    #[command(subcommand, hide = true)]
    Boot(Boot),
}

#[derive(Debug, Subcommand)]
enum Boot {
    /// Under systemd-nspawn
    Nspawn(boot::nspawn::Container),
    /// In QEMU
    Qemu(boot::qemu::Guest),
}

/// Does what the command line asks for.
pub(crate) fn run() -> Outcome<()> {
    match Arguments::parse().command {
        Task::Boot(Boot::Nspawn(container)) => boot::nspawn::boot(&container),
        Task::Boot(Boot::Qemu(guest)) => boot::qemu::boot(&guest),
    }
}
