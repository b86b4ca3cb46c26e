//! What is open and what may be banned changes, and with it what is in force already.

use std::collections::BTreeMap;

use firewall_api::Prefix;

use super::{Table, TableError, new_generation};
use crate::judge::{Judge, Own, Policy};
use crate::nft::{Batch, Key, Ports, SetName, base, spare};

impl Table {
    /// What is judged by.
    #[must_use]
    pub const fn judge(&self) -> &Judge {
        &self.judge
    }

    /// Opens these ports and no others, and goes by this policy: bans that it does not permit end. Where the policy is
    /// another, the generation is too, since it may permit what was refused before.
    ///
    /// # Errors
    /// Whatever the kernel says; everything stays as it was.
    pub fn settle(&mut self, ports: Ports, policy: Policy) -> Result<(), TableError> {
        let other = self.judge.policy != policy;
        let before = std::mem::replace(&mut self.ports, ports);
        let own = self.judge.own.clone();
        let judged = self.judge_by(Judge { policy, own });
        match judged {
            Err(_) => self.ports = before,
            Ok(()) if other => self.generation = new_generation(),
            Ok(()) => {}
        }
        judged
    }

    /// Goes by the machine's addresses: bans of them end.
    ///
    /// # Errors
    /// Whatever the kernel says; those before count.
    pub fn moved(&mut self, own: Own) -> Result<(), TableError> {
        if self.judge.own == own {
            return Ok(());
        }
        let policy = self.judge.policy.clone();
        self.judge_by(Judge { policy, own })
    }

    fn judge_by(&mut self, judge: Judge) -> Result<(), TableError> {
        let before = std::mem::replace(&mut self.judge, judge);
        let refused = self.refused();
        let judged = self.change(|table, batch| {
            base(batch, &table.ports);
            spare(batch, &table.judge.spared());
            end(batch, &refused);
        });
        if judged.is_err() {
            self.judge = before;
            return judged;
        }
        self.forget(&refused);
        if !refused.is_empty() {
            self.generation = new_generation();
        }
        Ok(())
    }

    /// The bans that are not permitted.
    pub(super) fn refused(&self) -> BTreeMap<Key, Vec<Prefix>> {
        let of = |key| {
            let prefixes = self.bans.of(key).map(|(prefix, _)| prefix);
            let refused = prefixes.filter(|prefix| self.judge.permits(prefix).is_err());
            (key, refused.collect::<Vec<_>>())
        };
        let all = self.bans.keys().map(of);
        all.filter(|(_, refused)| !refused.is_empty()).collect()
    }

    pub(super) fn forget(&mut self, ended: &BTreeMap<Key, Vec<Prefix>>) {
        for prefix in ended.values().flatten() {
            self.bans.remove(prefix);
        }
    }
}

/// Ends bans.
pub(super) fn end(batch: &mut Batch, ended: &BTreeMap<Key, Vec<Prefix>>) {
    for (key, prefixes) in ended {
        batch.remove_elements(&SetName::Bans(*key), prefixes.iter().copied());
    }
}
