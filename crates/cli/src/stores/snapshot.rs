//! `casemate store snapshot`.

use std::io::{self, Write};
use std::path::Path;

use serde_json::json;
use store::offline;

use super::arguments::Snapshot;
use super::look::Commit;
use super::target::{STANDARD, Target};
use super::{of_store, progress};
use crate::places::Places;
use crate::{Error, output};

/// Counts what goes through.
struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes = self.bytes.saturating_add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

pub(crate) async fn run(options: &Snapshot, places: &Places, json: bool) -> Result<(), Error> {
    let path = options.chosen.path(places)?;
    let key = options.chosen.key.needed(places)?;
    let (since, out) = (options.since, options.out.clone());
    let (mark, bytes) = progress::run(move |watch| {
        let mut counted = Counted {
            out: Target::begin(&out)?,
            bytes: 0,
        };
        let mark = offline::snapshot(&path, &key, since.as_ref(), &mut counted, watch)
            .map_err(of_store(&path))?;
        counted.out.finish()?;
        Ok((mark, counted.bytes))
    })
    .await?;
    let document = json!({
        "snapshot": options.out,
        "commit": Commit::from(&mark),
        "base": options.since.map_or(0, |mark| mark.generation),
        "bytes": bytes,
    });
    // The standard output may be the snapshot itself.
    let aside = options.out == Path::new(STANDARD);
    match (json, aside) {
        (true, true) => output::complain!("{document:#}"),
        (true, false) => output::json(&document),
        (false, true) => output::complain!("{mark}"),
        (false, false) => {
            output::say!(
                "{} holds commit {} of {}, {}.",
                options.out.display(),
                mark.generation,
                mark.when(),
                output::bytes(bytes)
            );
            output::say!("Its receipt, for --since: {mark}");
        }
    }
    Ok(())
}
