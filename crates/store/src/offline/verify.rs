//! Opening every block and reading every record.

use std::path::Path;
use std::sync::Arc;

use redb::{ReadableTable as _, ReadableTableMetadata as _};
use secret::Key;

use super::hold;
use crate::engine::Engine;
use crate::error::Error;
use crate::held::Held;
use crate::mark::Mark;
use crate::medium::Medium;
use crate::opening::Opening;
use crate::options::Options;
use crate::watch::{Step, Unit, Watch};

/// Records that are read between two steps.
const RECORDS_A_STEP: u64 = 256;

/// What was found in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The last commit.
    pub mark: Mark,
    /// Blocks that opened: content, and the nodes that lead to it.
    pub blocks: u64,
    /// Tables, the store's own among them.
    pub tables: u64,
    /// Records that were read.
    pub records: u64,
}

/// Opens every block that the store's last commit leads to, and reads every record; where `options`
/// name an anchor or receipts, holds the file against them too. Changes nothing.
///
/// # Errors
/// As [`crate::Store::open`]; [`Error::Damaged`] and [`Error::Inconsistent`] where something is
/// not as it was written; [`Error::Stopped`].
pub fn verify(
    path: &Path,
    key: &Key,
    options: Options,
    watch: &mut Watch<'_>,
) -> Result<Verified, Error> {
    verified(Arc::new(hold(path)?), key, options, watch)
}

pub(crate) fn verified(
    medium: Arc<dyn Medium>,
    key: &Key,
    options: Options,
    watch: &mut Watch<'_>,
) -> Result<Verified, Error> {
    let engine = Engine::look(medium, key, options)?;
    let opening = engine.present()?;
    let blocks = blocks(&opening, watch)?;
    let held = Held::take(Arc::clone(&opening))?;
    let (tables, records) = records(&opening, watch).map_err(|error| opening.explain(error))?;
    Ok(Verified {
        mark: held.mark(),
        blocks,
        tables,
        records,
    })
}

fn blocks(opening: &Arc<Opening>, watch: &mut Watch<'_>) -> Result<u64, Error> {
    let held = Held::take(Arc::clone(opening))?;
    let all = opening
        .backend()
        .look(|vault| Ok(vault.progress().blocks))?;
    let mut step = Step {
        doing: "opening",
        unit: Unit::Blocks,
        done: 0,
        of: Some(all),
    };
    held.walk(0, &mut |_, _| {
        step.show(watch)?;
        step.done += 1;
        Ok(())
    })?;
    Ok(step.done)
}

fn records(opening: &Opening, watch: &mut Watch<'_>) -> Result<(u64, u64), Error> {
    let tables = opening.view()?.tables()?;
    let mut all = 0;
    for table in &tables {
        all += table.len().map_err(Error::engine)?;
    }
    let mut step = Step {
        doing: "reading",
        unit: Unit::Records,
        done: 0,
        of: Some(all),
    };
    for table in &tables {
        for entry in table.iter().map_err(Error::engine)? {
            if step.done.is_multiple_of(RECORDS_A_STEP) {
                step.show(watch)?;
            }
            entry.map_err(Error::engine)?;
            step.done += 1;
        }
    }
    if step.done != all {
        let message = format!("{} records where {all} should be", step.done);
        return Err(Error::Inconsistent(message));
    }
    Ok((tables.len() as u64, all))
}
