//! `casemate store verify` and `casemate store info`.

use std::fs::File;
use std::path::Path;

use data_encoding::HEXLOWER;
use serde::Serialize;
use store::offline::{self, Info, Outline, Verified};
use store::{Mark, snapshot};

use super::arguments::Chosen;
use super::{is_snapshot, of_store, progress};
use crate::places::Places;
use crate::{Error, output};

/// Bytes of a block.
const BLOCK_BYTES: u64 = snapshot::BLOCK_BYTES as u64;

/// A commit as the commands show it.
#[derive(Debug, Serialize)]
pub(crate) struct Commit {
    /// The text form that names it.
    pub(crate) receipt: String,
    /// Its number.
    pub(crate) generation: u64,
    /// In seconds since 1970.
    pub(crate) at: u64,
}

impl From<&Mark> for Commit {
    fn from(mark: &Mark) -> Self {
        Self {
            receipt: mark.to_string(),
            generation: mark.generation,
            at: mark.at,
        }
    }
}

pub(crate) async fn verify(chosen: &Chosen, places: &Places, json: bool) -> Result<(), Error> {
    let path = chosen.path(places)?;
    if is_snapshot(&path)? {
        return verify_snapshot(&path, json).await;
    }
    let failed = of_store(&path);
    let Some(key) = chosen.key.key(places)? else {
        let outline = offline::outline(&path).map_err(failed)?;
        if outline.intact == 0 {
            return Err(of_store(&path)(store::Error::DamagedSuperblock));
        }
        if json {
            output::json(
                &serde_json::json!({ "file": path, "checked": "superblock", "outline": described(&outline) }),
            );
        } else {
            output::say!(
                "{}: {} of 2 copies of the superblock are intact.",
                path.display(),
                outline.intact
            );
            output::say!(
                "Nothing else can be checked without the key: give it with --key or --bot."
            );
        }
        return Ok(());
    };
    let options = chosen.options(&key, places)?;
    let of_task = path.clone();
    let verified = progress::run(move |watch| {
        offline::verify(&of_task, &key, options, watch).map_err(of_store(&of_task))
    })
    .await?;
    if json {
        output::json(&serde_json::json!({
            "file": path,
            "checked": "all",
            "commit": Commit::from(&verified.mark),
            "blocks": verified.blocks,
            "tables": verified.tables,
            "records": verified.records,
        }));
    } else {
        output::say!("{}", verified_text(&path, &verified));
    }
    Ok(())
}

fn verified_text(path: &Path, verified: &Verified) -> String {
    format!(
        "{}: all is well. Opened: blocks {}, tables {}, records {}.\nThe last commit is number {}, of {}.",
        path.display(),
        verified.blocks,
        verified.tables,
        verified.records,
        verified.mark.generation,
        verified.mark.when()
    )
}

async fn verify_snapshot(path: &Path, json: bool) -> Result<(), Error> {
    let of_task = path.to_owned();
    let summary = progress::run(move |watch| {
        let mut file = File::open(&of_task).map_err(|error| Error::Read(of_task.clone(), error))?;
        snapshot::verify(&mut file, watch).map_err(of_store(&of_task))
    })
    .await?;
    if json {
        output::json(&serde_json::json!({
            "file": path,
            "checked": "transport",
            "commit": Commit::from(&summary.mark),
            "base": summary.base,
            "blocks": summary.totals.blocks,
            "bytes": summary.bytes,
        }));
        return Ok(());
    }
    output::say!("{}: the snapshot is whole.", path.display());
    output::say!("{}", held(&summary));
    output::say!("Whether its content is true is told by restoring it with the key.");
    Ok(())
}

/// What a snapshot holds, for people. Pure.
pub(crate) fn held(summary: &snapshot::Summary) -> String {
    let mark = &summary.mark;
    let since = match summary.base {
        0 => String::from("all of"),
        base => format!("what changed after commit {base}, up to"),
    };
    format!(
        "It holds {since} commit {} of {}: {} blocks, {}.",
        mark.generation,
        mark.when(),
        summary.totals.blocks,
        output::bytes(summary.bytes)
    )
}

pub(crate) fn info(chosen: &Chosen, places: &Places, json: bool) -> Result<(), Error> {
    let path = chosen.path(places)?;
    let failed = of_store(&path);
    let outline = offline::outline(&path).map_err(&failed)?;
    let key = chosen.key.key(places)?;
    let known = key
        .map(|key| {
            let info = offline::info(&path, &key)?;
            // Whatever is wrong with the key table, the rest is told.
            let erased = offline::erased(&path, &key).map_err(|error| error.to_string());
            Ok(Known { info, erased })
        })
        .transpose()
        .map_err(failed)?;
    if json {
        let content = known.as_ref().map(content);
        output::json(
            &serde_json::json!({ "file": path, "outline": described(&outline), "content": content }),
        );
    } else {
        output::say!("{}", text(&path, &outline, known.as_ref()));
    }
    Ok(())
}

/// What a store tells whoever has its key.
struct Known {
    info: Info,
    /// How many subjects were erased, or why that cannot be told; `None` where there is no key
    /// table.
    erased: Result<Option<u64>, String>,
}

/// What is in the clear, for programs.
fn described(outline: &Outline) -> serde_json::Value {
    serde_json::json!({
        "format": outline.version,
        "suite": outline.suite,
        "id": HEXLOWER.encode(&outline.file),
        "bytes": outline.bytes,
        "superblocks_intact": outline.intact,
    })
}

fn content(known: &Known) -> serde_json::Value {
    let Known { info, erased } = known;
    serde_json::json!({
        "commit": Commit::from(&info.mark),
        "blocks_used": info.used,
        "blocks_free": info.free,
        "data_keys": info.data_keys,
        "blocks_under_old_data_keys": info.outdated,
        "subjects_erased": erased.as_ref().ok(),
        "key_table_error": erased.as_ref().err(),
    })
}

/// What a store is, for people. Pure.
fn text(path: &Path, outline: &Outline, known: Option<&Known>) -> String {
    let blocks = |count: u64| {
        let size = output::bytes(count.saturating_mul(BLOCK_BYTES));
        format!("{count} ({size})")
    };
    let mut rows = vec![
        ("file", path.display().to_string()),
        ("id", HEXLOWER.encode(&outline.file)),
        (
            "format",
            format!("{}, suite {}", outline.version, outline.suite),
        ),
        ("size", output::bytes(outline.bytes)),
        (
            "superblock",
            format!("{} of 2 copies intact", outline.intact),
        ),
    ];
    match known {
        Some(Known { info, erased }) => rows.extend([
            (
                "last commit",
                format!("{}, of {}", info.mark.generation, info.mark.when()),
            ),
            ("receipt", info.mark.to_string()),
            ("blocks in use", blocks(info.used)),
            ("blocks free", blocks(info.free)),
            ("data keys", info.data_keys.to_string()),
            ("under old keys", blocks(info.outdated)),
            (
                "subjects erased",
                match erased {
                    Ok(Some(count)) => format!("{count} (their keys are destroyed)"),
                    Ok(None) => String::from("none, there is no key table beside the file"),
                    Err(why) => format!("unknown: {why}"),
                },
            ),
        ]),
        None => rows.push(("content", "sealed: --key or --bot tells more".to_owned())),
    }
    let rows: Vec<_> = rows
        .into_iter()
        .map(|(name, value)| format!("{name:<15} {value}"))
        .collect();
    rows.join("\n")
}
