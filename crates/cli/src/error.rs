//! What the command could not do, and what follows from it.

use std::io;
use std::path::PathBuf;

use chat_api::{BotFileError, BotName, Instance, operator};

use crate::stores::Holder;

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The runtime did not start.
    #[error("the command could not start")]
    Runtime(#[source] io::Error),
    /// A bot of that name is there already.
    #[error("there is a bot {0} already ({1}); nothing was changed")]
    Exists(BotName, PathBuf),
    /// Guard did not do it.
    #[error(transparent)]
    Guard(#[from] guard_api::Error),
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
        "{instance} is {done}, but its service is not {state} after {seconds} s; `systemctl status \
         casemate-chat@{instance} casemate-fill@{instance}` says why"
    )]
    Waited {
        /// The instance that was waited for.
        instance: Instance,
        /// What was done to it.
        done: &'static str,
        /// The state that was waited for.
        state: &'static str,
        /// For how long.
        seconds: u64,
    },
    /// A document was not taken.
    #[error(
        "{failed} of {all} documents were not added, or not to every instance; the others were"
    )]
    Documents {
        /// How many failed.
        failed: usize,
        /// How many were given.
        all: usize,
    },
    /// Some instances have done it, and one has not.
    #[error(
        "{done}, {failed} has not ({why}), so that visitors get different answers: repeat the command"
    )]
    Partly {
        /// What was done, by which instances.
        done: String,
        /// The instance that did not do it.
        failed: Instance,
        /// Why not.
        why: String,
    },
    /// A conversation is in none of the instances that answered, and one did not.
    #[error(
        "no instance that answered has this conversation, and {0} could not be asked: nothing was erased; \
         `systemctl status casemate-chat@{0}` says why, then repeat the command"
    )]
    NotAsked(Instance, #[source] operator::Error),
    /// A conversation is in none of the instances, and there were others.
    #[error(
        "no instance of {bot} has this conversation, but {bot} had more of them, whose conversations are still on disk: \
         nothing was erased; set `instances = {needed}` in the bot's file and repeat the command"
    )]
    PerhapsLeftOut {
        /// The bot.
        bot: BotName,
        /// How many instances reach all conversations.
        needed: u8,
    },
    /// The bot's answer was a refusal.
    #[error("{0}")]
    Bot(BotName, #[source] operator::Error),
    /// A store could not be worked on.
    #[error("{0}")]
    Store(PathBuf, #[source] Box<store::Error>),
    /// A service or another process has it open.
    #[error("{0}: {1}; nothing was changed")]
    InUse(PathBuf, Holder),
    /// Neither a file nor a bot.
    #[error("which store? give its file, or --bot BOT")]
    NoFile,
    /// The bot has no store.
    #[error("the bot {0} has no store ({1}); `casemate bot list` shows the bots that there are")]
    NoStore(Instance, PathBuf),
    /// No key was named.
    #[error("this needs the store's key: give it with --key PATH, or with --bot BOT as root")]
    NoKey,
    /// A file that holds no key.
    #[error(
        "{0} is not a store's key, which is 32 raw bytes; \
         `head --bytes=32 /dev/urandom` makes a new one, `systemd-creds decrypt --name=store` \
         gives a sealed one"
    )]
    KeyLength(PathBuf),
    /// The bot has no key.
    #[error("the bot {0} has no key ({1}), and without it nobody can open its store")]
    NoCredential(Instance, PathBuf),
    /// The bot's key could not be unsealed.
    #[error(
        "the key of the bot {0} ({1}) could not be sealed or unsealed, which only root can, on \
         the machine that it is sealed to: {2}"
    )]
    Credential(Instance, PathBuf, String),
    /// No random bytes.
    #[error("the kernel gave no random bytes, so no key was made and nothing was changed")]
    Random(#[source] io::Error),
    /// A file where a new one was to be.
    #[error("{0} is there already, and was left as it is; give another name")]
    FileExists(PathBuf),
    /// Bytes for no reader.
    #[error("a snapshot is not for a terminal: give a file, or send it on with |")]
    Terminal,
    /// The service manager could not be asked.
    #[error("the service manager could not be asked: is this the appliance?")]
    ServiceManager(#[source] io::Error),
    /// It answered with an error.
    #[error("the service manager did not answer: {0}")]
    Systemctl(String),
    /// A bot is erased but for its counter.
    #[error(
        "{instance} is erased, but its counter is still in the TPM, so that a new bot of this name would \
         be refused: `systemctl status {unit}` says why, `systemctl start {unit}` tries again"
    )]
    Counter {
        /// The instance.
        instance: Instance,
        /// What was to remove its counter.
        unit: String,
    },
}
