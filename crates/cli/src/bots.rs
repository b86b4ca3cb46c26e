//! `casemate bot`: bots are files; the service manager starts what they name.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chat_api::limits::INSTANCES_MAX;
use chat_api::{BotFile, BotName, Instance, operator};

use crate::arguments::{BotAdd, BotCommand};
use crate::places::Places;
use crate::{Error, listed, output, units};

/// How long a bot may take to start or stop, in seconds: the first start makes
/// its key and its store.
const WAIT_SECONDS: u64 = 60;

/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Does what the command says.
pub(crate) async fn run(
    command: &BotCommand,
    places: &Places,
    json: bool,
) -> Result<ExitCode, Error> {
    match command {
        BotCommand::Add(options) => add(options, places, json).await?,
        BotCommand::List => {
            let bots = listed::all(places).await?;
            if json {
                output::json(&serde_json::json!({ "bots": bots }));
            } else {
                output::say!("{}", listed::text(&bots));
            }
        }
        BotCommand::Remove { bot, erase } => remove(bot, *erase, places, json).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The file of a bot that exists: declared before made, as its service reads them.
pub(crate) fn find(bot: &BotName, places: &Places) -> Result<PathBuf, Error> {
    [places.declared_bot(bot), places.made_bot(bot)]
        .into_iter()
        .find(|path| path.exists())
        .ok_or_else(|| Error::NoBot(bot.clone()))
}

pub(crate) fn check_file(path: &Path) -> Result<BotFile, Error> {
    let text = fs::read_to_string(path).map_err(|error| Error::Read(path.into(), error))?;
    BotFile::parse(&text).map_err(|error| Error::BotFile(path.into(), error))
}

/// The bot that file and options describe together.
fn described(options: &BotAdd) -> Result<BotFile, Error> {
    let mut bot = match (&options.file, &options.title) {
        (Some(path), _) => check_file(path)?,
        (None, Some(title)) => BotFile::new(title.clone()),
        (None, None) => return Err(Error::NoTitle),
    };
    if let Some(title) = &options.title {
        bot.title.clone_from(title);
    }
    if let Some(greeting) = &options.greeting {
        bot.greeting.clone_from(greeting);
    }
    if let Some(language) = options.language {
        bot.language = language;
    }
    if !options.origins.is_empty() {
        bot.origins.clone_from(&options.origins);
    }
    if let Some(provider) = &options.provider {
        bot.provider.clone_from(provider);
    }
    if let Some(instances) = options.instances {
        bot.instances = instances;
    }
    bot.preview |= options.preview;
    bot.check().map_err(Error::BotOptions)?;
    Ok(bot)
}

async fn add(options: &BotAdd, places: &Places, json: bool) -> Result<(), Error> {
    let bot = &options.bot;
    if let Ok(path) = find(bot, places) {
        return Err(Error::Exists(bot.clone(), path));
    }
    let file = described(options)?;
    write(&places.made_bots(), &places.made_bot(bot), &file.to_toml())?;
    let mut first = None;
    for instance in Instance::all(bot, file.instances) {
        let status = up(&instance, places).await?;
        first = first.or(Some(status));
    }
    if json {
        output::json(
            &serde_json::json!({ "bot": bot, "file": places.made_bot(bot), "status": first }),
        );
    } else {
        output::say!("{bot} is up, at https://HOST/b/{bot}/ where HOST is this appliance's name.");
        output::say!("Give it documents:  casemate knowledge add {bot} FILE…");
        output::say!(
            "Put it on a page:   <script async src=\"https://HOST/b/{bot}/widget.js\" data-bot=\"{bot}\"></script>"
        );
    }
    Ok(())
}

/// Waits until an instance lets visitors in. Its socket takes a call before the service behind it is there.
async fn up(instance: &Instance, places: &Places) -> Result<operator::Status, Error> {
    let client = operator::Client::new(places.operator_socket(instance));
    let up = async {
        loop {
            match client.status().await {
                Ok(status) if status.open => break status,
                _ => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(WAIT_SECONDS), up)
        .await
        .map_err(|_| waited(instance, "added", "up"))
}

fn waited(instance: &Instance, done: &'static str, state: &'static str) -> Error {
    Error::Waited {
        instance: instance.clone(),
        done,
        state,
        seconds: WAIT_SECONDS,
    }
}

/// Written whole and durable before it has its name, since a path unit reads the
/// folder the moment that it changes.
fn write(folder: &Path, path: &Path, text: &str) -> Result<(), Error> {
    let failed = |error| Error::Write(path.into(), error);
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .tempfile_in(folder)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file()
        .set_permissions(fs::Permissions::from_mode(0o644))
        .map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path)
        .map_err(|error| failed(error.error))?;
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

async fn remove(bot: &BotName, erase: bool, places: &Places, json: bool) -> Result<(), Error> {
    let path = find(bot, places)?;
    if path == places.declared_bot(bot) {
        return Err(Error::Declared(bot.clone(), path));
    }
    fs::remove_file(&path).map_err(|error| Error::Write(path.clone(), error))?;
    let deadline = Instant::now() + Duration::from_secs(WAIT_SECONDS);
    // Those too that the bot had and has no more: they may still be ending.
    for instance in Instance::all(bot, INSTANCES_MAX) {
        while places.operator_socket(&instance).exists() || units::runs(&instance)? {
            if Instant::now() >= deadline {
                return Err(waited(&instance, "removed", "down"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let kept = is_kept(&instance, places);
        if instance.is_first() || kept {
            units::forget_end(&instance);
        }
        if erase && (instance.is_first() || kept) {
            destroy(&instance, places)?;
            units::forget_counter(&instance)?;
        }
    }
    if json {
        output::json(&serde_json::json!({ "bot": bot, "removed": path, "erased": erase }));
    } else if erase {
        output::say!(
            "{bot} is removed. Its key is destroyed and its conversations and documents with it."
        );
    } else {
        output::say!(
            "{bot} is removed. Its conversations and documents stay, sealed, in {}.",
            folders(bot, places)
        );
        output::say!("A bot added under this name finds them again.");
    }
    Ok(())
}

/// Whether anything of an instance is on disk.
fn is_kept(instance: &Instance, places: &Places) -> bool {
    let [_, state] = places.state(instance);
    let [_, anchor] = places.anchor(instance);
    places.key(instance).exists() || state.exists() || anchor.exists()
}

/// The key first: without it the rest is noise, even where removing it fails. The anchor before the
/// store: it would refuse a bot of the same name for lack of this one's store.
fn destroy(instance: &Instance, places: &Places) -> Result<(), Error> {
    let key = places.key(instance);
    // A change of the key that was cut off leaves one of these.
    let unfinished = [places.next_key(instance), key.with_extension("new")];
    for key in unfinished.iter().chain([&key]) {
        gone(fs::remove_file(key), key)?;
    }
    for folder in places
        .anchor(instance)
        .into_iter()
        .chain(places.state(instance))
    {
        let removed = match fs::symlink_metadata(&folder) {
            Ok(data) if data.is_dir() => fs::remove_dir_all(&folder),
            Ok(_) => fs::remove_file(&folder),
            Err(error) => Err(error),
        };
        gone(removed, &folder)?;
    }
    Ok(())
}

fn gone(removed: io::Result<()>, path: &Path) -> Result<(), Error> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::Write(path.into(), error))
        }
        _ => Ok(()),
    }
}

/// The folders of a bot's stores, for people.
fn folders(bot: &BotName, places: &Places) -> String {
    let kept = Instance::all(bot, INSTANCES_MAX).filter(|instance| {
        let [_, state] = places.state(instance);
        instance.is_first() || state.exists()
    });
    let folders: Vec<String> = kept
        .map(|instance| places.state(&instance)[1].display().to_string())
        .collect();
    folders.join(", ")
}
