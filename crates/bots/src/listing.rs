//! Which bots there are, by the names of their files, and how many instances each has.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chat_api::{BotName, BotNameError, Instance};

use crate::instances::{self, Unknown};

/// How a bot's file is called after its name.
const SUFFIX: &str = ".toml";

/// Most instances of all bots on one machine, and so most bots. Each is a
/// process, so more than this is a mistake or an attack on the machine's start.
pub const PROCESSES_MAX: usize = 256;

/// What was found, and what was passed over.
#[derive(Debug, Default)]
pub struct Listing {
    /// The instances of all bots, in order.
    pub instances: BTreeSet<Instance>,
    /// What does not count, with the reason.
    pub skipped: Vec<Skipped>,
}

/// The bots that have a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Each bot once, with the file that counts: the one in the first folder that has one.
    pub bots: BTreeMap<BotName, PathBuf>,
    /// Files and folders that do not count, with the reason.
    pub skipped: Vec<Skipped>,
}

/// Something that does not count.
#[derive(Debug, PartialEq, Eq)]
pub enum Skipped {
    /// Something in a folder of bots that is no bot.
    Entry {
        /// The file or folder.
        path: PathBuf,
        /// Why it is none.
        why: Why,
    },
    /// A bot's file that does not tell how many instances there are.
    Number {
        /// The file.
        path: PathBuf,
        /// Why it does not.
        why: Unknown,
        /// How many there are all the same.
        instances: u8,
    },
    /// An instance for which the machine has no room.
    Instance(Instance),
}

/// Why something is no bot.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Its name is not `BOT.toml`.
    #[error("a bot's file is called NAME{SUFFIX}")]
    Suffix,
    /// The name before the suffix is not a bot's.
    #[error("{0}")]
    Name(#[from] BotNameError),
    /// There are more than [`PROCESSES_MAX`].
    #[error("there are more than {PROCESSES_MAX} bots")]
    TooMany,
    /// The folder could not be read.
    #[error("it could not be read ({0})")]
    Unreadable(io::ErrorKind),
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Entry { path, why } => {
                write!(f, "{path:?} is passed over, so no bot starts for it: {why}")
            }
            Self::Number {
                path,
                why,
                instances,
            } => write!(
                f,
                "{path:?} does not tell how many instances its bot has, so it stays at {instances}: {why}"
            ),
            Self::Instance(instance) => write!(
                f,
                "{instance} is passed over, so it does not start: there are more than {PROCESSES_MAX} instances of all \
                 bots"
            ),
        }
    }
}

/// Sorts file names into bots and the rest. Hidden files, as editors and
/// atomic writers make them, are neither. A bot that is in several folders is
/// one bot, and its file in the first of them counts, as it does for the bot.
pub fn sort<'a, N: AsRef<OsStr> + 'a>(entries: impl IntoIterator<Item = (&'a Path, N)>) -> Files {
    let mut files = Files::default();
    for (folder, name) in entries {
        let name = name.as_ref();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = folder.join(name);
        match bot(name) {
            Ok(bot) if files.bots.contains_key(&bot) => {}
            Ok(_) if files.bots.len() == PROCESSES_MAX => files.skipped.push(Skipped::Entry {
                path,
                why: Why::TooMany,
            }),
            Ok(bot) => drop(files.bots.insert(bot, path)),
            Err(why) => files.skipped.push(Skipped::Entry { path, why }),
        }
    }
    files
}

fn bot(file: &OsStr) -> Result<BotName, Why> {
    let stem = file.to_str().and_then(|name| name.strip_suffix(SUFFIX));
    Ok(stem.ok_or(Why::Suffix)?.parse::<BotName>()?)
}

/// The instances of bots that are to have so many of them. Where there are too
/// many, every bot keeps its first ones.
pub fn spread(bots: &BTreeMap<BotName, u8>) -> Listing {
    let mut all: Vec<Instance> = bots
        .iter()
        .flat_map(|(bot, count)| Instance::all(bot, *count))
        .collect();
    all.sort_by_key(|instance| (instance.number(), instance.bot().clone()));
    let over = all.split_off(all.len().min(PROCESSES_MAX));
    Listing {
        instances: all.into_iter().collect(),
        skipped: over.into_iter().map(Skipped::Instance).collect(),
    }
}

/// Lists what there is to be by the files in these folders. A folder that does
/// not exist has none. A bot whose file does not tell how many instances there
/// are keeps those that are `present`: a fault in a file stops nothing that runs.
#[must_use]
pub fn list(folders: &[&Path], present: &BTreeSet<Instance>) -> Listing {
    let mut entries = Vec::new();
    let mut skipped = Vec::new();
    for folder in folders {
        match names(folder) {
            Ok(mut names) => {
                // So that the same folders always give the same bots, also beyond the limit.
                names.sort();
                entries.extend(names.into_iter().map(|name| (*folder, name)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => skipped.push(Skipped::Entry {
                path: folder.to_path_buf(),
                why: Why::Unreadable(error.kind()),
            }),
        }
    }
    let files = sort(entries);
    skipped.extend(files.skipped);
    let mut counts = BTreeMap::new();
    for (bot, path) in files.bots {
        let instances = match instances::read(&path) {
            Ok(instances) => instances,
            // It was removed meanwhile, and the next look will not find it.
            Err(Unknown::Read(io::ErrorKind::NotFound)) => running(&bot, present),
            Err(why) => {
                let instances = running(&bot, present);
                skipped.push(Skipped::Number {
                    path,
                    why,
                    instances,
                });
                instances
            }
        };
        counts.insert(bot, instances);
    }
    let mut listing = spread(&counts);
    listing.skipped.splice(0..0, skipped);
    listing
}

/// How many instances a bot has, counted up to its last one; one where it has none.
fn running(bot: &BotName, present: &BTreeSet<Instance>) -> u8 {
    let of_bot = present.iter().filter(|instance| instance.bot() == bot);
    of_bot.map(Instance::number).max().unwrap_or(1)
}

fn names(folder: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name()))
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names_of(instances: &BTreeSet<Instance>) -> Vec<String> {
        instances.iter().map(Instance::to_string).collect()
    }

    fn none() -> BTreeSet<Instance> {
        BTreeSet::new()
    }

    #[test]
    fn both_folders_count_and_each_bot_once() {
        let (declared, made) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (file, text) in [("shop.toml", "instances = 2"), ("help.toml", "")] {
            fs::write(declared.path().join(file), text).unwrap();
        }
        for file in [
            "shop.toml",
            "zoo.toml",
            ".new.toml",
            "Shop.toml",
            "notes.txt",
        ] {
            fs::write(made.path().join(file), "instances = 3").unwrap();
        }
        let folders = [declared.path(), Path::new("/nonexistent"), made.path()];
        let listing = list(&folders, &none());
        // The declared file counts.
        assert_eq!(
            names_of(&listing.instances),
            ["help", "shop", "shop.2", "zoo", "zoo.2", "zoo.3"]
        );
        let skipped: Vec<String> = listing.skipped.iter().map(Skipped::to_string).collect();
        assert_eq!(skipped.len(), 2, "{skipped:?}");
        assert!(
            skipped[0].contains("Shop.toml") && skipped[0].contains("'S'"),
            "{skipped:?}"
        );
        assert!(
            skipped[1].contains("notes.txt") && skipped[1].contains("NAME.toml"),
            "{skipped:?}"
        );
    }

    #[test]
    fn a_file_that_does_not_tell_stops_nothing_that_runs() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("shop.toml"), "instances = 99").unwrap();
        fs::create_dir(folder.path().join("zoo.toml")).unwrap();
        let running = ["shop", "shop.2", "shop.3", "other.4"].map(|name| name.parse().unwrap());
        let listing = list(&[folder.path()], &running.into());
        assert_eq!(
            names_of(&listing.instances),
            ["shop", "shop.2", "shop.3", "zoo"]
        );
        let said: Vec<String> = listing.skipped.iter().map(Skipped::to_string).collect();
        assert!(
            said[0].contains("stays at 3: instances is 99; it must be 1 to 8"),
            "{said:?}"
        );
        assert!(said[1].contains("stays at 1"), "{said:?}");
    }

    #[test]
    fn a_folder_that_cannot_be_read_is_said_so() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let listing = list(&[file.path()], &none());
        assert!(
            matches!(
                &listing.skipped[..],
                [Skipped::Entry {
                    why: Why::Unreadable(_),
                    ..
                }]
            ),
            "{listing:?}"
        );
    }

    #[test]
    fn too_many_bots_do_not_all_start() {
        let folder = Path::new("/bots");
        let names = (0..300).map(|n| (folder, format!("bot-{n:03}.toml")));
        let files = sort(names);
        assert_eq!(
            (files.bots.len(), files.skipped.len()),
            (PROCESSES_MAX, 300 - PROCESSES_MAX)
        );
        assert!(matches!(
            files.skipped[0],
            Skipped::Entry {
                why: Why::TooMany,
                ..
            }
        ));
    }

    proptest! {
        #[test]
        fn any_file_name_is_a_bot_hidden_or_reported(bytes in proptest::collection::vec(1_u8.., 1..40), suffix: bool) {
            use std::os::unix::ffi::OsStrExt as _;
            let mut bytes = bytes;
            bytes.retain(|byte| *byte != b'/');
            if suffix {
                bytes.extend(SUFFIX.as_bytes());
            }
            let name = OsStr::from_bytes(&bytes);
            let files = sort([(Path::new("/bots"), name)]);
            let hidden = usize::from(bytes.starts_with(b"."));
            prop_assert_eq!(files.bots.len() + files.skipped.len() + hidden, 1);
            for bot in files.bots.keys() {
                prop_assert_eq!(name.to_str(), Some(&*format!("{bot}.toml")));
            }
            for skipped in &files.skipped {
                prop_assert!(!skipped.to_string().contains(char::is_control));
            }
        }

        #[test]
        fn every_bot_has_its_first_instances_and_the_machine_not_too_many(
            counts in proptest::collection::btree_map("[a-z][a-z0-9]{0,3}", 0_u8..=9, 0..200)
        ) {
            let counts: BTreeMap<BotName, u8> =
                counts.into_iter().map(|(bot, count)| (bot.parse().unwrap(), count)).collect();
            let listing = spread(&counts);
            let asked: usize = counts.iter().map(|(bot, count)| Instance::all(bot, *count).count()).sum();
            prop_assert_eq!(listing.instances.len(), asked.min(PROCESSES_MAX));
            prop_assert_eq!(listing.instances.len() + listing.skipped.len(), asked);
            for instance in &listing.instances {
                for earlier in Instance::all(instance.bot(), instance.number()) {
                    prop_assert!(listing.instances.contains(&earlier));
                }
            }
            for bot in counts.keys() {
                prop_assert!(listing.instances.contains(&Instance::first(bot.clone())));
            }
        }
    }
}
