//! `casemate store rekey`, `compact` and `accept`: what changes a store's file.

use std::path::Path;

use chat_api::Instance;
use secret::Key;
use serde_json::json;
use store::offline;

use super::arguments::{Chosen, Rekey};
use super::look::Commit;
use super::{credential, of_store, progress};
use crate::places::Places;
use crate::{Error, output};

pub(crate) async fn rekey(options: &Rekey, places: &Places, json: bool) -> Result<(), Error> {
    let path = options.chosen.path(places)?;
    let from = &options.chosen.key;
    // A bot's key is found by itself, and so it is replaced where it is found.
    let bot = from.bot.as_ref().filter(|_| from.key.is_none());
    if let Some(bot) = bot {
        finish_change(bot, &path, places)?;
    }
    let mut key = from.needed(places)?;
    let new = match &options.new_key {
        Some(new) => Some(credential::from_file(new)?),
        None if options.data => None,
        None => Some(credential::new()?),
    };
    let key_changed = new.is_some();
    if let Some(new) = new {
        let opened = options.chosen.options(&key, places)?;
        let rekey = || offline::rekey(&path, &key, &opened, &new).map_err(of_store(&path));
        match bot {
            Some(bot) => change(bot, &new, places, rekey)?,
            None => rekey()?,
        }
        key = new;
        if !json {
            output::say!("{}: only the new key opens it now.", path.display());
        }
    }
    let mut blocks = None;
    if options.data {
        let opened = options.chosen.options(&key, places)?;
        let of_task = path.clone();
        let renewed = progress::run(move |watch| {
            offline::renew(&of_task, &key, opened, watch).map_err(of_store(&of_task))
        })
        .await?;
        blocks = Some(renewed);
        if !json {
            output::say!(
                "{}: all {renewed} blocks are sealed with a new data key.",
                path.display()
            );
        }
    }
    if json {
        output::json(&json!({
            "file": path,
            "key_changed": key_changed,
            "blocks_sealed_anew": blocks,
        }));
    }
    Ok(())
}

/// Changes the key of a bot's store and the sealed key that its service is given. Whatever moment
/// this is cut off at, one of the two sealed keys opens the store, and [`finish_change`] finds it.
fn change(
    bot: &Instance,
    new: &Key,
    places: &Places,
    rekey: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    let next = places.next_key(bot);
    credential::seal(new, bot, &next)?;
    rekey()?;
    credential::replace(&next, &places.key(bot))
}

/// Ends a change of a bot's key that was cut off.
fn finish_change(bot: &Instance, path: &Path, places: &Places) -> Result<(), Error> {
    let next = places.next_key(bot);
    if !next.exists() {
        return Ok(());
    }
    let key = credential::unsealed(bot, &next)?;
    match offline::info(path, &key) {
        Ok(_) => credential::replace(&next, &places.key(bot)),
        // The store had not been changed yet.
        Err(store::Error::WrongKey) => {
            std::fs::remove_file(&next).map_err(|error| Error::Write(next, error))
        }
        Err(error) => Err(of_store(path)(error)),
    }
}

pub(crate) async fn compact(chosen: &Chosen, places: &Places, json: bool) -> Result<(), Error> {
    let path = chosen.path(places)?;
    let key = chosen.key.needed(places)?;
    let options = chosen.options(&key, places)?;
    let of_task = path.clone();
    let (before, after) = progress::run(move |watch| {
        store::compact(&of_task, &key, options, watch).map_err(of_store(&of_task))
    })
    .await?;
    if json {
        output::json(&json!({ "file": path, "bytes_before": before, "bytes_after": after }));
    } else {
        output::say!(
            "{}: {} before, {} now.",
            path.display(),
            output::bytes(before),
            output::bytes(after)
        );
    }
    Ok(())
}

pub(crate) fn accept(chosen: &Chosen, places: &Places, json: bool) -> Result<(), Error> {
    let path = chosen.path(places)?;
    let key = chosen.key.needed(places)?;
    let options = chosen.options(&key, places)?;
    let mark = offline::accept(&path, &key, options).map_err(of_store(&path))?;
    if json {
        output::json(&json!({ "file": path, "commit": Commit::from(&mark) }));
    } else {
        output::say!(
            "{}: commit {} of {} is the newest from now on.",
            path.display(),
            mark.generation,
            mark.when()
        );
    }
    Ok(())
}
