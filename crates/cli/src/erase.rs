//! `casemate erase`: one conversation, for good.

use std::process::ExitCode;

use chat_api::{BotName, operator};

use crate::places::Places;
use crate::{Error, bots, output};

/// Erases a conversation, and says so once that is durable.
pub(crate) async fn conversation(
    bot: &BotName,
    conversation: &str,
    places: &Places,
    json: bool,
) -> Result<ExitCode, Error> {
    bots::find(bot, places)?;
    let client = operator::Client::new(places.operator_socket(bot));
    let erased = client.erase_conversation(conversation).await;
    erased.map_err(|error| Error::Bot(bot.clone(), error))?;
    if json {
        output::json(&serde_json::json!({ "bot": bot, "erased": conversation }));
    } else {
        output::say!("{bot} has erased the conversation {conversation} for good.");
        output::say!("Delete older copies of chat.redb.keys: they still hold its key.");
    }
    Ok(ExitCode::SUCCESS)
}
