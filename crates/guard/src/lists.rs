//! Block lists: files in a folder, each in force as long as it is there.

mod folder;
mod known;
mod naming;
mod read;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use guard_api::ListState;
use http::StatusCode;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::folder::{Folder, Found, Version};
use self::known::Known;
use crate::core::Core;

/// Pieces of a list that wait for the firewall.
const PIECES: usize = 4;

/// How often the folder is looked at.
pub const LOOK: Duration = Duration::from_secs(2);

/// Why no list is in force while guard watches only.
const WATCHES: &str = "it is not in force, for guard only watches (`dry_run`)";

/// The lists in force.
#[derive(Debug, Default)]
pub struct Lists {
    known: Mutex<Known>,
    lost: Notify,
    looked: watch::Sender<bool>,
}

/// Why a list is not in force as its file is now.
struct Failure {
    told: String,
    passing: bool,
}

impl Lists {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lists in force, and what is not in force and why.
    #[must_use]
    pub fn states(&self) -> Vec<ListState> {
        self.known().states()
    }

    /// Forgets that they are in force: the firewall lost them. [`Self::run`] then looks at once.
    pub fn forget(&self) {
        self.known().forget();
        self.lost.notify_one();
    }

    /// Keeps the lists in force until `drain` is cancelled. It is to have a task of its own: a long list may take the
    /// firewall a minute.
    pub async fn run(&self, core: &Arc<Core>, folder: &Path, drain: &CancellationToken) {
        let work = async {
            loop {
                self.look(core, folder).await;
                self.looked.send_replace(true);
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    () = self.lost.notified() => {}
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = drain.cancelled() => {}
        }
    }

    /// Waits until [`Self::run`] has looked once.
    pub async fn looked(&self) {
        // The sender is as old as this.
        let _ = self.looked.subscribe().wait_for(|looked| *looked).await;
    }

    /// Puts what is new in force, and ends what is gone, and what the firewall has of an earlier run of this service.
    /// Until a new version is whole and in force, the old one is. Where the folder cannot be read, all stay.
    pub async fn look(&self, core: &Arc<Core>, folder: &Path) {
        let path = folder.to_owned();
        let found = tokio::task::spawn_blocking(move || folder::look(&path)).await;
        let mut found = match found.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(found) => found,
            Err(error) => {
                let (folder, error) = (folder.display().to_string(), error.to_string());
                return self.known().folder_fails(folder, &error);
            }
        };
        if core.state().engine.is_dry_run() {
            let lists = std::mem::take(&mut found.lists);
            let lists = lists.into_iter().map(|list| list.name.to_string());
            found
                .ignored
                .extend(lists.map(|name| (name, WATCHES.to_owned())));
        }
        self.known().ignore(std::mem::take(&mut found.ignored));
        for list in &found.lists {
            self.renew(core, list).await;
        }
        self.end_gone(core, &found).await;
    }

    /// Puts a list in force, if its file is new.
    async fn renew(&self, core: &Arc<Core>, list: &Found) {
        let name = list.name.as_str();
        let version = match &list.version {
            Ok(version) => *version,
            Err(error) => {
                let told = format!("its file cannot be read: {error}");
                let passing = true;
                return self
                    .known()
                    .fails(name, None, &Failure { told, passing }, Instant::now());
            }
        };
        let lost = {
            let known = self.known();
            if !known.is_due(name, version, Instant::now()) {
                return;
            }
            known.lost()
        };
        let begun = Instant::now();
        match put(core, list).await {
            Ok((entries, refused)) => {
                let state = ListState {
                    name: name.to_owned(),
                    entries,
                    refused,
                    took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                    version_ns: nanoseconds(version),
                    error: None,
                };
                if self.known().succeeds(state, version, lost) {
                    tracing::info!(list = name, entries, refused, "a block list is in force");
                }
            }
            Err(failure) => self
                .known()
                .fails(name, Some(version), &failure, Instant::now()),
        }
    }

    async fn end_gone(&self, core: &Core, found: &Folder) {
        let there = |name: &str| found.lists.iter().any(|list| list.name.as_str() == name);
        let strangers = self.known().must_end_strangers();
        let mut gone = self.known().gone(there);
        let mut ended = true;
        if strangers {
            match core.wall.client().state().await {
                Ok(state) => gone.extend(state.blocks.into_iter().map(|block| block.name)),
                Err(_) => ended = false,
            }
        }
        gone.retain(|name| !there(name.as_str()));
        gone.sort_unstable();
        gone.dedup();
        for name in gone {
            // Where it fails, it is tried again at the next look.
            if core.wall.client().remove_block(&name).await.is_ok() {
                tracing::info!(list = %name, "a block list is no longer in force");
                self.known().remove(name.as_str());
            } else {
                ended = false;
            }
        }
        if strangers && ended {
            self.known().strangers_ended();
        }
    }
}

/// Reads a list and gives it to the firewall. Gives how many entries are in force, and how many were left out.
async fn put(core: &Arc<Core>, list: &Found) -> Result<(u64, u64), Failure> {
    let (sender, body) = ipc::stream(PIECES);
    let (pieces, taken) = mpsc::channel(PIECES);
    tokio::spawn(forward(taken, sender));
    let reading = {
        let (core, path, form) = (Arc::clone(core), list.path.clone(), list.form);
        tokio::task::spawn_blocking(move || {
            let may = |prefix| {
                let never = core.state().engine.never.why(&prefix, core.now_ms() / 1000);
                never.is_none()
            };
            let sent = read::pieces(&path, form, may, |piece| {
                pieces.blocking_send(Ok(piece)).is_ok()
            });
            if sent.is_err() {
                let _ = pieces.blocking_send(Err(()));
            }
            sent
        })
    };
    let put = core.wall.client().put_block(&list.name, body).await;
    let read = reading
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
    let left_out = read.map_err(|error| Failure {
        told: format!("its file cannot be read: {error}"),
        passing: read::is_passing(&error),
    })?;
    let put = put.map_err(|error| Failure {
        passing: may_pass(&error),
        told: error.to_string(),
    })?;
    let refused = left_out + put.refused_count as u64 + put.unreadable as u64;
    Ok((put.entries as u64, refused))
}

/// Whether the firewall may take the same list later. That it was overtaken, is full or had no time passes too.
fn may_pass(error: &firewall_api::Error) -> bool {
    let status = match error {
        firewall_api::Error::Refused { status, .. } => Some(*status),
        _ => None,
    };
    let passing = [StatusCode::CONFLICT, StatusCode::REQUEST_TIMEOUT];
    error.is_passing() || status.is_some_and(|status| passing.contains(&status))
}

async fn forward(mut pieces: mpsc::Receiver<Result<Vec<u8>, ()>>, mut to: ipc::BodySender) {
    while let Some(piece) = pieces.recv().await {
        match piece {
            Ok(piece) => {
                if to.send(piece).await.is_err() {
                    return;
                }
            }
            // The firewall must not take a part for the whole.
            Err(()) => return to.abort("the list could not be read to its end"),
        }
    }
}

fn nanoseconds((_, changed): Version) -> u64 {
    let since = changed.and_then(|changed| changed.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}
