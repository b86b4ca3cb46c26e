//! What was decided, in the kernel.

use firewall_api::Why;
use guard_api::{Ban, By};

use super::Core;
use crate::keep::Change;
use crate::prefix::Prefix;
use crate::wall::Refused;

impl Core {
    /// Seconds that a prefix is still banned for; none where it is not, or is only reported.
    pub(super) fn left(&self, prefix: &Prefix) -> Option<u64> {
        let now_s = self.now_s();
        let active = self.state().engine.bans.get(prefix, now_s)?;
        (!active.dry_run).then(|| active.until.saturating_sub(now_s))
    }

    /// Puts bans in force that were decided, and then begins to store them. Returns once the kernel has them, or could
    /// not be asked; says whether it has them all.
    pub async fn enforce(&self, bans: &[Ban]) -> bool {
        let in_force = self.put_in_force(bans).await;
        self.changes.write();
        in_force
    }

    async fn put_in_force(&self, bans: &[Ban]) -> bool {
        let Some(first) = bans.first() else {
            return true;
        };
        if first.dry_run {
            for ban in bans {
                tracing::info!(prefix = %ban.prefix, by = %ban.by, "dry run: it would be banned until {}", ban.until);
            }
            return true;
        }
        let prefixes: Vec<Prefix> = bans.iter().map(|ban| ban.prefix.into()).collect();
        let (mut in_force, refused) = self.wall.ban(&prefixes, |prefix| self.left(prefix)).await;
        for ban in bans {
            let prefix = Prefix::from(ban.prefix);
            if !refused.iter().any(|(refused, _)| *refused == prefix) {
                let seconds = ban.until.saturating_sub(ban.begun);
                tracing::info!(prefix = %ban.prefix, by = %ban.by, seconds, nth = ban.nth, "banned");
            }
        }
        if !refused.is_empty() {
            let hosts = self.void(&refused, bans).await;
            let prefixes: Vec<Prefix> = hosts.iter().map(|ban| ban.prefix.into()).collect();
            let (done, refused) = self.wall.ban(&prefixes, |prefix| self.left(prefix)).await;
            in_force &= done;
            self.void(&refused, &[]).await;
        }
        in_force
    }

    /// The firewall does not take these: they have own addresses or gateways, or are of private networks. Where a wider
    /// prefix was meant for one address, gives the ban of that address in its place.
    async fn void(&self, refused: &Refused, bans: &[Ban]) -> Vec<Ban> {
        let mut instead = Vec::new();
        for (prefix, why) in refused {
            self.forget(*prefix, *why);
            let ban = bans.iter().find(|ban| Prefix::from(ban.prefix) == *prefix);
            let host = ban
                .filter(|ban| matches!(ban.by, By::Rule(_)))
                .and_then(|ban| Some((ban, Prefix::host(ban.evidence.last()?.client))))
                .filter(|(_, host)| host != prefix);
            if let Some((ban, host)) = host {
                let mut state = self.state();
                let state = &mut *state;
                if state.engine.never.why(&host, ban.begun).is_none() {
                    let ban = Ban {
                        prefix: host.into(),
                        ..ban.clone()
                    };
                    state.engine.put(&ban);
                    self.begin(state, std::slice::from_ref(&ban));
                    instead.push(ban);
                }
            }
        }
        // It may have had one from before it was refused.
        let prefixes: Vec<_> = refused.iter().map(|(prefix, _)| *prefix).collect();
        self.wall.lift(&prefixes, |prefix| self.left(prefix)).await;
        instead
    }

    fn forget(&self, prefix: Prefix, why: Why) {
        tracing::warn!(%prefix, "the firewall does not ban this, so it is not banned: {why}");
        let mut state = self.state();
        state.engine.bans.remove(&prefix);
        state.engine.never.spare(prefix);
        self.tell(&[prefix.into()], event::wire::Answer::Lifted);
        self.changes.put(Change::Void(prefix));
    }

    /// Ends the bans whose time is over. The kernel ends them by itself, unless its clock and this one disagree.
    pub async fn expire(&self) {
        let now_ms = self.now_ms();
        let ended = {
            let mut state = self.state();
            let ended = state.engine.expire(now_ms);
            self.ended(&ended, false, state.engine.is_dry_run());
            ended
        };
        self.wall.lift(&ended, |prefix| self.left(prefix)).await;
    }

    /// Gives the firewall all bans again, and takes those from it that are none. Says whether the kernel has them.
    pub async fn restore(&self) -> bool {
        let all: Vec<_> = {
            let state = self.state();
            let real = state
                .engine
                .bans
                .iter()
                .filter(|(_, active)| !active.dry_run);
            real.map(|(prefix, _)| prefix).collect()
        };
        let (whole, refused) = self.wall.restore(&all, |prefix| self.left(prefix)).await;
        self.void(&refused, &[]).await;
        whole
    }
}
