//! The instances of a bot: those that its file asks for, and those that it no longer asks for.

use std::fs;
use std::path::PathBuf;

use chat_api::limits::INSTANCES_MAX;
use chat_api::operator::CONVERSATIONS_TABLE;
use chat_api::{BotFile, BotName, Instance};
use serde::Serialize;
use store::{Table, offline};

use crate::places::Places;
use crate::stores::key_of;
use crate::{Error, bots, output};

/// The instances of a bot, by its file; where that does not tell, those that have a socket. There is always the first.
pub(crate) fn of(bot: &BotName, places: &Places) -> Result<Vec<Instance>, Error> {
    let path = bots::find(bot, places)?;
    // What is wrong with the file is told by whoever shows the bot.
    let text = fs::read_to_string(path).ok();
    let told = text.and_then(|text| BotFile::parse_instances(&text).ok());
    let has_socket = |instance: &Instance| places.operator_socket(instance).exists();
    Ok(match told {
        Some(count) => Instance::all(bot, count).collect(),
        None => Instance::all(bot, INSTANCES_MAX)
            .filter(|instance| instance.is_first() || has_socket(instance))
            .collect(),
    })
}

/// An instance that a bot had and has no more.
#[derive(Debug, Serialize)]
pub(crate) struct LeftOut {
    /// Its name.
    pub(crate) instance: Instance,
    /// Where its conversations are, sealed.
    folder: PathBuf,
    /// How many they are, where that can be told.
    conversations: Option<u64>,
    /// Why it cannot.
    error: Option<String>,
}

/// Instances of a bot that are none of `instances` and have a store.
pub(crate) fn left_out(bot: &BotName, instances: &[Instance], places: &Places) -> Vec<LeftOut> {
    Instance::all(bot, INSTANCES_MAX)
        .filter(|instance| !instances.contains(instance) && places.store(instance).exists())
        .map(|instance| {
            let [_, folder] = places.state(&instance);
            let counted = conversations(&instance, places);
            LeftOut {
                folder,
                conversations: counted.as_ref().ok().copied(),
                error: counted.err().map(|error| output::with_causes(&error)),
                instance,
            }
        })
        .collect()
}

fn conversations(instance: &Instance, places: &Places) -> Result<u64, Error> {
    const CONVERSATIONS: Table = Table::new(CONVERSATIONS_TABLE);
    let (path, key) = (places.store(instance), key_of(instance, places)?);
    offline::count(&path, &key, CONVERSATIONS).map_err(|error| Error::Store(path, Box::new(error)))
}

impl LeftOut {
    /// What it means, for people.
    pub(crate) fn text(&self) -> String {
        let (bot, number) = (self.instance.bot(), self.instance.number());
        let conversations = match (self.conversations, &self.error) {
            (Some(1), _) => "1 conversation stays".to_owned(),
            (Some(count), _) => format!("{count} conversations stay"),
            (None, Some(why)) => format!("its conversations (how many is not known: {why}) stay"),
            (None, None) => "its conversations stay".to_owned(),
        };
        format!(
            "{} is no instance of {bot} any more: {conversations} in {}, sealed, and nobody reaches them until the bot's \
             file says `instances = {number}` again.",
            self.instance,
            self.folder.display()
        )
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn names(instances: &[Instance]) -> Vec<String> {
        instances.iter().map(Instance::to_string).collect()
    }

    #[test]
    fn the_file_tells_the_instances_and_else_their_sockets() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path().to_owned());
        let shop: BotName = "shop".parse().unwrap();
        assert!(matches!(of(&shop, &places), Err(Error::NoBot(_))));
        fs::create_dir_all(places.made_bots()).unwrap();
        fs::write(places.made_bot(&shop), "title = 'Shop'\ninstances = 3").unwrap();
        assert_eq!(
            names(&of(&shop, &places).unwrap()),
            ["shop", "shop.2", "shop.3"]
        );
        fs::write(places.made_bot(&shop), "instances = ").unwrap();
        assert_eq!(names(&of(&shop, &places).unwrap()), ["shop"]);
        let second = places.operator_socket(&"shop.2".parse().unwrap());
        fs::create_dir_all(second.parent().unwrap()).unwrap();
        fs::write(second, "").unwrap();
        assert_eq!(names(&of(&shop, &places).unwrap()), ["shop", "shop.2"]);
    }

    #[test]
    fn what_is_left_out_is_told_with_the_way_back() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path().to_owned());
        let shop: BotName = "shop".parse().unwrap();
        let third: Instance = "shop.3".parse().unwrap();
        let store = places.store(&third);
        fs::create_dir_all(store.parent().unwrap()).unwrap();
        fs::write(store, "").unwrap();
        let all: Vec<_> = Instance::all(&shop, 3).collect();
        assert!(left_out(&shop, &all, &places).is_empty());
        let left = left_out(&shop, &all[..2], &places);
        assert_eq!(left.len(), 1);
        let said = left[0].text();
        assert!(
            said.contains("casemate-chat/shop.3")
                && said.contains("`instances = 3`")
                && said.contains("has no key"),
            "{said}"
        );
        let counted = LeftOut {
            conversations: Some(12),
            error: None,
            folder: "/x".into(),
            instance: third,
        };
        assert!(
            counted
                .text()
                .contains("12 conversations stay in /x, sealed"),
            "{}",
            counted.text()
        );
    }
}
