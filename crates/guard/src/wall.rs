//! The firewall, as guard uses it: first asked, then told all again whenever it may have lost something.
//!
//! What the kernel is to have is what the decisions hold at the moment of each call, and not what they held when the
//! call was thought of: so a ban that was lifted meanwhile is not put, and one that began anew is not lifted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use firewall_api::limits::{BANS_PER_CALL, SECONDS_MAX};
use firewall_api::{Client, Generation, Why};
use ipnet::IpNet;
use tokio::sync::{Mutex, Notify};

use crate::prefix::Prefix;

/// A ban of the kernel that lasts longer than decided by more than this is shortened, in seconds. Both count in whole
/// seconds, and the calls take time.
const LONGER_SECONDS: u64 = 60;

/// The way to the firewall.
#[derive(Debug)]
pub struct Wall {
    client: Client,
    /// What the firewall last said; held while it is spoken to.
    turn: Mutex<Option<Generation>>,
    complete: AtomicBool,
    /// How often it failed.
    failures: AtomicU64,
    lost: Notify,
}

/// Bans that the firewall does not take.
pub type Refused = Vec<(Prefix, Why)>;

/// Seconds that a prefix is still to be banned, as the decisions have it now; none where it is not.
pub trait Left: Fn(&Prefix) -> Option<u64> {}

impl<F: Fn(&Prefix) -> Option<u64>> Left for F {}

impl Wall {
    /// By that client. What it has is not known yet.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            client,
            turn: Mutex::new(None),
            complete: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            lost: Notify::new(),
        }
    }

    /// The client, for what is not about bans.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Whether the kernel has every ban, and none that is over.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// Waits until something may be missing.
    pub async fn lost(&self) {
        self.lost.notified().await;
    }

    /// Puts bans into force. Says whether the kernel has them, and which ones it does not take.
    pub async fn ban(&self, prefixes: &[Prefix], left: impl Left) -> (bool, Refused) {
        let mut turn = self.turn.lock().await;
        let mut whole = true;
        let mut refused = Vec::new();
        for prefixes in prefixes.chunks(BANS_PER_CALL) {
            let (done, more) = self.put(&mut turn, prefixes, &left).await;
            whole &= done;
            refused.extend(more);
        }
        (whole, refused)
    }

    async fn put(
        &self,
        turn: &mut Option<Generation>,
        prefixes: &[Prefix],
        left: &impl Left,
    ) -> (bool, Refused) {
        let ban = |prefix: &Prefix| {
            let seconds = left(prefix).filter(|seconds| *seconds > 0)?;
            let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
            Some(firewall_api::Ban {
                prefix: IpNet::from(*prefix).into(),
                seconds: seconds.min(SECONDS_MAX),
            })
        };
        let asked: Vec<_> = prefixes.iter().filter_map(ban).collect();
        if asked.is_empty() {
            return (true, Vec::new());
        }
        match self.client.ban(&asked).await {
            Ok(applied) => {
                self.heard(turn, applied.generation);
                let named = applied.refused.len() == applied.refused_count;
                let (full, refused): (Vec<_>, Vec<_>) = applied
                    .refused
                    .into_iter()
                    .partition(|one| one.why == Why::Full);
                if !full.is_empty() {
                    tracing::error!(
                        "the firewall has no room for bans, so the gate alone refuses the rest"
                    );
                }
                let refused = refused.into_iter();
                let refused = refused.map(|one| (one.prefix.net().into(), one.why));
                (named, refused.collect())
            }
            Err(error) => {
                self.failed(&error);
                (false, Vec::new())
            }
        }
    }

    /// Lifts what is no longer to be banned of these. Says how many bans the kernel had of them; none where the firewall
    /// did not answer. It is then told once it does.
    pub async fn lift(&self, prefixes: &[Prefix], left: impl Left) -> Option<usize> {
        let mut turn = self.turn.lock().await;
        self.take(&mut turn, prefixes, |prefix| left(prefix).is_none())
            .await
    }

    async fn take(
        &self,
        turn: &mut Option<Generation>,
        prefixes: &[Prefix],
        is_over: impl Fn(&Prefix) -> bool,
    ) -> Option<usize> {
        let mut count = 0;
        for prefixes in prefixes.chunks(BANS_PER_CALL) {
            let over = prefixes.iter().filter(|prefix| is_over(prefix));
            let over: Vec<_> = over.map(|prefix| IpNet::from(*prefix).into()).collect();
            if over.is_empty() {
                continue;
            }
            match self.client.unban(&over).await {
                Ok(applied) => {
                    self.heard(turn, applied.generation);
                    count += applied.changed;
                }
                Err(error) => {
                    self.failed(&error);
                    return None;
                }
            }
        }
        Some(count)
    }

    /// Asks whether the firewall still has what it was given.
    pub async fn look(&self) {
        let mut turn = self.turn.lock().await;
        match self.client.state().await {
            Ok(state) => self.heard(&mut turn, state.generation),
            Err(error) => self.failed(&error),
        }
    }

    /// Makes the kernel's bans those of `all` and no others. Says whether they are, and what it does not take.
    pub async fn restore(&self, all: &[Prefix], left: impl Left) -> (bool, Refused) {
        let failures = self.failures.load(Ordering::Acquire);
        let before = match self.client.state().await {
            Ok(state) => state.generation,
            Err(error) => {
                self.failed(&error);
                return (false, Vec::new());
            }
        };
        let (mut whole, mut refused) = (true, Vec::new());
        for share in all.chunks(BANS_PER_CALL) {
            // Others may speak to it between two shares.
            let mut turn = self.turn.lock().await;
            let (done, more) = self.put(&mut turn, share, &left).await;
            whole &= done;
            refused.extend(more);
        }
        whole &= self.end_strangers(&left).await;
        let mut turn = self.turn.lock().await;
        let after = self.client.state().await.map(|state| state.generation);
        whole &= after.is_ok_and(|after| after == before);
        whole &= self.failures.load(Ordering::Acquire) == failures;
        if whole {
            *turn = Some(before);
            self.complete.store(true, Ordering::Release);
        }
        (whole, refused)
    }

    /// Lifts bans that the kernel has and the decisions have not, and shortens those that it has for longer.
    async fn end_strangers(&self, left: &impl Left) -> bool {
        let (mut strangers, mut longer) = (Vec::new(), Vec::new());
        let listed = self.client.bans(|standing| {
            let prefix = Prefix::from(standing.prefix.net());
            match left(&prefix) {
                None => strangers.push(prefix),
                Some(left) if u64::from(standing.seconds) > left.saturating_add(LONGER_SECONDS) => {
                    longer.push(prefix);
                }
                Some(_) => {}
            }
        });
        if let Err(error) = listed.await {
            self.failed(&error);
            return false;
        }
        let mut turn = self.turn.lock().await;
        let over = |prefix: &Prefix| left(prefix).is_none();
        let mut done = self.take(&mut turn, &strangers, over).await.is_some();
        if !strangers.is_empty() && done {
            let count = strangers.len();
            tracing::info!(
                count,
                "the kernel had bans that are over, and has them no longer"
            );
        }
        for longer in longer.chunks(BANS_PER_CALL) {
            done &= self.take(&mut turn, longer, |_| true).await.is_some();
            done &= self.put(&mut turn, longer, left).await.0;
        }
        done
    }

    fn heard(&self, turn: &mut Option<Generation>, generation: Generation) {
        if *turn != Some(generation) {
            *turn = Some(generation);
            if self.complete.swap(false, Ordering::AcqRel) {
                tracing::warn!(
                    "the firewall has lost what it was given: it is given all bans again"
                );
            }
            self.lost.notify_one();
        }
    }

    fn failed(&self, error: &firewall_api::Error) {
        self.failures.fetch_add(1, Ordering::AcqRel);
        if self.complete.swap(false, Ordering::AcqRel) {
            tracing::error!(
                "bans are not in force until the firewall answers again, but for those that the kernel has and what \
                 the gate itself refuses: {error}"
            );
        }
        self.lost.notify_one();
    }
}
