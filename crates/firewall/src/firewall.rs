//! Everything that calls share: the table, what reads beside it, and whose turn it is to load a list.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firewall_api::{Applied, Ban, BlockName, Loaded, Prefix, State, Unban};

use crate::block::Content;
use crate::config::Config;
use crate::judge::Own;
use crate::table::{Loading, Outcome, Reader, Table, TableError, Turns};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Everything that calls share.
#[derive(Debug)]
pub struct Firewall {
    pub(crate) table: Turns,
    reader: Mutex<Reader>,
    /// One list at a time is read and filled: each takes memory of the process's and the kernel's.
    loads: Arc<Semaphore>,
    stale: Notify,
}

impl Firewall {
    /// One that owns `table`.
    #[must_use]
    pub fn new(table: Table, reader: Reader) -> Self {
        Self {
            table: Turns::new(table),
            reader: Mutex::new(reader),
            loads: Arc::new(Semaphore::new(1)),
            stale: Notify::new(),
        }
    }

    /// For `systemctl status`.
    #[must_use]
    pub fn status(&self) -> String {
        let state = self.table.next().state();
        format!(
            "{} bans, {} block lists; TCP {:?} and UDP {:?} are open",
            state.bans,
            state.blocks.len(),
            state.tcp,
            state.udp
        )
    }

    /// Takes another configuration.
    ///
    /// # Errors
    /// Whatever the kernel says; then the one before counts.
    pub fn configure(&self, config: &Config) -> Result<(), TableError> {
        let mut table = self.table.next();
        let settled = table.settle(config.ports(), config.policy());
        self.after(&table);
        settled
    }

    /// Goes by the machine's addresses.
    ///
    /// # Errors
    /// Whatever the kernel says; then those before count.
    pub fn moved(&self, own: Own) -> Result<(), TableError> {
        let mut table = self.table.next();
        let moved = table.moved(own);
        self.after(&table);
        moved
    }

    /// Has lists filled again where a change found that they have to be.
    pub(crate) fn after(&self, table: &Table) {
        if table.has_stale() {
            self.stale.notify_one();
        }
    }

    /// Waits until lists are to be filled again.
    pub(crate) async fn stale(&self) {
        self.stale.notified().await;
    }

    /// The turn to load a list, for as long as it is held. `None` never: nobody closes the queue.
    pub(crate) async fn load_turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.loads).acquire_owned().await.ok()
    }

    /// Fills the lists again that somebody else may have changed; the caller holds the turn.
    ///
    /// # Errors
    /// Whatever the kernel said of the last one that is not filled.
    pub(crate) fn refill(&self) -> Result<(), TableError> {
        let stale = self.table.next().stale();
        let mut filled = Ok(());
        for (name, content) in stale {
            match Loading::again(&self.table, name).load(content) {
                // It was ended, or put anew, meanwhile.
                Ok(_) | Err(TableError::Overtaken) => {}
                Err(error) => filled = Err(error),
            }
        }
        filled
    }

    /// Compares everything with what it should be, after changes by others may have been missed.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub(crate) fn examine(&self) -> Result<bool, TableError> {
        let listed = self.table.next().listed();
        let mut altered = Vec::new();
        for listed in listed {
            if !self.reader().holds(&listed)? {
                altered.push(listed);
            }
        }
        let mut table = self.table.next();
        let differed = table.examine(&altered);
        self.after(&table);
        differed
    }

    /// Makes everything again.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub(crate) fn restore(&self) -> Result<(), TableError> {
        let mut table = self.table.next();
        let restored = table.restore();
        self.after(&table);
        restored
    }

    /// What reads beside the changes.
    pub(crate) fn reader(&self) -> MutexGuard<'_, Reader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has bans begin or last longer.
    pub(crate) fn ban(&self, table: &mut Table, bans: &[Ban]) -> Result<Applied, TableError> {
        let outcome = table.ban(bans);
        self.after(table);
        Ok(applied(table, outcome?))
    }

    /// Ends bans.
    pub(crate) fn unban(&self, table: &mut Table, bans: &[Unban]) -> Result<Applied, TableError> {
        let prefixes: Vec<Prefix> = bans.iter().map(|ban| ban.prefix).collect();
        let outcome = table.unban(&prefixes);
        self.after(table);
        Ok(applied(table, outcome?))
    }

    /// Puts a block list in force, without what must not be blocked; the caller holds the turn.
    pub(crate) fn put_block(
        &self,
        name: BlockName,
        prefixes: Vec<Prefix>,
        unreadable: usize,
    ) -> Result<Loaded, TableError> {
        let (read, mut outcome) = (prefixes.len(), Outcome::default());
        // What is judged otherwise before the list is in force is spared by the rules.
        let judge = self.table.next().judge().clone();
        let mut may = |prefix: &Prefix| {
            judge
                .permits(prefix)
                .inspect_err(|why| outcome.refuse(*prefix, *why))
                .is_ok()
        };
        let mut kept = prefixes;
        kept.retain(|prefix| may(prefix));
        let entries = Loading::new(&self.table, name).load(Content::of(kept))?;
        Ok(Loaded {
            generation: self.table.next().generation(),
            prefixes: read,
            entries,
            refused: outcome.refused,
            refused_count: outcome.refused_count,
            unreadable,
        })
    }

    /// Ends a block list.
    pub(crate) fn remove_block(&self, name: &BlockName) -> Result<Applied, TableError> {
        let mut table = self.table.next();
        let removed = table.remove_block(name);
        self.after(&table);
        let changed = usize::from(removed?);
        Ok(applied(
            &table,
            Outcome {
                changed,
                ..Outcome::default()
            },
        ))
    }

    /// What is in force, in figures.
    pub(crate) fn state(&self) -> Result<State, TableError> {
        let mut state = self.table.next().state();
        self.reader().count(&mut state)?;
        Ok(state)
    }
}

fn applied(table: &Table, outcome: Outcome) -> Applied {
    Applied {
        generation: table.generation(),
        changed: outcome.changed,
        refused: outcome.refused,
        refused_count: outcome.refused_count,
    }
}
