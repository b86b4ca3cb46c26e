//! Several instances of a bot behind one address, and other appliances beside this one. A conversation belongs to one of them by its id
//! ([`rendezvous`]), and whoever cannot answer is passed over ([`health`], [`choose`], [`retry`]).
//!
//! A bot with one instance pays nothing for this: its requests are streamed to it as they come, but for those whose answers
//! may take long, which share connections ([`ipc::Client::stream`]).

mod choose;
mod health;
mod listing;
mod member;
mod members;
mod rendezvous;
mod retry;
mod settings;
mod spread;
mod switch;
mod watch;

pub use settings::Settings;

pub(crate) use members::Seat;
pub(crate) use spread::{AWAY, Asked, CONVERSATION};

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chat_api::{BotName, Instance};
use ipc::Client;
use tokio::sync::{Notify, Semaphore};

use crate::Config;
use crate::peers::Peer;
use member::Member;
use members::Members;

/// How often at most the folder of sockets is listed.
const LIST_EVERY: Duration = Duration::from_secs(1);

/// The members behind the gate.
#[derive(Debug)]
pub(crate) struct Balance {
    folder: PathBuf,
    settings: Settings,
    /// This appliance's name; empty where there are no others.
    own: String,
    /// The other appliances.
    far: Vec<Arc<Member>>,
    /// Time until a member has begun to answer.
    answer_time: Duration,
    begun: Instant,
    members: RwLock<Members>,
    /// When the folder is to be listed next, in milliseconds since `begun`.
    list_at: AtomicU64,
    turn: AtomicUsize,
    /// Whether somebody went out or came back.
    changed: Notify,
    /// Room for connections that answers share.
    lines: Arc<Semaphore>,
}

/// Who is behind a bot's name.
#[derive(Debug)]
pub(crate) enum Behind {
    /// One instance, or none: it is asked, and the answer says so.
    One(Arc<Client>),
    Several(Vec<Seat>),
}

impl Balance {
    /// For the sockets in `folder`, and other appliances. `lines` is the room for connections that answers share.
    pub(crate) fn new(
        folder: PathBuf,
        config: &Config,
        peers: Vec<Peer>,
        lines: Arc<Semaphore>,
    ) -> Self {
        Self {
            folder,
            settings: config.balance.clone(),
            own: config.appliance.name.clone(),
            far: peers.into_iter().map(Member::far).map(Arc::new).collect(),
            answer_time: config.answer_time(),
            begun: Instant::now(),
            members: RwLock::default(),
            list_at: AtomicU64::new(0),
            turn: AtomicUsize::new(0),
            changed: Notify::new(),
            lines,
        }
    }

    /// Who is behind a bot's name.
    pub(crate) fn behind(&self, bot: &BotName) -> Behind {
        self.list_if_due();
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        let near = members.of(bot);
        if self.far.is_empty() && near.len() < 2 {
            return Behind::One(match near.first().and_then(|seat| seat.member.client()) {
                Some(client) => Arc::clone(client),
                // It may be new, or not be there at all.
                None => Arc::new(self.client(&Instance::first(bot.clone()))),
            });
        }
        let far = self.far.iter().filter(|member| member.serves(bot));
        let far = far.cloned().map(Seat::taken);
        Behind::Several(near.iter().cloned().chain(far).collect())
    }

    /// Who is behind a bot's name on this appliance.
    pub(crate) fn near(&self, bot: &BotName) -> Vec<Seat> {
        self.list_if_due();
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        members.of(bot).to_vec()
    }

    fn client(&self, instance: &Instance) -> Client {
        Client::new(self.folder.join(listing::socket(instance))).within(Arc::clone(&self.lines))
    }

    /// This appliance's name.
    fn own(&self) -> &str {
        &self.own
    }

    /// Time until a member has begun to answer.
    const fn answer_time(&self) -> Duration {
        self.answer_time
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
                members.update(listed, now, |instance| {
                    Member::near(instance.clone(), self.client(instance))
                });
            }
            Err(error) => tracing::warn!(
                "the instances of bots in {} could not be listed; requests go to those that were known: {error}",
                self.folder.display()
            ),
        }
    }
}
