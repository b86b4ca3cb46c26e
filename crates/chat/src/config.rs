//! Where a bot's process finds what it needs. What the bot is says its file, [`BotFile`].

use std::path::{Path, PathBuf};

use chat_api::{BotFile, BotName};
use sandbox::Plan;

/// The socket of the provider broker.
pub const LLM_SOCKET: &str = "/run/casemate/llm/llm.sock";

/// Where bots' states stand when the service manager names no folder.
const STATES: &str = "/var/lib/casemate-chat";

/// The store's file in the state's folder.
pub const STORE_FILE: &str = "chat.redb";

/// The credential that is the store's key.
pub const STORE_KEY: &str = "store";

/// The bot that the process was started for.
///
/// # Errors
/// A sentence when the instance is missing or no bot's name.
pub fn bot(instance: Option<&str>) -> Result<BotName, String> {
    let instance = instance
        .ok_or("there is no --instance: it names the bot, as in casemate-chat@BOT.service")?;
    instance
        .parse()
        .map_err(|error| format!("--instance {instance:?} is no bot's name: {error}"))
}

/// Checks that a bot can be served.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check(file: &BotFile, instance: Option<&str>) -> Result<(), String> {
    if let Some(instance) = instance {
        bot(Some(instance))?;
    }
    file.check()
}

/// The folder of the bot's state (`StateDirectory=`, systemd.exec(5)).
#[must_use]
pub fn state(instance: Option<&str>) -> PathBuf {
    let given = std::env::var_os("STATE_DIRECTORY").map(PathBuf::from);
    given.unwrap_or_else(|| Path::new(STATES).join(instance.unwrap_or_default()))
}

/// What a bot's process may touch: its state, and the broker's socket.
#[must_use]
pub fn plan(instance: Option<&str>) -> Plan {
    let broker = Path::new(LLM_SOCKET)
        .parent()
        .unwrap_or(Path::new(LLM_SOCKET));
    Plan::new().write(state(instance)).connect(broker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_must_be_a_bots_name() {
        let file = BotFile::new("Shop");
        assert_eq!(check(&file, Some("shop")), Ok(()));
        assert!(check(&file, Some("../shop")).is_err_and(|why| why.contains("no bot's name")));
        assert!(bot(None).is_err_and(|why| why.contains("--instance")));
        // A file alone can be checked too.
        assert_eq!(check(&file, None), Ok(()));
    }
}
