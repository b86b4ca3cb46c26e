//! What the store knows, into the decisions.

use store::Store;

use crate::clock::Clock;
use crate::decide::Engine;
use crate::keep::{self, Change, Changes};
use crate::prefix::Prefix;
use crate::schema::{self, PROGRESS, Progress, SESSIONS, Sessions};

/// Gives the decisions what was decided before; what has ended meanwhile, or is not to be any more, goes to `changes`.
///
/// # Errors
/// As all reads.
pub fn load(
    store: &Store,
    engine: &mut Engine,
    half_lives: &[(String, u64)],
    changes: &Changes,
) -> Result<Progress, store::Error> {
    let now_ms = Clock::default().ms();
    let now_s = now_ms / 1000;
    keep::all_past(store, |past| {
        let prefix = past.ban.prefix.into();
        if past.lifted {
            engine.bans.pardon(&prefix);
        } else {
            engine.bans.remember(prefix, past.ban.nth, past.ended);
        }
    })?;
    let end = |prefix, ended, dry_run| {
        changes.put(Change::Ended {
            prefix,
            ended,
            lifted: false,
            dry_run,
        });
    };
    // What was only reported is not put in force, nor the other way round.
    let dry_run = engine.is_dry_run();
    keep::bans(store, schema::bans(dry_run), |ban| {
        let prefix = Prefix::from(ban.prefix);
        if ban.until <= now_s {
            engine.bans.remember(prefix, ban.nth, ban.until);
            end(prefix, ban.until, dry_run);
        } else if let Some(why) = engine.never.why(&prefix, now_s) {
            tracing::info!(%prefix, "it is no longer banned: {}", why.told());
            end(prefix, now_s, dry_run);
        } else {
            engine.put(&ban);
        }
    })?;
    for gone in engine.take_evicted() {
        end(gone, now_s, dry_run);
    }
    let progress: Progress = keep::single(store, PROGRESS)?;
    for (rule, kept) in progress.scores.clone() {
        let same = |(name, half_life): &(String, u64)| {
            *name == rule && progress.half_lives.contains(&(rule.clone(), *half_life))
        };
        if half_lives.iter().any(same) {
            engine.restore(&rule, kept, now_ms);
        }
    }
    let sessions: Sessions = keep::single(store, SESSIONS)?;
    for (process, session) in &sessions.sessions {
        engine.never.begin(*process, *session);
    }
    Ok(progress)
}
