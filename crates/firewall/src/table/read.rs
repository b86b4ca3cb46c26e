//! What is in force, with what was counted, read beside the changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use firewall_api::{BlockName, BlockState, Prefix, Standing, State};
use rustix::net::netlink;

use super::{Table, TableError, is_missing};
use crate::block::Content;
use crate::clock::MS;
use crate::netlink::{Socket, SocketError};
use crate::nft::{
    CLOSED, Counter, Key, SetName, block_chain, elements, get_elements, list_elements, list_rules,
    rule_counters,
};

/// Elements asked for at once: the kernel's answers wait in a buffer.
const ASKED_AT_ONCE: usize = 32;

/// Reads the kernel's table over a socket of its own.
#[derive(Debug)]
pub struct Reader {
    socket: Socket,
}

impl Reader {
    /// Opens the socket.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn open() -> Result<Self, TableError> {
        let socket = Socket::open(Some(netlink::NETFILTER), 0)?;
        Ok(Self { socket })
    }

    /// The bans among `prefixes`, all of one family and length, that are in force.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn standing(&mut self, key: Key, prefixes: &[Prefix]) -> Result<Vec<Standing>, TableError> {
        let mut standing = Vec::with_capacity(prefixes.len());
        for part in prefixes.chunks(ASKED_AT_ONCE) {
            let before = standing.len();
            match self.ask(key, part, &mut standing) {
                // One of them has ended, and the kernel stops there.
                Err(error) if is_missing(&error) => {
                    standing.truncate(before);
                    for one in part {
                        match self.ask(key, &[*one], &mut standing) {
                            Err(error) if is_missing(&error) => {}
                            other => other?,
                        }
                    }
                }
                other => other?,
            }
        }
        Ok(standing)
    }

    fn ask(
        &mut self,
        key: Key,
        prefixes: &[Prefix],
        into: &mut Vec<Standing>,
    ) -> Result<(), TableError> {
        let set = SetName::Bans(key);
        self.socket.ask(
            |number| get_elements(number, &set, prefixes),
            |message| {
                for element in elements(message, &set)? {
                    let element = element?;
                    into.push(Standing {
                        prefix: element.prefix,
                        seconds: u32::try_from(element.milliseconds.div_ceil(MS))
                            .unwrap_or(u32::MAX),
                        packets: element.counter.packets,
                        bytes: element.counter.bytes,
                    });
                }
                Ok(())
            },
        )
    }

    /// What the rules of a chain have counted.
    fn counted(&mut self, chain: &str) -> Result<Counter, TableError> {
        let mut sum = Counter::default();
        let read = self.socket.ask(
            |number| list_rules(number, chain),
            |message| {
                sum += rule_counters(message)?;
                Ok::<_, TableError>(())
            },
        );
        match read {
            // Another table changed; a figure may be a little older.
            Ok(()) | Err(TableError::Kernel(SocketError::Interrupted)) => Ok(sum),
            Err(error) if is_missing(&error) => Ok(sum),
            Err(error) => Err(error),
        }
    }

    /// Whether the kernel's sets of a list have what the list has.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn holds(&mut self, listed: &Listed) -> Result<bool, TableError> {
        for (key, entries) in listed.content.parts() {
            let set = SetName::Block {
                name: listed.name.clone(),
                key,
                version: listed.version,
            };
            let (mut found, mut strange) = (0_usize, false);
            let read = self.socket.ask(
                |number| list_elements(number, &set),
                |message| {
                    for element in elements(message, &set)? {
                        found += 1;
                        strange |= !entries.has(element?.prefix.address());
                    }
                    Ok::<_, TableError>(())
                },
            );
            match read {
                // Other sets changed; nobody but a stranger changes one that is in force.
                Ok(()) | Err(TableError::Kernel(SocketError::Interrupted)) => {}
                Err(error) if is_missing(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
            if strange || found != entries.len() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Fills in what was counted.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn count(&mut self, state: &mut State) -> Result<(), TableError> {
        state.closed_packets = self.counted(CLOSED)?.packets;
        for block in &mut state.blocks {
            let mut sum = Counter::default();
            for v6 in [false, true] {
                sum += self.counted(&block_chain(&block.name, v6))?;
            }
            (block.packets, block.bytes) = (sum.packets, sum.bytes);
        }
        Ok(())
    }
}

/// The sets of a block list as somebody knew them.
#[derive(Debug, Clone)]
pub struct Listed {
    pub(super) name: BlockName,
    pub(super) version: u32,
    content: Arc<Content>,
}

impl Table {
    /// The state, without what was counted.
    #[must_use]
    pub fn state(&self) -> State {
        State {
            generation: self.generation,
            bans: self.bans.len(),
            blocks: self
                .blocks
                .iter()
                .map(|(name, block)| BlockState {
                    name: name.clone(),
                    entries: block.entries,
                    packets: 0,
                    bytes: 0,
                })
                .collect(),
            tcp: self.ports.tcp.iter().copied().collect(),
            udp: self.ports.udp.iter().copied().collect(),
            closed_packets: 0,
            restored: self.restored,
        }
    }

    /// The prefixes that are banned, by family and length.
    #[must_use]
    pub fn banned(&self) -> Vec<(Key, Vec<Prefix>)> {
        let of = |key| self.bans.of(key).map(|(prefix, _)| prefix).collect();
        self.bans.keys().map(|key| (key, of(key))).collect()
    }

    /// The lists whose content is known, as they are now.
    #[must_use]
    pub fn listed(&self) -> Vec<Listed> {
        let known = self.blocks.iter().filter_map(|(name, block)| {
            Some(Listed {
                name: name.clone(),
                version: block.version,
                content: Arc::clone(block.content.as_ref()?),
            })
        });
        known.collect()
    }

    /// Of the lists that have sets, those that the rules lead to.
    pub(super) fn led_to<T>(
        &mut self,
        lists: &std::collections::BTreeMap<BlockName, T>,
    ) -> Result<BTreeSet<BlockName>, TableError> {
        let mut leading = BTreeSet::new();
        for name in lists.keys() {
            let mut rules = 0_usize;
            for v6 in [false, true] {
                let chain = block_chain(name, v6);
                let read = self.socket.ask(
                    |number| list_rules(number, &chain),
                    |message| {
                        rules += usize::from(message.kind == crate::nft::kind::NEW_RULE);
                        Ok::<_, TableError>(())
                    },
                );
                match read {
                    Err(TableError::Kernel(SocketError::Interrupted)) => {}
                    Err(error) if is_missing(&error) => {}
                    other => other?,
                }
            }
            if rules > 0 {
                leading.insert(name.clone());
            }
        }
        Ok(leading)
    }
}
