//! The operator's command. It runs as root on the appliance and speaks to the
//! services through the sockets that root may open; it holds no state.

mod arguments;
mod bans;
mod bots;
mod erase;
mod error;
mod instances;
mod knowledge;
mod listed;
mod output;
mod places;
mod status;
mod stores;
mod units;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::arguments::{Arguments, Command};
pub use crate::error::Error;
pub use crate::stores::Holder;

/// Reads the command line, does what it says, and tells the outcome.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(&arguments)),
        Err(error) => Err(Error::Runtime(error)),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            output::error(&error, arguments.json);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let (places, json) = (&arguments.places(), arguments.json);
    match &arguments.command {
        Command::Status => status::show(places, json).await,
        Command::Bot(command) => bots::run(command, places, json).await,
        Command::Knowledge(command) => knowledge::run(command, places, json).await,
        Command::Erase { bot, conversation } => {
            erase::conversation(bot, conversation, places, json).await
        }
        Command::Ban {
            address,
            period,
            reason,
        } => bans::ban(*address, *period, reason, places, json).await,
        Command::Unban { address } => bans::unban(*address, places, json).await,
        Command::Bans { command } => bans::bans(command.as_ref(), places, json).await,
        Command::Events => bans::events(places, json).await,
        Command::Store(command) => stores::run(command, places, json).await,
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command, "casemate", &mut script);
            output::line(String::from_utf8_lossy(&script).trim_end());
            Ok(ExitCode::SUCCESS)
        }
    }
}
