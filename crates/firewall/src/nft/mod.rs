//! The kernel's packet filter (nf_tables) over netlink, as linux/netfilter/nf_tables.h has it.

mod answer;
mod batch;
mod expressions;
mod rules;
mod sets;

pub use answer::{Counter, Element, element_of, elements, rule_counters, set_of};
pub use batch::{Batch, Built, Elements, get_elements, list_elements, list_rules, list_sets};
pub use expressions::Expressions;
pub(crate) use rules::CLOSED;
pub use rules::{Ports, ban_rules, base, block_chain, block_rules, lead_to, spare, unblock};
pub use sets::{Key, SetName};

/// The one table that is the firewall's, of the family `inet`: IPv4 and IPv6.
pub const TABLE: &str = "casemate";

/// `NFPROTO_INET`.
pub const INET: u8 = 1;

/// Bytes of `struct nfgenmsg`, which stands before the attributes of each message.
pub const FIXED_BYTES: usize = 4;

/// `NFNLGRP_NFTABLES` in a mask of groups: who changes what.
pub const CHANGES: u32 = 1 << (7 - 1);

/// The subsystem `NFNL_SUBSYS_NFTABLES`.
const SUBSYSTEM: u16 = 10;

/// A message of nf_tables (`enum nf_tables_msg_types`) as the type of a netlink message.
pub mod kind {
    use super::SUBSYSTEM;

    const fn of(message: u16) -> u16 {
        SUBSYSTEM << 8 | message
    }

    pub(crate) const NEW_TABLE: u16 = of(0);
    /// A table was removed.
    pub const DELETE_TABLE: u16 = of(2);
    pub(crate) const NEW_CHAIN: u16 = of(3);
    pub(crate) const DELETE_CHAIN: u16 = of(5);
    pub(crate) const NEW_RULE: u16 = of(6);
    pub(crate) const GET_RULE: u16 = of(7);
    pub(crate) const DELETE_RULE: u16 = of(8);
    pub(crate) const NEW_SET: u16 = of(9);
    pub(crate) const GET_SET: u16 = of(10);
    pub(crate) const DELETE_SET: u16 = of(11);
    pub(crate) const NEW_ELEMENT: u16 = of(12);
    pub(crate) const GET_ELEMENT: u16 = of(13);
    /// A change has been made.
    pub const NEW_GENERATION: u16 = of(15);
    pub(crate) const DELETE_ELEMENT: u16 = of(14);
    pub(crate) const DESTROY_ELEMENT: u16 = of(30);
}
