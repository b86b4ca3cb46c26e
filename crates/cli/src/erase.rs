//! `casemate erase`: one conversation, for good.

use std::process::ExitCode;

use chat_api::{BotName, Instance, operator};

use crate::places::Places;
use crate::{Error, instances, output};

/// What asking the instances came to.
#[derive(Debug, Default)]
struct Asked {
    /// The instance that had it.
    had: Option<Instance>,
    /// Those that could not be asked.
    failed: Vec<(Instance, operator::Error)>,
    /// What one said that does not have it.
    absent: Option<operator::Error>,
}

/// Erases a conversation, and says so once that is durable. It is in one instance, and nobody knows in which.
pub(crate) async fn conversation(
    bot: &BotName,
    conversation: &str,
    places: &Places,
    json: bool,
) -> Result<ExitCode, Error> {
    let all = instances::of(bot, places)?;
    let mut asked = Asked::default();
    for instance in &all {
        let client = operator::Client::new(places.operator_socket(instance));
        match client.erase_conversation(conversation).await {
            Ok(()) => {
                asked.had = Some(instance.clone());
                break;
            }
            Err(error) if error.is_not_found() => asked.absent = Some(error),
            Err(error) => asked.failed.push((instance.clone(), error)),
        }
    }
    let left_out = || {
        let left = instances::left_out(bot, &all, places);
        left.into_iter().map(|left| left.instance).collect()
    };
    let instance = outcome(bot, asked, left_out)?;
    if json {
        output::json(
            &serde_json::json!({ "bot": bot, "instance": instance, "erased": conversation }),
        );
    } else {
        output::say!("{instance} has erased the conversation {conversation} for good.");
        output::say!("Delete older copies of chat.redb.keys: they still hold its key.");
    }
    Ok(ExitCode::SUCCESS)
}

/// The instance that has erased it, or what has to be known where none has. Pure but for `left_out`.
fn outcome(
    bot: &BotName,
    mut asked: Asked,
    left_out: impl FnOnce() -> Vec<Instance>,
) -> Result<Instance, Error> {
    if let Some(instance) = asked.had {
        return Ok(instance);
    }
    if !asked.failed.is_empty() {
        let (instance, error) = asked.failed.swap_remove(0);
        return Err(match asked.absent {
            // Nobody else could have it.
            None if asked.failed.is_empty() && instance.is_first() => {
                Error::Bot(bot.clone(), error)
            }
            _ => Error::NotAsked(instance, error),
        });
    }
    match (left_out().as_slice(), asked.absent) {
        ([], Some(error)) => Err(Error::Bot(bot.clone(), error)),
        ([], None) => Err(Error::NoBot(bot.clone())),
        (left, _) => Err(Error::PerhapsLeftOut {
            bot: bot.clone(),
            needed: left.iter().map(Instance::number).max().unwrap_or(1),
        }),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn refused(status: u16) -> operator::Error {
        operator::Error::Refused {
            status: status.try_into().unwrap(),
            detail: "There is no conversation of that id.".to_owned(),
        }
    }

    #[test]
    fn a_conversation_is_gone_only_where_everyone_was_asked() {
        let shop: BotName = "shop".parse().unwrap();
        let second: Instance = "shop.2".parse().unwrap();
        let none = Vec::new;
        let had = Asked {
            had: Some(second.clone()),
            failed: vec![(Instance::first(shop.clone()), operator::Error::Slow)],
            absent: None,
        };
        assert_eq!(outcome(&shop, had, none).unwrap(), second);
        let nowhere = || Asked {
            absent: Some(refused(404)),
            ..Asked::default()
        };
        let said = outcome(&shop, nowhere(), none).unwrap_err();
        assert!(matches!(said, Error::Bot(..)), "{said}");
        let said = outcome(&shop, nowhere(), || vec![second.clone()])
            .unwrap_err()
            .to_string();
        assert!(said.contains("`instances = 2`"), "{said}");
        let failed = Asked {
            failed: vec![(second.clone(), operator::Error::Slow)],
            ..nowhere()
        };
        let said = outcome(&shop, failed, none).unwrap_err().to_string();
        assert!(said.contains("shop.2 could not be asked"), "{said}");
    }
}
