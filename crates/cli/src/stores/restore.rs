//! `casemate store restore`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use serde_json::json;
use store::offline::Restore;

use super::arguments;
use super::look::Commit;
use super::target::{STANDARD, folder};
use super::{of_store, progress};
use crate::places::Places;
use crate::{Error, output};

pub(crate) async fn run(
    options: &arguments::Restore,
    places: &Places,
    json: bool,
) -> Result<(), Error> {
    let key = options.key.key(places)?;
    let with_key = key.is_some();
    let (path, snapshots) = (options.file.clone(), options.snapshots.clone());
    let onto = match (&options.onto, &key) {
        (Some(base), Some(key)) => Some((base.clone(), key.clone())),
        (Some(_), None) => return Err(Error::NoKey),
        (None, _) => None,
    };
    let mark = progress::run(move |watch| {
        let mut restore = match onto {
            Some((base, key)) => Restore::onto(&path, &base, &key, watch).map_err(of_store(&base)),
            None => Restore::begin(&path).map_err(of_store(&path)),
        }?;
        for snapshot in &snapshots {
            let mut stream = open(snapshot)?;
            restore
                .apply(&mut *stream, watch)
                .map_err(of_store(snapshot))?;
        }
        restore.finish(key.as_ref(), watch).map_err(of_store(&path))
    })
    .await?;
    give_to_folder_owner(&options.file)?;
    if json {
        output::json(&json!({
            "file": options.file,
            "commit": Commit::from(&mark),
            "verified": with_key,
        }));
        return Ok(());
    }
    output::say!(
        "{} is restored as of commit {} of {}.",
        options.file.display(),
        mark.generation,
        mark.when()
    );
    output::say!(
        "Its key table is in no snapshot, so that what was erased stays erased: put the newest copy of \
         the store's .keys file beside it."
    );
    if with_key {
        output::say!("Every block and every record was opened with the key.");
    } else {
        output::say!("Its content is not checked: `casemate store verify` does so with the key.");
    }
    Ok(())
}

fn open(path: &PathBuf) -> Result<Box<dyn Read>, Error> {
    if path == Path::new(STANDARD) {
        return Ok(Box::new(io::stdin().lock()));
    }
    match File::open(path) {
        Ok(file) => Ok(Box::new(file)),
        Err(error) => Err(Error::Read(path.clone(), error)),
    }
}

/// Root restores for a service: the file is to belong to whom its folder belongs.
fn give_to_folder_owner(path: &Path) -> Result<(), Error> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let failed = |error| Error::Write(path.into(), error);
    let owner = fs::metadata(folder(path)).map_err(failed)?;
    chown(path, Some(owner.uid()), Some(owner.gid())).map_err(failed)
}
