//! The command line that every service shares.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use tracing::level_filters::LevelFilter;

/// A Casemate service. It is meant to be started by its systemd unit.
#[derive(Debug, Parser)]
#[command(version, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// The configuration file, or a folder that has one for the instance; given several times,
    /// the first that exists is read.
    #[arg(long, value_name = "PATH")]
    pub(crate) config: Vec<PathBuf>,

    /// The instance of a template unit, such as a bot's name.
    #[arg(long, value_name = "NAME")]
    pub(crate) instance: Option<String>,

    /// Check the configuration, say what is wrong with it, and exit.
    #[arg(long)]
    pub(crate) check_config: bool,

    /// Confine exactly as in service, try every forbidden act, print a JSON
    /// document and exit (1 if one succeeded). `control` tries them unconfined.
    #[arg(long, value_name = "HOW", num_args = 0..=1, default_missing_value = "confined", require_equals = true)]
    pub(crate) prove_confinement: Option<Prove>,

    /// How much is logged.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub(crate) log: LevelFilter,
}

/// How a proof of confinement is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Prove {
    /// Confined as in service.
    Confined,
    /// Not confined: what succeeds here shows that the attempts are real.
    Control,
}
