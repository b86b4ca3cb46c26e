//! The bots, and how each of their instances fares.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chat_api::{BotName, Instance, operator};
use serde::Serialize;

use crate::bots::check_file;
use crate::instances::{self, LeftOut};
use crate::places::Places;
use crate::{Error, output};

/// How long a bot may take to say how it fares. One that starts needs longer.
const STATUS_TIME: Duration = Duration::from_secs(5);

/// An instance of a bot as the list shows it.
#[derive(Debug, Serialize)]
struct One {
    instance: Instance,
    /// Why it does not do what it should.
    error: Option<String>,
    status: Option<operator::Status>,
}

/// A bot as the list shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Bot {
    bot: BotName,
    /// `declared` or `made`.
    origin: &'static str,
    file: PathBuf,
    /// What is wrong with its file, or with the first instance that does not do what it should.
    error: Option<String>,
    /// What the first instance says, with the conversations and messages of all.
    status: Option<operator::Status>,
    instances: Vec<One>,
    /// Instances that it had and has no more.
    left_out: Vec<LeftOut>,
}

impl Bot {
    pub(crate) fn is_well(&self) -> bool {
        self.error.is_none()
    }
}

/// All bots, with what each says of itself.
pub(crate) async fn all(places: &Places) -> Result<Vec<Bot>, Error> {
    let mut files = BTreeMap::new();
    for (origin, folder) in [
        ("made", places.made_bots()),
        ("declared", places.declared_bots()),
    ] {
        for (bot, file) in in_folder(&folder)? {
            files.insert(bot, (origin, file));
        }
    }
    let mut bots = Vec::new();
    for (bot, (origin, file)) in files {
        let all = instances::of(&bot, places)?;
        let left_out = instances::left_out(&bot, &all, places);
        let instances = match check_file(&file) {
            Err(error) => vec![One {
                instance: Instance::first(bot.clone()),
                error: Some(output::with_causes(&error)),
                status: None,
            }],
            Ok(_) => ask(all, places).await,
        };
        bots.push(Bot {
            error: instances.iter().find_map(|one| one.error.clone()),
            status: total(&instances),
            bot,
            origin,
            file,
            instances,
            left_out,
        });
    }
    Ok(bots)
}

/// Asks each instance how it fares, and compares its documents with those of the first.
async fn ask(all: Vec<Instance>, places: &Places) -> Vec<One> {
    let mut asked: Vec<One> = Vec::new();
    for instance in all {
        let client = operator::Client::new(places.operator_socket(&instance));
        let (status, error) = match tokio::time::timeout(STATUS_TIME, client.status()).await {
            Ok(Ok(status)) => {
                let first = asked.first().and_then(|first| first.status.as_ref());
                let error = amiss(&status, first.unwrap_or(&status));
                (Some(status), error)
            }
            Ok(Err(error)) => (None, Some(output::with_causes(&error))),
            Err(_) => (
                None,
                Some(format!(
                    "it does not answer; `systemctl status casemate-chat@{instance}` says why"
                )),
            ),
        };
        asked.push(One {
            instance,
            error,
            status,
        });
    }
    asked
}

/// What is amiss with an instance that answers. Pure.
fn amiss(status: &operator::Status, first: &operator::Status) -> Option<String> {
    let instance = &status.instance;
    if !status.open {
        return Some(format!(
            "its visitors wait until it has the documents of the first instance; `systemctl status casemate-fill@{instance}` \
             says how far that is"
        ));
    }
    (status.knowledge != first.knowledge).then(|| {
        format!(
            "its documents are not those of the first instance: repeat the `casemate knowledge` command that failed, or \
             `systemctl start casemate-fill@{instance}`, which copies them"
        )
    })
}

/// What the first instance says, with the conversations and messages of all. Pure.
fn total(instances: &[One]) -> Option<operator::Status> {
    let mut statuses = instances.iter().map(|one| one.status.as_ref());
    let mut total = statuses.next()??.clone();
    for status in statuses.flatten() {
        total.conversations = total.conversations.saturating_add(status.conversations);
        total.messages = total.messages.saturating_add(status.messages);
    }
    Some(total)
}

fn in_folder(folder: &Path) -> Result<Vec<(BotName, PathBuf)>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::Read(folder.into(), error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry
            .map_err(|error| Error::Read(folder.into(), error))?
            .path();
        let name = path.file_name().and_then(|name| name.to_str());
        let bot = name
            .and_then(|name| name.strip_suffix(".toml"))
            .and_then(|name| name.parse().ok());
        if let Some(bot) = bot {
            found.push((bot, path));
        }
    }
    Ok(found)
}

/// The list for people.
pub(crate) fn text(bots: &[Bot]) -> String {
    if bots.is_empty() {
        return "No bots yet: `casemate bot add NAME --title TEXT` adds one.".into();
    }
    let rows: Vec<_> = bots
        .iter()
        .flat_map(|bot| bot.instances.iter().map(|one| row(bot, one)))
        .collect();
    let head = [
        "bot",
        "title",
        "from",
        "provider",
        "documents",
        "conversations",
        "messages",
    ];
    let mut text = output::table(&head, &rows);
    for bot in bots {
        for one in &bot.instances {
            if let Some(error) = &one.error {
                let serves = if one.status.is_some() {
                    "is not well"
                } else {
                    "does not serve"
                };
                text.push_str(&format!("\n\n{} {serves}: {error}", one.instance));
            }
        }
        for left in &bot.left_out {
            text.push_str(&format!("\n\n{}", left.text()));
        }
    }
    text
}

fn row(bot: &Bot, one: &One) -> Vec<String> {
    let mut row = vec![one.instance.to_string()];
    match &one.status {
        Some(status) => row.extend([
            status.title.clone(),
            bot.origin.to_owned(),
            status.provider.clone(),
            status.documents.to_string(),
            status.conversations.to_string(),
            status.messages.to_string(),
        ]),
        None => row.extend([String::new(), bot.origin.to_owned()]),
    }
    row
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn status(instance: &str, knowledge: &str, conversations: u64) -> operator::Status {
        let instance: Instance = instance.parse().unwrap();
        operator::Status {
            bot: instance.bot().clone(),
            instance,
            open: true,
            title: "Shop".to_owned(),
            documents: 1,
            chunks: 1,
            knowledge: knowledge.to_owned(),
            conversations,
            messages: 2 * conversations,
            provider: "built-in".to_owned(),
            started: 0,
        }
    }

    fn one(status: operator::Status) -> One {
        One {
            instance: status.instance.clone(),
            error: None,
            status: Some(status),
        }
    }

    #[test]
    fn an_instance_that_answers_from_other_documents_is_amiss() {
        let first = status("shop", "a", 1);
        assert_eq!(amiss(&status("shop.2", "a", 0), &first), None);
        let said = amiss(&status("shop.2", "b", 0), &first).unwrap();
        assert!(said.contains("casemate-fill@shop.2"), "{said}");
        let closed = operator::Status {
            open: false,
            ..status("shop.3", "b", 0)
        };
        let said = amiss(&closed, &first).unwrap();
        assert!(
            said.contains("visitors wait") && said.contains("casemate-fill@shop.3"),
            "{said}"
        );
    }

    #[test]
    fn a_bot_has_the_conversations_of_all_its_instances() {
        let instances = [
            one(status("shop", "a", 1)),
            One {
                status: None,
                ..one(status("shop.2", "a", 7))
            },
            one(status("shop.3", "a", 3)),
        ];
        let all = total(&instances).unwrap();
        assert_eq!((all.conversations, all.messages, all.documents), (4, 8, 1));
        assert!(total(&instances[1..]).is_none());
    }
}
