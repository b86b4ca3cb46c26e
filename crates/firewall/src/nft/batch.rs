//! Pure: changes that the kernel makes together or not at all.

use std::net::IpAddr;

use firewall_api::Prefix;

use super::expressions::expression;
use super::sets::put_key;
use super::{Counter, Expressions, INET, SUBSYSTEM, SetName, TABLE, kind};
use crate::netlink::{ACK, APPEND, CREATE, DUMP, Header, REQUEST, Writer};

/// `NFNL_MSG_BATCH_BEGIN` and `NFNL_MSG_BATCH_END`.
const BEGIN: u16 = 0x10;
const END: u16 = 0x11;

/// Flags of a set: its elements end by themselves (`NFT_SET_TIMEOUT`).
const TIMEOUT: u32 = 0x10;

/// A set of ranges, of which each element is an end (`NFT_SET_INTERVAL`), and the flag of an element that is behind a
/// range (`NFT_SET_ELEM_INTERVAL_END`).
const INTERVAL: u32 = 4;
const INTERVAL_END: u32 = 1;

/// Flags of a table (`NFT_TABLE_F_OWNER`, `NFT_TABLE_F_PERSIST`, the latter since Linux 6.9).
const OWNER: u32 = 2;
const PERSIST: u32 = 4;

/// How often the kernel frees what has ended, in milliseconds. What has ended counts for nothing before that too.
const CLEANUP_MS: u32 = 30_000;

/// Elements in one message: their list has a length of 16 bits.
const ELEMENTS_PER_MESSAGE: usize = 500;

/// What a set's key is, for who lists the table (`TYPE_IPADDR` and `TYPE_IP6ADDR` of the program nft).
const KEY_TYPE_V4: u32 = 7;
const KEY_TYPE_V6: u32 = 8;

/// An element of a set of bans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elements {
    /// The prefix.
    pub prefix: Prefix,
    /// For how long, in milliseconds.
    pub milliseconds: u64,
    /// What was counted before.
    pub counter: Counter,
}

/// A batch that can be sent.
#[derive(Debug)]
pub struct Built {
    /// Its bytes; none where nothing is to change.
    pub bytes: Vec<u8>,
    /// The message that the kernel acknowledges when all is done.
    pub sequence: u32,
}

/// A batch that is being made.
#[derive(Debug)]
pub struct Batch {
    writer: Writer,
    sequence: u32,
}

/// The message that begins a batch.
const FIRST: u32 = 1;

impl Default for Batch {
    fn default() -> Self {
        let mut batch = Self {
            writer: Writer::default(),
            sequence: 0,
        };
        let [high, low] = SUBSYSTEM.to_be_bytes();
        let header = batch.next(BEGIN, 0);
        batch.writer.begin(header, &[0, 0, high, low]);
        batch
    }
}

impl Batch {
    fn next(&mut self, kind: u16, flags: u16) -> Header {
        self.sequence += 1;
        Header {
            kind,
            flags: REQUEST | flags,
            sequence: self.sequence,
        }
    }

    fn begin(&mut self, kind: u16, flags: u16) {
        let header = self.next(kind, flags);
        self.writer.begin(header, &[INET, 0, 0, 0]);
        self.writer.put_text(1, TABLE);
    }

    /// How long it is by now, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.writer.bytes().len()
    }

    /// Whether nothing is to change.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.sequence == FIRST
    }

    /// The table, if there is none.
    pub fn table(&mut self) {
        self.begin(kind::NEW_TABLE, CREATE);
    }

    /// Takes the table for the socket that sends this: from then on the kernel lets nobody else change or flush it. It
    /// outlives the socket, and is then anybody's who takes it.
    pub fn own_table(&mut self) {
        self.begin(kind::NEW_TABLE, CREATE);
        self.writer.put_u32(2, OWNER | PERSIST);
    }

    /// Removes the table with all that it holds.
    pub fn remove_table(&mut self) {
        self.begin(kind::DELETE_TABLE, 0);
    }

    /// A chain that others go through, if there is none.
    pub fn chain(&mut self, name: &str) {
        self.begin(kind::NEW_CHAIN, CREATE);
        self.writer.put_text(3, name);
    }

    /// A chain that packets go through at a hook: its number, its priority, and what becomes of a packet at its end.
    pub fn hooked_chain(&mut self, name: &str, hook: u32, priority: i32, accepts: bool) {
        self.chain(name);
        self.writer.nest(4, |writer| {
            writer.put_u32(1, hook);
            writer.put_u32(2, priority.cast_unsigned());
        });
        self.writer.put_u32(5, u32::from(accepts));
        self.writer.put_text(7, "filter");
    }

    /// Removes a chain that nothing leads to.
    pub fn remove_chain(&mut self, name: &str) {
        self.begin(kind::DELETE_CHAIN, 0);
        self.writer.put_text(3, name);
    }

    /// Empties a chain.
    pub fn empty_chain(&mut self, name: &str) {
        self.begin(kind::DELETE_RULE, 0);
        self.writer.put_text(2, name);
    }

    /// Adds a rule at the end of a chain.
    pub fn rule(&mut self, chain: &str, write: impl FnOnce(&mut Expressions<'_>)) {
        self.begin(kind::NEW_RULE, CREATE | APPEND);
        self.writer.put_text(2, chain);
        self.writer
            .nest(4, |writer| write(&mut Expressions(writer)));
    }

    /// A set, if there is none. Bans end by themselves and are counted one by one; a block list has `size` elements.
    pub fn set(&mut self, set: &SetName, size: u32) {
        self.begin(kind::NEW_SET, CREATE);
        self.writer.put_text(2, set);
        let (key_type, key_bytes) = if set.key().v6 {
            (KEY_TYPE_V6, 16)
        } else {
            (KEY_TYPE_V4, 4)
        };
        let flags = match set {
            SetName::Bans(_) => TIMEOUT,
            SetName::Spared { .. } => INTERVAL,
            SetName::Block { .. } => 0,
        };
        self.writer.put_u32(3, flags);
        self.writer.put_u32(4, key_type);
        self.writer.put_u32(5, key_bytes);
        // The kernel wants a number for each new set of a batch; rules name theirs.
        let id = self.sequence;
        self.writer.put_u32(10, id);
        match set {
            SetName::Bans(_) => {
                self.writer.put_u32(12, CLEANUP_MS);
                self.writer
                    .nest(17, |writer| expression(writer, "counter", |_| {}));
            }
            SetName::Spared { .. } => {}
            SetName::Block { .. } => self.writer.nest(9, |writer| writer.put_u32(1, size)),
        }
    }

    /// Removes a set that no rule names.
    pub fn remove_set(&mut self, set: &SetName) {
        self.begin(kind::DELETE_SET, 0);
        self.writer.put_text(2, set);
    }

    /// Takes out all elements of a set.
    pub fn empty_set(&mut self, set: &SetName) {
        self.begin(kind::DELETE_ELEMENT, 0);
        self.writer.put_text(2, set);
    }

    /// Adds ranges to a set of such: each its first address and the one behind it, if there is one. They rise, and
    /// there is room between them.
    pub fn add_ranges(&mut self, set: &SetName, ranges: &[(IpAddr, Option<IpAddr>)]) {
        for part in ranges.chunks(ELEMENTS_PER_MESSAGE) {
            self.begin(kind::NEW_ELEMENT, CREATE);
            self.writer.put_text(2, set);
            self.writer.nest(3, |writer| {
                for (first, behind) in part {
                    writer.nest(1, |writer| put_key(writer, *first));
                    if let Some(behind) = behind {
                        writer.nest(1, |writer| {
                            put_key(writer, *behind);
                            writer.put_u32(3, INTERVAL_END);
                        });
                    }
                }
            });
        }
    }

    /// Adds bans to their set.
    pub fn add_bans(&mut self, set: &SetName, bans: &[Elements]) {
        for part in bans.chunks(ELEMENTS_PER_MESSAGE) {
            self.begin(kind::NEW_ELEMENT, CREATE);
            self.writer.put_text(2, set);
            self.writer.nest(3, |writer| {
                for ban in part {
                    writer.nest(1, |writer| {
                        put_key(writer, ban.prefix.address());
                        writer.put_u64(4, ban.milliseconds);
                        if ban.counter != Counter::default() {
                            writer.nest(7, |writer| {
                                expression(writer, "counter", |writer| {
                                    writer.put_u64(1, ban.counter.bytes);
                                    writer.put_u64(2, ban.counter.packets);
                                });
                            });
                        }
                    });
                }
            });
        }
    }

    /// Has bans last for their time, whether they are in their set or not: to a kernel before Linux 6.12 adding one that
    /// is there changes nothing. What is not known here may be there, since an element outlasts the second in which its
    /// ban is forgotten.
    pub fn renew_bans(&mut self, set: &SetName, bans: &[Elements]) {
        self.remove_elements(set, bans.iter().map(|ban| ban.prefix));
        self.add_bans(set, bans);
    }

    /// Takes elements out of their set, if they are in it.
    pub fn remove_elements(&mut self, set: &SetName, prefixes: impl Iterator<Item = Prefix>) {
        self.plain(kind::DESTROY_ELEMENT, 0, set, prefixes);
    }

    /// Adds the elements of a block list to their set.
    pub fn add_elements(&mut self, set: &SetName, prefixes: impl Iterator<Item = Prefix>) {
        self.plain(kind::NEW_ELEMENT, CREATE, set, prefixes);
    }

    fn plain(
        &mut self,
        kind: u16,
        flags: u16,
        set: &SetName,
        prefixes: impl Iterator<Item = Prefix>,
    ) {
        let mut prefixes = prefixes.peekable();
        while prefixes.peek().is_some() {
            self.begin(kind, flags);
            self.writer.put_text(2, set);
            self.writer.nest(3, |writer| {
                keys(writer, prefixes.by_ref().take(ELEMENTS_PER_MESSAGE))
            });
        }
    }

    /// Ends it. What the kernel acknowledges is its last change.
    #[must_use]
    pub fn build(mut self) -> Built {
        if self.is_empty() {
            return Built {
                bytes: Vec::new(),
                sequence: FIRST,
            };
        }
        let [high, low] = SUBSYSTEM.to_be_bytes();
        // The end itself is acknowledged by newer kernels alone.
        self.writer.flag(ACK);
        let sequence = self.sequence;
        let header = self.next(END, 0);
        self.writer.begin(header, &[0, 0, high, low]);
        Built {
            bytes: self.writer.into_bytes(),
            sequence,
        }
    }
}

fn keys(writer: &mut Writer, prefixes: impl Iterator<Item = Prefix>) {
    for prefix in prefixes {
        writer.nest(1, |writer| put_key(writer, prefix.address()));
    }
}

fn request(kind: u16, flags: u16, sequence: u32, write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    let header = Header {
        kind,
        flags: REQUEST | flags,
        sequence,
    };
    writer.begin(header, &[INET, 0, 0, 0]);
    writer.put_text(1, TABLE);
    write(&mut writer);
    writer.into_bytes()
}

/// Asks for all sets of the table.
#[must_use]
pub fn list_sets(sequence: u32) -> Vec<u8> {
    request(kind::GET_SET, DUMP, sequence, |_| {})
}

/// Asks for all elements of a set.
#[must_use]
pub fn list_elements(sequence: u32, set: &SetName) -> Vec<u8> {
    request(kind::GET_ELEMENT, DUMP, sequence, |writer| {
        writer.put_text(2, set);
    })
}

/// Asks for these elements of a set.
#[must_use]
pub fn get_elements(sequence: u32, set: &SetName, prefixes: &[Prefix]) -> Vec<u8> {
    request(kind::GET_ELEMENT, ACK, sequence, |writer| {
        writer.put_text(2, set);
        writer.nest(3, |writer| keys(writer, prefixes.iter().copied()));
    })
}

/// Asks for the rules of a chain.
#[must_use]
pub fn list_rules(sequence: u32, chain: &str) -> Vec<u8> {
    request(kind::GET_RULE, DUMP, sequence, |writer| {
        writer.put_text(2, chain)
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::netlink::messages;

    fn kinds(batch: Batch) -> Vec<(u16, bool)> {
        let built = batch.build();
        let read: Vec<_> = messages(&built.bytes).map(Result::unwrap).collect();
        assert_eq!(read.iter().filter(|one| one.flags & ACK != 0).count(), 1);
        read.iter()
            .map(|one| (one.kind, one.sequence == built.sequence))
            .collect()
    }

    #[test]
    fn a_ban_is_removed_before_it_is_added() {
        let prefix: Prefix = "192.0.2.1".parse().unwrap();
        let mut batch = Batch::default();
        let one = Elements {
            prefix,
            milliseconds: 1,
            counter: Counter::default(),
        };
        let set = SetName::Bans(super::super::Key::of(&prefix));
        batch.renew_bans(&set, &[one]);
        let expected = [
            (BEGIN, false),
            (kind::DESTROY_ELEMENT, false),
            (kind::NEW_ELEMENT, true),
            (END, false),
        ];
        assert_eq!(kinds(batch), expected);
    }

    #[test]
    fn what_changes_nothing_is_not_sent() {
        assert!(Batch::default().is_empty());
        assert!(Batch::default().build().bytes.is_empty());
        let mut batch = Batch::default();
        batch.table();
        assert!(!batch.is_empty());
    }
}
