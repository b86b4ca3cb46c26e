//! Checks members while nobody asks them, so that a visitor need not find out.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::Balance;
use super::health::Source;
use super::member::Member;

impl Balance {
    /// Checks all members that another one can stand in for, again and again. A bot's only instance is not checked:
    /// nothing would follow from it.
    pub(crate) async fn watch(&self) {
        loop {
            self.list_if_due();
            let members = self.checked();
            let checks: FuturesUnordered<_> = members
                .iter()
                .map(|member| async {
                    let result = member.check().await;
                    let result = result.as_ref().map_err(String::as_str).copied();
                    self.count(member, Source::Check, result);
                })
                .collect();
            checks.collect::<()>().await;
            tokio::time::sleep(jittered(self.settings.interval())).await;
        }
    }

    /// Who is out, as operators know them, in order.
    pub(crate) fn out(&self) -> Vec<String> {
        let members = self.checked();
        let out = members.iter().filter_map(|member| member.shown_if_out());
        let mut out: Vec<_> = out.map(str::to_owned).collect();
        out.sort_unstable();
        out
    }

    /// Waits until somebody goes out or comes back.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Counts what became of a request or a check.
    pub(super) fn count(&self, member: &Member, source: Source, result: Result<(), &str>) {
        if member.count(source, self.now(), &self.settings, result) {
            self.changed.notify_one();
        }
    }

    /// Those that another one can stand in for.
    fn checked(&self) -> Vec<Arc<Member>> {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        let near = members.of_bots_with(if self.far.is_empty() { 2 } else { 1 });
        near.chain(&self.far).cloned().collect()
    }
}

/// Up to a quarter more, so that several gates do not check at once.
fn jittered(interval: Duration) -> Duration {
    let mut random = [0_u8];
    // Without random bytes they do, which does no harm.
    let _ = secret::fill_random(&mut random);
    interval + interval * u32::from(random[0]) / (4 * u32::from(u8::MAX))
}
