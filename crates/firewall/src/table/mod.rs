//! The firewall's table in the kernel, and what is known of it here. Every change is one batch: the kernel makes all of
//! it or nothing, and what is known changes only after that.

mod ban;
mod judged;
mod load;
mod read;
mod restore;
mod take;
mod turns;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use firewall_api::limits::BLOCK_ENTRIES_MAX;
use firewall_api::{BlockName, Generation};
use rustix::io::Errno;
use rustix::net::netlink;

pub use ban::Outcome;
pub use load::Loading;
pub use read::Reader;
pub use turns::Turns;
pub use watch::Watch;

use crate::bans::Bans;
use crate::block::Content;
use crate::clock::Clock;
use crate::judge::Judge;
use crate::netlink::{Malformed, Socket, SocketError};
use crate::nft::{Batch, Key, Ports, SetName};

/// Lengths of which there is a set even while nothing of that length is banned: those that a guard bans most.
const LENGTHS: [Key; 6] = [
    Key {
        v6: false,
        bits: 32,
    },
    Key {
        v6: false,
        bits: 24,
    },
    Key {
        v6: true,
        bits: 128,
    },
    Key { v6: true, bits: 64 },
    Key { v6: true, bits: 56 },
    Key { v6: true, bits: 48 },
];

/// Elements in one batch where there are many: a ban that comes meanwhile waits for one such batch, about a quarter of a
/// millisecond.
const ELEMENTS_PER_BATCH: usize = 500;

/// Why the kernel's table is not as it should be. The rules stay as they were.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The kernel did not do it.
    #[error("the kernel's table could not be changed, so the rules stay as they were")]
    Kernel(#[from] SocketError),
    /// The kernel's answer could not be read.
    #[error("the kernel's table could not be read")]
    Malformed(#[from] Malformed),
    /// As many block lists as are taken.
    #[error("there are as many block lists as the firewall takes, so this one is not in force")]
    ListsFull,
    /// More entries than are taken.
    #[error(
        "the block lists would have {0} entries together, of which the firewall takes {BLOCK_ENTRIES_MAX}, so this one is not in force"
    )]
    EntriesFull(usize),
    /// The work broke off.
    #[error("the change broke off")]
    Stopped(#[source] tokio::task::JoinError),
    /// Another version of the list was put meanwhile.
    #[error("the block list was put once more meanwhile, and that one is in force")]
    Overtaken,
}

/// A block list in force.
#[derive(Debug)]
struct Block {
    version: u32,
    /// None where the list is empty, or was removed by somebody else and is not in force.
    sets: Vec<SetName>,
    /// In all sets together.
    entries: usize,
    /// Known where it was put to this process, and not only found in the kernel.
    content: Option<Arc<Content>>,
    /// Somebody else may have changed it, so that it is to be filled again.
    stale: bool,
}

/// Whether others are kept from changing the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tenure {
    /// The kernel lets nobody else change or flush it, as Linux does from 6.9 on.
    Owned,
    /// Anybody with the power to may; what they change is restored.
    Shared,
}

/// The table.
#[derive(Debug)]
pub struct Table {
    socket: Socket,
    tenure: Tenure,
    clock: Clock,
    ports: Ports,
    judge: Judge,
    bans: Bans,
    /// Lengths of bans for which there is a set.
    keys: BTreeSet<Key>,
    blocks: BTreeMap<BlockName, Block>,
    /// The number of the newest version of any list.
    version: u32,
    generation: Generation,
    restored: u64,
}

impl Table {
    /// Takes the table over, or makes it where there is none, with the ports open. What is banned and blocked by then
    /// stays so, without a moment in between, but for bans that `judge` does not permit.
    ///
    /// # Errors
    /// Whatever the kernel says; the rules stay as they were.
    pub fn take(ports: Ports, judge: Judge, tenure: Tenure) -> Result<Self, TableError> {
        let mut table = Self {
            socket: Socket::open(Some(netlink::NETFILTER), 0)?,
            tenure,
            clock: Clock::begin(),
            ports,
            judge,
            bans: Bans::default(),
            keys: LENGTHS.into(),
            blocks: BTreeMap::new(),
            version: 0,
            generation: new_generation(),
            restored: 0,
        };
        table.take_over()?;
        Ok(table)
    }

    /// Whether others are kept from changing it.
    #[must_use]
    pub const fn tenure(&self) -> Tenure {
        self.tenure
    }

    /// Differs once it may have less than it was given.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// How many bans are in force.
    #[must_use]
    pub fn bans(&self) -> usize {
        self.bans.len()
    }

    /// The port by which the kernel knows its changes.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn port(&self) -> Result<u32, TableError> {
        Ok(self.socket.port()?)
    }

    /// Forgets what has ended. The kernel has by itself.
    pub fn expire(&mut self) {
        self.bans.expire(self.clock.now());
    }

    /// Sends a batch, once more where the table had to be restored first.
    fn change(&mut self, write: impl Fn(&Self, &mut Batch)) -> Result<(), TableError> {
        let commit = |table: &mut Self| {
            let mut batch = Batch::default();
            write(table, &mut batch);
            table.commit(batch)
        };
        match commit(self) {
            // Somebody removed what it builds on.
            Err(error) if is_missing(&error) => {
                self.restore()?;
                commit(self)
            }
            other => other,
        }
    }

    fn commit(&mut self, batch: Batch) -> Result<(), TableError> {
        let built = batch.build();
        Ok(self.socket.commit(&built.bytes, built.sequence)?)
    }
}

/// Whether the kernel has not what was asked for.
fn is_missing(error: &TableError) -> bool {
    matches!(error, TableError::Kernel(error) if error.errno() == Some(Errno::NOENT))
}

/// The time in microseconds: it was never that before.
fn new_generation() -> Generation {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since.map_or(0, |since| since.as_micros());
    Generation(u64::try_from(micros).unwrap_or(u64::MAX))
}
