//! What operators ask for.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use guard_api::limits::BAN_SECONDS_MAX;
use guard_api::{Ban, By, Explanation, Past, Sighting};

use super::Core;
use crate::decide::Refused;
use crate::decide::active::Active;
use crate::decide::never::Why;
use crate::keep;
use crate::prefix::Prefix;
use crate::schema;

/// Past bans that one explanation shows.
const PAST_SHOWN: usize = 50;

/// Sightings that one explanation shows.
const SIGHTINGS_SHOWN: usize = 200;

/// How long an operator waits for what was asked to be stored.
const STORED_TIME: Duration = Duration::from_secs(2);

/// What became of an operator's wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Whether the kernel does so. If not, it will once the firewall answers again.
    pub in_force: bool,
    /// Whether it is stored. If not, it is forgotten should this service end before the store works again.
    pub stored: bool,
}

impl Core {
    /// Bans for an operator. What was begun is ended, also where whoever asked goes away.
    ///
    /// # Errors
    /// As [`Refused`] lists.
    pub async fn ban(
        self: &Arc<Self>,
        prefix: Prefix,
        seconds: u64,
        reason: &str,
    ) -> Result<(Ban, Done), Refused> {
        let seconds = seconds.min(BAN_SECONDS_MAX);
        let now_ms = self.now_ms();
        let (ban, ticket) = {
            let mut state = self.state();
            let ban = state.engine.ban(prefix, seconds, reason, now_ms)?;
            let ticket = self.begin(&mut state, std::slice::from_ref(&ban));
            (ban, ticket)
        };
        let core = Arc::clone(self);
        let work = async move {
            let in_force = core.enforce(std::slice::from_ref(&ban)).await;
            if core.state().engine.bans.get(&prefix, ban.begun).is_none() {
                return Err(Refused::Never(prefix, Why::Own));
            }
            let stored = core.is_stored(ticket).await;
            Ok((ban, Done { in_force, stored }))
        };
        finish(work).await
    }

    /// Lifts bans for an operator. Gives those that were lifted.
    pub async fn unban(self: &Arc<Self>, prefix: Prefix) -> (Vec<Prefix>, Done) {
        let (mut lifted, ticket) = {
            let mut state = self.state();
            let lifted = state.engine.unban(&prefix);
            let ticket = self.ended(&lifted, true, state.engine.is_dry_run());
            (lifted, ticket)
        };
        let core = Arc::clone(self);
        let work = async move {
            // The kernel is also asked for the prefix itself, should it have what nobody knows of.
            let known = lifted.len();
            let mut asked = lifted.clone();
            if !asked.contains(&prefix) {
                asked.push(prefix);
            }
            let taken = core.wall.lift(&asked, |prefix| core.left(prefix)).await;
            if taken.is_some_and(|taken| taken > known) {
                lifted.push(prefix);
            }
            for prefix in &lifted {
                tracing::info!(%prefix, "unbanned by an operator");
            }
            let stored = core.is_stored(ticket).await;
            let in_force = taken.is_some();
            (lifted, Done { in_force, stored })
        };
        finish(work).await
    }

    async fn is_stored(&self, ticket: Option<keep::Ticket>) -> bool {
        match ticket {
            Some(ticket) => self.changes.is_stored(ticket, STORED_TIME).await,
            None => true,
        }
    }

    /// Waits a little until the store has all that was decided, so that a listing of it is up to date.
    pub async fn settle(&self) {
        self.changes.all_stored(STORED_TIME).await;
    }

    /// All that is known of an address.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn explain(&self, address: IpAddr) -> Result<Explanation, store::Error> {
        let now_ms = self.now_ms();
        let (holding, never, standing, events) = {
            let state = self.state();
            let engine = &state.engine;
            let holding: Vec<_> = engine.bans.holding(address, now_ms / 1000).collect();
            let why = engine.never.why(&Prefix::host(address), now_ms / 1000);
            let own = engine.prefix_of(address);
            let events: Vec<Sighting> = state.recent.latest(SIGHTINGS_SHOWN, |client| {
                client.is_some_and(|client| own.has(client))
            });
            let never = why.map(|why| why.told().to_owned());
            (holding, never, engine.standing(address, now_ms), events)
        };
        let mut bans = Vec::new();
        for (prefix, active) in holding {
            let stored = keep::ban(&self.store, schema::bans(active.dry_run), prefix)?;
            bans.push(stored.unwrap_or_else(|| bare(prefix, active)));
        }
        let past: Vec<Past> = keep::past_of(&self.store, address, PAST_SHOWN)?;
        Ok(Explanation {
            address,
            bans,
            lists: Vec::new(),
            never,
            standing,
            events,
            past,
        })
    }
}

/// A ban that the store does not have (yet).
fn bare(prefix: Prefix, active: Active) -> Ban {
    Ban {
        prefix: prefix.into(),
        by: By::Rule("unknown, since it could not be stored".to_owned()),
        begun: 0,
        until: active.until,
        nth: active.nth,
        dry_run: active.dry_run,
        evidence: Vec::new(),
    }
}

/// Does the whole of it, also where whoever asked goes away.
async fn finish<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}
