//! `casemate store`: work on a store's file while no service has it open.

mod arguments;
mod credential;
mod holder;
mod look;
mod memory;
mod progress;
mod renew;
mod restore;
mod snapshot;
mod target;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use secret::Key;
use store::{FileAnchor, Options};

pub(crate) use self::arguments::StoreCommand;
use self::arguments::{Chosen, KeyFrom};
pub(crate) use self::credential::of_bot as key_of;
pub use self::holder::Holder;
use crate::Error;
use crate::places::Places;
use crate::units;

/// Bytes from which a snapshot can be told from a store.
const START_BYTES: u64 = 8;

/// Does what the command says.
pub(crate) async fn run(
    command: &StoreCommand,
    places: &Places,
    json: bool,
) -> Result<ExitCode, Error> {
    memory::keep_private();
    match command {
        StoreCommand::Verify(chosen) => look::verify(chosen, places, json).await?,
        StoreCommand::Info(chosen) => look::info(chosen, places, json)?,
        StoreCommand::Snapshot(options) => snapshot::run(options, places, json).await?,
        StoreCommand::Restore(options) => restore::run(options, places, json).await?,
        StoreCommand::Rekey(options) => renew::rekey(options, places, json).await?,
        StoreCommand::Compact(chosen) => renew::compact(chosen, places, json).await?,
        StoreCommand::Accept(chosen) => renew::accept(chosen, places, json)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Chosen {
    /// The store's file.
    fn path(&self, places: &Places) -> Result<PathBuf, Error> {
        match (&self.file, &self.key.bot) {
            (Some(file), _) => Ok(file.clone()),
            (None, Some(bot)) => {
                let path = places.store(bot);
                if path.exists() {
                    Ok(path)
                } else {
                    Err(Error::NoStore(bot.clone(), path))
                }
            }
            (None, None) => Err(Error::NoFile),
        }
    }
}

impl Chosen {
    /// How to open the store: with its anchor, where it has one.
    fn options(&self, key: &Key, places: &Places) -> Result<Options, Error> {
        let bots = self.key.bot.as_ref().map(|bot| places.anchor_file(bot));
        let Some(path) = self.anchor.clone().or(bots) else {
            return Ok(Options::default());
        };
        // One that lies elsewhere is no bot's own, and was bound on another machine if at all.
        let counter = match (&self.anchor, &self.key.bot) {
            (None, Some(bot)) => units::counter(bot, places)?,
            _ => None,
        };
        let anchor = FileAnchor::counted(&path, key, counter).map_err(of_store(&path))?;
        Ok(Options {
            anchor: Some(Arc::new(anchor)),
            ..Options::default()
        })
    }
}

impl KeyFrom {
    /// The key, where one is named.
    fn key(&self, places: &Places) -> Result<Option<Key>, Error> {
        match (&self.key, &self.bot) {
            (Some(path), _) => credential::from_file(path).map(Some),
            (None, Some(bot)) => credential::of_bot(bot, places).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The key, without which the command cannot do its work.
    fn needed(&self, places: &Places) -> Result<Key, Error> {
        self.key(places)?.ok_or(Error::NoKey)
    }
}

/// An error of the store at `path`. Where another process has it, that process is named.
fn of_store(path: &Path) -> impl Fn(store::Error) -> Error + Send + 'static {
    let path = path.to_owned();
    move |error| match error {
        store::Error::InUse => Error::InUse(path.clone(), holder::find(&path)),
        error => Error::Store(path.clone(), Box::new(error)),
    }
}

/// Whether the file is a snapshot rather than a store.
fn is_snapshot(path: &Path) -> Result<bool, Error> {
    let failed = |error| Error::Read(path.into(), error);
    let mut start = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(START_BYTES)
        .read_to_end(&mut start)
        .map_err(failed)?;
    Ok(store::snapshot::is_snapshot(&start))
}
