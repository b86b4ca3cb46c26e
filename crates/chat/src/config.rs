//! Where a bot's process finds what it needs. What the bot is says its file, [`BotFile`].

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use chat_api::{BotFile, Instance};
use daemon::{BoxError, Service as _};
use sandbox::Plan;
use secret::Credentials;
use tpm::Count;

use crate::serve::Chat;

/// The socket of the provider broker.
pub const LLM_SOCKET: &str = "/run/casemate/llm/llm.sock";

/// Where the service manager keeps what services keep.
const KEPT: &str = "/var/lib";

/// The folder among them that holds a folder for each bot's store.
const STATES: &str = "casemate-chat";

/// The folder among them that holds a folder for each store's anchor.
const ANCHORS: &str = "casemate-anchor";

/// The store's file in the state's folder.
pub const STORE_FILE: &str = "chat.redb";

/// The file in the anchor's folder that tells an older copy of the store from the newest.
pub const ANCHOR_FILE: &str = "chat.anchor";

/// The credential that is the store's key.
pub const STORE_KEY: &str = "store";

/// The credential that is what the TPM's counter of the store says.
const COUNTER: &str = "counter";

/// What it is where there is none.
const NO_COUNTER: &str = "none";

/// The file in the unit's `RuntimeDirectory=` that says what was noted of the counter.
const OPENED_FILE: &str = "opened";

/// The instance of a bot that the process was started for.
///
/// # Errors
/// A sentence when it is missing, or no instance's name.
pub fn instance(name: Option<&str>) -> Result<Instance, String> {
    let name =
        name.ok_or("there is no --instance: it names the bot, as in casemate-chat@BOT.service")?;
    name.parse()
        .map_err(|error| format!("--instance {name:?} is no bot's name: {error}"))
}

/// The bot's file among the bots' files: its instances share it.
///
/// # Errors
/// As [`instance`].
pub fn stem(name: &str) -> Result<String, String> {
    instance(Some(name)).map(|instance| instance.bot().to_string())
}

/// Checks that a bot can be served.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check(file: &BotFile, name: Option<&str>) -> Result<(), String> {
    if name.is_some() {
        instance(name)?;
    }
    file.check()
}

/// The folder of the bot's state.
#[must_use]
pub fn state(instance: Option<&str>) -> PathBuf {
    let given = std::env::var_os("STATE_DIRECTORY");
    kept(given.as_deref(), STATES).unwrap_or_else(|| {
        Path::new(KEPT)
            .join(STATES)
            .join(instance.unwrap_or_default())
    })
}

/// The folder of its store's anchor, apart from the store, so that whoever puts an older copy of the
/// state back does not put an older anchor back with it.
#[must_use]
pub fn anchor(instance: Option<&str>) -> PathBuf {
    let given = std::env::var_os("STATE_DIRECTORY");
    let name = format!("{}-{}", Chat::STEM, instance.unwrap_or_default());
    kept(given.as_deref(), ANCHORS).unwrap_or_else(|| Path::new(KEPT).join(ANCHORS).join(name))
}

/// The one of `given` that lies in a folder called `among`. The service manager gives the unit's
/// `StateDirectory=` separated by colons, in an order of its own (systemd.exec(5)).
fn kept(given: Option<&OsStr>, among: &str) -> Option<PathBuf> {
    let given = given?.as_bytes().split(|byte| *byte == b':');
    given
        .map(|path| Path::new(OsStr::from_bytes(path)))
        .find(|path| path.parent().and_then(Path::file_name) == Some(OsStr::new(among)))
        .map(Path::to_owned)
}

/// What the TPM's counter of the store said before this start, where the machine has one.
///
/// # Errors
/// When something is handed over and it cannot be read.
pub fn counter(credentials: &Credentials) -> Result<Option<Count>, BoxError> {
    let text = match credentials.text(COUNTER) {
        Ok(text) => text,
        Err(secret::Error::Missing(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match text.expose() {
        NO_COUNTER => Ok(None),
        text => Ok(Some(text.parse()?)),
    }
}

/// Says that the store was opened and what it noted of the counter, which then moves there.
///
/// # Errors
/// When that cannot be written: the counter then stays.
pub fn say_opened(noted: Count) -> std::io::Result<()> {
    let folder = opened().ok_or(std::io::ErrorKind::NotFound)?;
    std::fs::write(folder.join(OPENED_FILE), noted.to_string())
}

/// The unit's `RuntimeDirectory=`, which nothing is kept in.
fn opened() -> Option<PathBuf> {
    std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from)
}

/// What a bot's process may touch: its state, its store's anchor, and the broker's socket.
#[must_use]
pub fn plan(instance: Option<&str>) -> Plan {
    let broker = Path::new(LLM_SOCKET)
        .parent()
        .unwrap_or(Path::new(LLM_SOCKET));
    let plan = Plan::new()
        .write(state(instance))
        .write(anchor(instance))
        .connect(broker);
    match opened() {
        Some(folder) => plan.write(folder),
        None => plan,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn state_and_anchor_are_told_apart_in_any_order() {
        let (state, anchor) = (
            "/var/lib/private/casemate-chat/shop",
            "/var/lib/private/casemate-anchor/chat-shop",
        );
        for given in [format!("{state}:{anchor}"), format!("{anchor}:{state}")] {
            let given = Some(OsStr::new(&given));
            assert_eq!(kept(given, STATES).as_deref(), Some(Path::new(state)));
            assert_eq!(kept(given, ANCHORS).as_deref(), Some(Path::new(anchor)));
        }
        assert_eq!(kept(Some(OsStr::new(state)), ANCHORS), None);
        assert_eq!(kept(Some(OsStr::new(":/")), STATES), None);
        assert_eq!(kept(None, STATES), None);
    }

    #[test]
    fn a_counter_is_read_where_one_is_handed_over_and_nonsense_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::in_directory(folder.path());
        assert_eq!(counter(&credentials).unwrap(), None);
        let read = |text: &str| {
            std::fs::write(folder.path().join(COUNTER), text).unwrap();
            counter(&credentials)
        };
        assert_eq!(read(NO_COUNTER).unwrap(), None);
        let count = Count {
            index: 0x0180_0000,
            first: 3,
            value: 4,
        };
        assert_eq!(read(&count.to_string()).unwrap(), Some(count));
        assert!(read("count1-").is_err() && read("").is_err());
    }

    #[test]
    fn an_instance_must_be_a_bots_name() {
        let file = BotFile::new("Shop");
        assert_eq!(check(&file, Some("shop")), Ok(()));
        assert!(check(&file, Some("../shop")).is_err_and(|why| why.contains("no bot's name")));
        assert!(instance(None).is_err_and(|why| why.contains("--instance")));
        assert_eq!(check(&file, Some("shop.2")), Ok(()));
        assert!(check(&file, Some("shop.1")).is_err_and(|why| why.contains("no number")));
        // They share the bot's file.
        assert_eq!(stem("shop"), stem("shop.2"));
        assert!(stem("../shop").is_err());
        // A file alone can be checked too.
        assert_eq!(check(&file, None), Ok(()));
    }
}
