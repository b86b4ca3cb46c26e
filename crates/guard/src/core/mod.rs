//! What all parts share: the decisions, and what is done about them, in the order that keeps the promise. In the same
//! moment as it is decided the gate is told of a ban and it waits to be stored; then the kernel has it; and whoever told
//! of the deed is answered once it is stored, and tells again if it never is.

mod enforce;
mod operators;
mod sessions;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event::wire::{Answer, BANS_A_MESSAGE, Ban as Told};
use guard_api::Ban;
use store::Store;
use tokio::sync::broadcast;

use crate::clock::Clock;
use crate::decide::{Engine, Outcome, Seen};
use crate::keep::{Change, Changes, Ticket};
use crate::prefix::Prefix;
use crate::recent::Recent;
use crate::wall::Wall;

/// Answers that wait for one follower. Whoever is further behind is disconnected and begins anew.
const FOLLOWERS_BEHIND: usize = 4096;

/// What is decided on.
#[derive(Debug)]
pub struct State {
    /// The decisions.
    pub engine: Engine,
    /// What was seen.
    pub recent: Recent,
    /// How much was judged.
    pub judged: u64,
    /// How many events were forged.
    pub forged: u64,
}

/// All parts together.
#[derive(Debug)]
pub struct Core {
    state: Mutex<State>,
    clock: Clock,
    /// The way to the firewall.
    pub wall: Wall,
    /// The store, for reading.
    pub store: Store,
    /// The way to the store.
    pub changes: Changes,
    followers: broadcast::Sender<Arc<Answer>>,
}

/// What came of one thing that was seen.
#[derive(Debug, Default)]
pub struct Judgement {
    /// The ban that its client is under, if any.
    pub ban: Option<Told>,
    /// Bans that are now to be put in force.
    pub new: Vec<Ban>,
    /// What is stored once they are.
    pub ticket: Option<Ticket>,
}

fn told(prefix: Prefix, left_s: u64) -> Told {
    Told {
        prefix: prefix.into(),
        left_s: u32::try_from(left_s).ok(),
    }
}

impl Core {
    /// With what was decided before.
    #[must_use]
    pub fn new(engine: Engine, wall: Wall, store: Store, changes: Changes) -> Self {
        let state = State {
            engine,
            recent: Recent::default(),
            judged: 0,
            forged: 0,
        };
        Self {
            state: Mutex::new(state),
            clock: Clock::default(),
            wall,
            store,
            changes,
            followers: broadcast::channel(FOLLOWERS_BEHIND).0,
        }
    }

    /// The decisions. Never held while waiting.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of all decisions, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.clock.ms()
    }

    /// The same, in seconds since 1970.
    pub fn now_s(&self) -> u64 {
        self.clock.s()
    }

    /// Judges one thing that happens now, or that happened at `at_ms`, in milliseconds since 1970.
    pub fn judge(
        &self,
        kind: &'static str,
        client: Option<IpAddr>,
        unit: &Arc<str>,
        times: u32,
        at_ms: Option<u64>,
    ) -> Judgement {
        let now_ms = self.now_ms();
        // The decisions are as of now, also on what is read late.
        let at_ms = at_ms.map_or(now_ms, |at| at.min(now_ms));
        let mut state = self.state();
        let state = &mut *state;
        state.judged += u64::from(times);
        state.recent.put(at_ms / 1000, kind, client, unit, times);
        let Some(client) = client else {
            return Judgement::default();
        };
        let seen = Seen {
            kind,
            client,
            unit,
            times,
        };
        match state.engine.observe(&seen, now_ms) {
            Outcome::Banned(new) => {
                let ticket = self.begin(state, &new);
                let first = new.first().filter(|ban| !ban.dry_run);
                let ban =
                    first.map(|ban| told(ban.prefix.into(), ban.until.saturating_sub(ban.begun)));
                Judgement { ban, new, ticket }
            }
            Outcome::Already(prefix, active) if !active.dry_run => Judgement {
                ban: Some(told(prefix, active.until.saturating_sub(now_ms / 1000))),
                ..Judgement::default()
            },
            _ => Judgement::default(),
        }
    }

    /// Tells of bans that were just decided and has them stored once [`Self::enforce`] was called, while the decisions are held, so that everybody hears of
    /// all changes in their order.
    fn begin(&self, state: &mut State, bans: &[Ban]) -> Option<Ticket> {
        let real = bans.iter().filter(|ban| !ban.dry_run);
        let real: Vec<_> = real
            .map(|ban| told(ban.prefix.into(), ban.until.saturating_sub(ban.begun)))
            .collect();
        self.tell(&real, Answer::Banned);
        let stored = bans
            .iter()
            .map(|ban| self.changes.put_soon(Change::Begun(Box::new(ban.clone()))));
        let ticket = stored.last();
        let gone = state.engine.take_evicted();
        self.ended(&gone, false, state.engine.is_dry_run());
        ticket
    }

    /// Tells of bans that are over and has it stored, while the decisions are held.
    fn ended(&self, prefixes: &[Prefix], lifted: bool, dry_run: bool) -> Option<Ticket> {
        let nets: Vec<_> = prefixes.iter().map(|prefix| (*prefix).into()).collect();
        self.tell(&nets, Answer::Lifted);
        let ended = self.now_s();
        let changes = prefixes.iter().map(|prefix| Change::Ended {
            prefix: *prefix,
            ended,
            lifted,
            dry_run,
        });
        changes.map(|change| self.changes.put(change)).last()
    }

    fn tell<T: Clone>(&self, all: &[T], answer: impl Fn(Vec<T>) -> Answer) {
        for some in all.chunks(BANS_A_MESSAGE) {
            // Nobody may be there to hear.
            let _ = self.followers.send(Arc::new(answer(some.to_vec())));
        }
    }

    /// All bans in force now, in messages for one follower, and what comes after them.
    pub fn follow(&self) -> (Vec<Answer>, broadcast::Receiver<Arc<Answer>>) {
        let now_s = self.now_s();
        let state = self.state();
        let later = self.followers.subscribe();
        let bans: Vec<_> = state
            .engine
            .bans
            .iter()
            .filter(|(_, active)| active.until > now_s && !active.dry_run)
            .map(|(prefix, active)| told(prefix, active.until - now_s))
            .collect();
        let mut answers: Vec<_> = bans
            .chunks(BANS_A_MESSAGE)
            .map(|bans| Answer::Banned(bans.to_vec()))
            .collect();
        answers.push(Answer::Current);
        (answers, later)
    }

    /// Stores how far the journal was read, with the scores that came of it, after all bans that came of it.
    pub fn keep_progress(&self, progress: crate::schema::Progress) {
        self.changes.put(Change::Progress(Box::new(progress)));
    }
}
