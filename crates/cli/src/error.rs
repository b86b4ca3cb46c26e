//! What the command could not do, and what follows from it.

use std::io;
use std::path::PathBuf;

use chat_api::{BotFileError, BotName, operator};

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The runtime did not start.
    #[error("the command could not start")]
    Runtime(#[source] io::Error),
    /// A bot of that name is there already.
    #[error("there is a bot {0} already ({1}); nothing was changed")]
    Exists(BotName, PathBuf),
    /// No such bot.
    #[error("there is no bot {0}; `casemate bot list` shows those that there are")]
    NoBot(BotName),
    /// Declared bots are not the command's to remove.
    #[error("the bot {0} is declared in {1}; remove it there (or from the Nix configuration)")]
    Declared(BotName, PathBuf),
    /// Neither a title nor a file.
    #[error("a bot needs a title that visitors see: give --title TEXT or --file PATH")]
    NoTitle,
    /// The bot's file is not accepted.
    #[error("{0}: {1}\nno bot was added")]
    BotFile(PathBuf, #[source] BotFileError),
    /// The options do not make a bot that can serve.
    #[error("{0}\nno bot was added")]
    BotOptions(String),
    /// A file that could not be read.
    #[error("{0} could not be read")]
    Read(PathBuf, #[source] io::Error),
    /// A file that could not be written or removed.
    #[error("{0} could not be changed")]
    Write(PathBuf, #[source] io::Error),
    /// The bot's service is not up in time.
    #[error(
        "the bot {bot} is {done}, but its service is not {state} after {seconds} s; `systemctl status casemate-chat@{bot}` says why"
    )]
    Waited {
        /// The bot.
        bot: BotName,
        /// What was done to it.
        done: &'static str,
        /// The state that was waited for.
        state: &'static str,
        /// For how long.
        seconds: u64,
    },
    /// A document was not taken.
    #[error("{failed} of {all} documents were not added; the others were")]
    Documents {
        /// How many failed.
        failed: usize,
        /// How many were given.
        all: usize,
    },
    /// The bot's answer was a refusal.
    #[error("{0}")]
    Bot(BotName, #[source] operator::Error),
    /// The service manager could not be asked.
    #[error("the service manager could not be asked: is this the appliance?")]
    ServiceManager(#[source] io::Error),
    /// It answered with an error.
    #[error("the service manager did not answer: {0}")]
    Systemctl(String),
}
