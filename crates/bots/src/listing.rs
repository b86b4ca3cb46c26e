//! Which bots there are, by the names of their files.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chat_api::{BotName, BotNameError};

/// How a bot's file is called after its name.
const SUFFIX: &str = ".toml";

/// Most bots on one machine. Each is a process, so more than this is a mistake
/// or an attack on the machine's start.
pub const BOTS_MAX: usize = 256;

/// The bots that were found, and what was passed over.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Each bot once, in order.
    pub bots: BTreeSet<BotName>,
    /// Files and folders that do not count, with the reason.
    pub skipped: Vec<Skipped>,
}

/// Something in a folder of bots that is no bot.
#[derive(Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file or folder.
    pub path: PathBuf,
    /// Why it does not count.
    pub why: Why,
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
    /// There are more than [`BOTS_MAX`].
    #[error("there are more than {BOTS_MAX} bots")]
    TooMany,
    /// The folder could not be read.
    #[error("it could not be read ({0})")]
    Unreadable(io::ErrorKind),
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:?} is passed over, so no bot starts for it: {}",
            self.path, self.why
        )
    }
}

/// Sorts file names into bots and the rest. Hidden files, as editors and
/// atomic writers make them, are neither. A bot that is in several folders is
/// one bot: which of its files counts is the bot's own matter.
pub fn sort<'a, N: AsRef<OsStr> + 'a>(entries: impl IntoIterator<Item = (&'a Path, N)>) -> Listing {
    let mut listing = Listing::default();
    for (folder, name) in entries {
        let name = name.as_ref();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let bot = match bot(name) {
            Ok(bot) if listing.bots.len() == BOTS_MAX && !listing.bots.contains(&bot) => {
                Err(Why::TooMany)
            }
            other => other,
        };
        match bot {
            Ok(bot) => drop(listing.bots.insert(bot)),
            Err(why) => listing.skipped.push(Skipped {
                path: folder.join(name),
                why,
            }),
        }
    }
    listing
}

fn bot(file: &OsStr) -> Result<BotName, Why> {
    let stem = file.to_str().and_then(|name| name.strip_suffix(SUFFIX));
    Ok(stem.ok_or(Why::Suffix)?.parse::<BotName>()?)
}

/// Lists the bots in these folders. A folder that does not exist has none.
#[must_use]
pub fn list(folders: &[&Path]) -> Listing {
    let mut entries = Vec::new();
    let mut unreadable = Vec::new();
    for folder in folders {
        match names(folder) {
            Ok(names) => entries.extend(names.into_iter().map(|name| (*folder, name))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => unreadable.push(Skipped {
                path: folder.to_path_buf(),
                why: Why::Unreadable(error.kind()),
            }),
        }
    }
    // So that the same folders always give the same bots, also beyond the limit.
    entries.sort();
    let mut listing = sort(entries);
    listing.skipped.extend(unreadable);
    listing
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

    fn bots(listing: &Listing) -> Vec<&str> {
        listing.bots.iter().map(BotName::as_str).collect()
    }

    #[test]
    fn both_folders_count_and_each_bot_once() {
        let (declared, made) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for file in ["shop.toml", "help.toml"] {
            fs::write(declared.path().join(file), "").unwrap();
        }
        for file in [
            "shop.toml",
            "zoo.toml",
            ".new.toml",
            "Shop.toml",
            "notes.txt",
        ] {
            fs::write(made.path().join(file), "").unwrap();
        }
        let listing = list(&[declared.path(), Path::new("/nonexistent"), made.path()]);
        assert_eq!(bots(&listing), ["help", "shop", "zoo"]);
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
    fn a_folder_that_cannot_be_read_is_said_so() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let listing = list(&[file.path()]);
        assert!(
            matches!(
                &listing.skipped[..],
                [Skipped {
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
        let listing = sort(names);
        assert_eq!(
            (listing.bots.len(), listing.skipped.len()),
            (BOTS_MAX, 300 - BOTS_MAX)
        );
        assert_eq!(listing.skipped[0].why, Why::TooMany);
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
            let listing = sort([(Path::new("/bots"), name)]);
            let hidden = usize::from(bytes.starts_with(b"."));
            prop_assert_eq!(listing.bots.len() + listing.skipped.len() + hidden, 1);
            for bot in &listing.bots {
                prop_assert_eq!(name.to_str(), Some(&*format!("{bot}.toml")));
            }
            for skipped in &listing.skipped {
                prop_assert!(!skipped.to_string().contains(char::is_control));
            }
        }
    }
}
