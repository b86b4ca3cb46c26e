//! The command line.

use std::path::PathBuf;

use chat_api::limits::INSTANCES_MAX;
use chat_api::{BotName, DocumentName, Language};
use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

use crate::bans::{BansCommand, Period, Whom};
use crate::places::Places;
use crate::stores::StoreCommand;

/// Operate a Casemate appliance.
#[derive(Debug, Parser)]
#[command(name = "casemate", version, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// Print one JSON document instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Another root folder than /, for a system that is mounted and not running.
    #[arg(long, global = true, hide = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    root: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    pub(crate) fn places(&self) -> Places {
        Places::below(self.root.clone().unwrap_or_else(|| PathBuf::from("/")))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show every service and every bot, and whether it serves.
    Status,
    /// Add, list and remove bots.
    #[command(subcommand)]
    Bot(BotCommand),
    /// Give a bot documents to answer from.
    #[command(subcommand)]
    Knowledge(KnowledgeCommand),
    /// Erase one conversation for good. Copies of the bot's data without its .keys file can
    /// no longer show it either; older copies of that file still can.
    Erase {
        /// The bot.
        bot: BotName,
        /// The conversation's id: 32 hexadecimal digits.
        conversation: String,
    },
    /// Ban an address or a prefix, at once and on all ports.
    Ban {
        /// The address or the prefix, such as 192.0.2.1 or 2001:db8::/64.
        address: Whom,
        /// For how long: a number and s, m, h or d.
        #[arg(long = "for", value_name = "TIME", default_value = "1d")]
        period: Period,
        /// Why, for others to read.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Lift every ban that holds for an address or for a part of a prefix.
    Unban {
        /// The address or the prefix.
        address: Whom,
    },
    /// List the bans with their reason, evidence and the time left, or explain one.
    #[command(args_conflicts_with_subcommands = true)]
    Bans {
        #[command(subcommand)]
        command: Option<BansCommand>,
    },
    /// List what services and the journal told of lately that may be an attack.
    Events,
    /// Check, describe, copy and restore encrypted stores, and change their keys.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Print completions for a shell, to be put where that shell looks for them.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BotCommand {
    /// Add a bot and wait until it serves.
    Add(BotAdd),
    /// List the bots.
    List,
    /// Remove a bot. Its conversations and documents stay on disk, sealed, unless
    /// they are erased with it.
    Remove {
        /// The bot.
        bot: BotName,
        /// Also destroy the bot's key and its conversations and documents, for good.
        #[arg(long)]
        erase: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct BotAdd {
    /// The bot's name in addresses: small letters, digits and hyphens.
    pub(crate) bot: BotName,
    /// A bot file (TOML); the options below change what it says.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// The name that visitors see. Needed where there is no file.
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// What the assistant says first.
    #[arg(long)]
    pub(crate) greeting: Option<String>,
    /// The language of visitors and documents, such as `en`.
    #[arg(long)]
    pub(crate) language: Option<Language>,
    /// A site that may embed the widget, such as `https://shop.example`; repeat for more.
    #[arg(long = "origin", value_name = "ORIGIN")]
    pub(crate) origins: Vec<chat_api::Origin>,
    /// Who answers: `built-in`, or a provider of /etc/casemate/llm.toml.
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// Processes that serve the bot, each with a store of its own: 1 to 8.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=i64::from(INSTANCES_MAX)))]
    pub(crate) instances: Option<u8>,
    /// Show a sample page with the widget at /b/BOT/.
    #[arg(long)]
    pub(crate) preview: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KnowledgeCommand {
    /// Add documents, or replace those of the same name.
    Add {
        /// The bot.
        bot: BotName,
        /// Markdown (.md), text (.txt) or HTML (.html).
        #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
        files: Vec<PathBuf>,
    },
    /// List a bot's documents.
    List {
        /// The bot.
        bot: BotName,
    },
    /// Remove a document.
    Remove {
        /// The bot.
        bot: BotName,
        /// The document's name, as `knowledge list` shows it.
        document: DocumentName,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
