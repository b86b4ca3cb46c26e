//! `casemate bot`: bots are files; the service manager starts what they name.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chat_api::{BotFile, BotName, operator};
use serde::Serialize;

use crate::arguments::{BotAdd, BotCommand};
use crate::places::Places;
use crate::{Error, output, units};

/// How long a bot may take to start or stop, in seconds: the first start makes
/// its key and its store.
const WAIT_SECONDS: u64 = 60;

/// How long a bot may take to say how it fares. One that starts needs longer.
const STATUS_TIME: Duration = Duration::from_secs(5);

/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A bot as the list shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Bot {
    bot: BotName,
    /// `declared` or `made`.
    origin: &'static str,
    file: PathBuf,
    /// What is wrong with its file, or why it cannot be reached.
    error: Option<String>,
    status: Option<operator::Status>,
}

impl Bot {
    pub(crate) fn is_well(&self) -> bool {
        self.error.is_none()
    }
}

/// Does what the command says.
pub(crate) async fn run(
    command: &BotCommand,
    places: &Places,
    json: bool,
) -> Result<ExitCode, Error> {
    match command {
        BotCommand::Add(options) => add(options, places, json).await?,
        BotCommand::List => {
            let bots = all(places).await?;
            if json {
                output::json(&serde_json::json!({ "bots": bots }));
            } else {
                output::say!("{}", text(&bots));
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
        let (status, error) = match check_file(&file) {
            Err(error) => (None, Some(output::with_causes(&error))),
            Ok(_) => {
                let client = operator::Client::new(places.operator_socket(&bot));
                match tokio::time::timeout(STATUS_TIME, client.status()).await {
                    Ok(Ok(status)) => (Some(status), None),
                    Ok(Err(error)) => (None, Some(output::with_causes(&error))),
                    Err(_) => (
                        None,
                        Some(format!(
                            "it does not answer; `systemctl status casemate-chat@{bot}` says why"
                        )),
                    ),
                }
            }
        };
        bots.push(Bot {
            bot,
            origin,
            file,
            error,
            status,
        });
    }
    Ok(bots)
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

fn check_file(path: &Path) -> Result<BotFile, Error> {
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
    let client = operator::Client::new(places.operator_socket(bot));
    // The socket takes a call before the service behind it is there.
    let up = async {
        loop {
            match client.status().await {
                Ok(status) => break status,
                Err(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    };
    let status = tokio::time::timeout(Duration::from_secs(WAIT_SECONDS), up)
        .await
        .map_err(|_| waited(bot, "added", "up"))?;
    if json {
        output::json(
            &serde_json::json!({ "bot": bot, "file": places.made_bot(bot), "status": status }),
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

fn waited(bot: &BotName, done: &'static str, state: &'static str) -> Error {
    Error::Waited {
        bot: bot.clone(),
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
    while places.operator_socket(bot).exists() || units::runs(bot)? {
        if Instant::now() >= deadline {
            return Err(waited(bot, "removed", "down"));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    units::forget_end(bot);
    if erase {
        destroy(bot, places)?;
        units::forget_counter(bot)?;
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
            places.state(bot)[1].display()
        );
        output::say!("A bot added under this name finds them again.");
    }
    Ok(())
}

/// The key first: without it the rest is noise, even where removing it fails. The anchor before the
/// store: it would refuse a bot of the same name for lack of this one's store.
fn destroy(bot: &BotName, places: &Places) -> Result<(), Error> {
    let key = places.key(bot);
    // A change of the key that was cut off leaves one of these.
    let unfinished = [places.next_key(bot), key.with_extension("new")];
    for key in unfinished.iter().chain([&key]) {
        gone(fs::remove_file(key), key)?;
    }
    for folder in places.anchor(bot).into_iter().chain(places.state(bot)) {
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

/// The list for people.
pub(crate) fn text(bots: &[Bot]) -> String {
    if bots.is_empty() {
        return "No bots yet: `casemate bot add NAME --title TEXT` adds one.".into();
    }
    let rows: Vec<_> = bots.iter().map(row).collect();
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
        if let Some(error) = &bot.error {
            text.push_str(&format!("\n\n{} does not serve: {error}", bot.bot));
        }
    }
    text
}

fn row(bot: &Bot) -> Vec<String> {
    let mut row = vec![bot.bot.to_string()];
    match &bot.status {
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
