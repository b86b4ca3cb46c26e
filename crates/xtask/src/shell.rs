//! `cargo xtask shell`: a root shell, or one command, inside the appliance that is up.

use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use crate::failure::{Failure, Outcome, While};
use crate::host;
use crate::instance::{Instance, Reach};
use crate::terminal;
use crate::up::{CONTAINER, VIRTUAL_MACHINE};
use crate::workspace::Workspace;

/// Gives the terminal to a shell inside, or runs `words` there; the status is the command's own.
pub(crate) fn shell(words: &[String]) -> Outcome<ExitCode> {
    host::require_root()?;
    let workspace = Workspace::find()?;
    let reach = [CONTAINER, VIRTUAL_MACHINE]
        .into_iter()
        .filter_map(|name| Instance::named(&workspace, name).running())
        .find(|running| running.owner.alive())
        .and_then(|running| running.reach);
    let Some(reach) = reach else {
        return Failure::because("the appliance is not up. Start it with: cargo xtask up");
    };
    match &reach {
        Reach::Container { leader } => {
            let error = Reach::on_terminal(*leader, words).exec();
            Err(error).during("nsenter could not be started")
        }
        Reach::Console { terminal, .. } if words.is_empty() => {
            terminal::join(terminal)?;
            Ok(ExitCode::SUCCESS)
        }
        reach @ Reach::Console { .. } => {
            let done = reach.run(&words.join(" "))?;
            print!("{}", done.output);
            Ok(u8::try_from(done.status).map_or(ExitCode::FAILURE, ExitCode::from))
        }
    }
}
