//! Several instances of a bot behind one address. A conversation belongs to one of them by its id
//! ([`rendezvous`]), and whoever cannot answer is passed over ([`health`], [`choose`], [`retry`]).
//!
//! A bot with one instance pays nothing for this: its requests are streamed to it as they come.

mod choose;
mod health;
mod listing;
mod member;
mod members;
mod rendezvous;
mod retry;
mod settings;
mod spread;
mod watch;

pub use settings::Settings;

pub(crate) use spread::Asked;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chat_api::BotName;
use ipc::Client;
use tokio::sync::Notify;

use member::Member;
use members::{Members, Seat};

/// How often at most the folder of sockets is listed.
const LIST_EVERY: Duration = Duration::from_secs(1);

/// The members behind the gate.
#[derive(Debug)]
pub(crate) struct Balance {
    folder: PathBuf,
    settings: Settings,
    /// Time until a member has begun to answer.
    answer_time: Duration,
    begun: Instant,
    members: RwLock<Members>,
    /// When the folder is to be listed next, in milliseconds since `begun`.
    list_at: AtomicU64,
    turn: AtomicUsize,
    /// Whether somebody went out or came back.
    changed: Notify,
}

/// Who is behind a bot's name.
#[derive(Debug)]
pub(crate) enum Behind {
    /// One instance, or none: it is asked, and the answer says so.
    One(Arc<Member>),
    Several(Vec<Seat>),
}

impl Balance {
    /// For the sockets in `folder`.
    pub(crate) fn new(folder: PathBuf, settings: Settings, answer_time: Duration) -> Self {
        Self {
            folder,
            settings,
            answer_time,
            begun: Instant::now(),
            members: RwLock::default(),
            list_at: AtomicU64::new(0),
            turn: AtomicUsize::new(0),
            changed: Notify::new(),
        }
    }

    /// Who is behind a bot's name.
    pub(crate) fn behind(&self, bot: &BotName) -> Behind {
        self.list_if_due();
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        match members.of(bot) {
            // It may be new, or not be there at all.
            [] => Behind::One(Arc::new(self.member(bot, listing::FIRST))),
            [seat] => Behind::One(Arc::clone(&seat.member)),
            seats => Behind::Several(seats.to_vec()),
        }
    }

    fn member(&self, bot: &BotName, instance: u8) -> Member {
        let client = Client::new(self.folder.join(listing::socket(bot, instance)));
        Member::new(listing::shown(bot, instance), instance, client)
    }

    /// Time since the gate's start.
    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Lists the folder anew, once its time has come. It is in memory and short.
    fn list_if_due(&self) {
        let now = self.now();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let due = self.list_at.load(Ordering::Relaxed);
        let next = now_ms.saturating_add(LIST_EVERY.as_millis().try_into().unwrap_or(u64::MAX));
        let order = Ordering::Relaxed;
        // One of those that come at once lists.
        if now_ms < due
            || self
                .list_at
                .compare_exchange(due, next, order, order)
                .is_err()
        {
            return;
        }
        match members::listed(&self.folder) {
            Ok(listed) => {
                let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
                members.update(listed, now, |bot, instance| self.member(bot, instance));
            }
            Err(error) => tracing::warn!(
                "the instances of bots in {} could not be listed; requests go to those that were known: {error}",
                self.folder.display()
            ),
        }
    }
}
