//! The store: what is in it at the start, and what is written meanwhile, in the order in which it was decided.

mod queue;
mod read;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use guard_api::{Ban, Past};
use secret::Key;
use store::{FileAnchor, Options, Store, WriteError, WriteTx};

pub use queue::{Changes, Ticket};
pub use read::{Page, all_past, ban, bans, page, past_of, single};

use crate::decide::active::PAST_MAX;
use crate::prefix::Prefix;
use crate::schema::{self, PAST, PROGRESS, Progress, SESSIONS, SINGLE, Sessions};

/// Memory for cached pages in bytes. Listings are rare, and all that decisions need is in memory.
const CACHE_BYTES: usize = 512 * 1024;

/// Changes in one transaction.
const CHANGES_A_WRITE: usize = 2048;

/// How long to wait after changes could not be stored, before it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is to be stored.
#[derive(Debug, Clone)]
pub enum Change {
    /// A ban began, or lasts longer.
    Begun(Box<Ban>),
    /// A ban ended.
    Ended {
        /// Whose.
        prefix: Prefix,
        /// When, in seconds since 1970.
        ended: u64,
        /// Whether an operator lifted it, which also pardons: it makes no later ban longer.
        lifted: bool,
        /// Whether it was only reported.
        dry_run: bool,
    },
    /// A ban that cannot be: it is as if it had never begun.
    Void(Prefix),
    /// The journal was read further.
    Progress(Box<Progress>),
    /// Somebody logged in or out.
    Sessions(Box<Sessions>),
}

/// Opens the store, or makes it.
///
/// # Errors
/// As [`Store::open`].
pub fn open(path: &Path, anchor: &Path, key: &Key) -> Result<Store, store::Error> {
    let options = Options {
        cache_bytes: CACHE_BYTES,
        anchor: Some(Arc::new(FileAnchor::new(anchor, key)?)),
        ..Options::default()
    };
    Store::open(path, key, options)
}

/// Writes what comes, until [`Changes::close`] was called and all is stored. What cannot be stored is tried again.
pub async fn run(store: Store, changes: Changes) {
    while let Some((ticket, batch)) = changes.next(CHANGES_A_WRITE).await {
        let is_large = |change: &Change| matches!(change, Change::Progress(_));
        let (large, small): (Vec<_>, Vec<_>) = batch.into_iter().partition(is_large);
        write(&store, &changes, small).await;
        // How far the journal was read is stored after the bans that came of it, and not with them: should it be
        // refused, the journal is read again from where it was.
        if let Some(progress) = large.into_iter().next_back()
            && let Err(error) = one_write(&store, vec![progress]).await
        {
            tracing::error!(
                "how far the journal was read could not be stored, so it is read from further back at the next start: \
                 {error}"
            );
        }
        changes.stored(ticket);
    }
}

async fn write(store: &Store, changes: &Changes, batch: Vec<Change>) {
    if batch.is_empty() {
        return;
    }
    while let Err(error) = one_write(store, batch.clone()).await {
        if changes.fails() {
            tracing::error!(
                "{} changes of bans could not be stored: they hold, but not after a restart of this service before \
                 they are; it is tried again every {AGAIN:?}: {error}",
                batch.len()
            );
        }
        tokio::time::sleep(AGAIN).await;
    }
    if changes.succeeds() {
        tracing::info!("all changes of bans are stored again");
    }
}

async fn one_write(store: &Store, batch: Vec<Change>) -> Result<(), WriteError<store::Error>> {
    let written = store.write(move |tx| batch.into_iter().try_for_each(|change| put(tx, change)));
    written.await.map(drop)
}

fn put(tx: &mut WriteTx<'_>, change: Change) -> Result<(), store::Error> {
    match change {
        Change::Begun(ban) => {
            let key = Prefix::from(ban.prefix).to_bytes();
            tx.put(schema::bans(ban.dry_run), &key, &schema::write(&*ban))
        }
        Change::Ended {
            prefix,
            ended,
            lifted,
            dry_run,
        } => {
            let Some(record) = tx.remove(schema::bans(dry_run), &prefix.to_bytes())? else {
                return Ok(());
            };
            let Some(ban) = schema::ban(&record).ok().filter(|ban| !ban.dry_run) else {
                return Ok(());
            };
            let past = Past { ban, ended, lifted };
            let key = schema::past_key(ended, prefix);
            tx.put(PAST, &key, &schema::write(&past))?;
            if tx.count(PAST)? > PAST_MAX as u64 {
                let oldest = tx.range(PAST, ..)?.next().transpose()?;
                if let Some((key, _)) = oldest {
                    tx.remove(PAST, &key)?;
                }
            }
            Ok(())
        }
        Change::Void(prefix) => tx.remove(schema::bans(false), &prefix.to_bytes()).map(drop),
        Change::Progress(progress) => tx.put(SINGLE, PROGRESS, &schema::write(&*progress)),
        Change::Sessions(sessions) => tx.put(SINGLE, SESSIONS, &schema::write(&*sessions)),
    }
}
