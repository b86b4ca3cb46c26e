//! Pure: the rules. Bans and block lists come before the kernel looks at connections, so that a packet from there is
//! dropped whatever connection it belongs to; then nothing gets in but what is listed.

use std::collections::BTreeSet;

use firewall_api::BlockName;

use super::expressions::{ESTABLISHED, ICMP, ICMPV6, INVALID, IPV4, IPV6, RELATED, TCP, UDP};
use super::{Batch, Key, SetName};
use crate::spared::Spared;

/// `NF_INET_PRE_ROUTING` and the priority `raw`, which is before connections are tracked.
const BEFORE: (u32, i32) = (0, -300);

/// `NF_INET_LOCAL_IN` and the priority `filter`.
const IN: (u32, i32) = (1, 0);

/// The chain before connections are tracked.
const SOURCES: &str = "sources";

/// The chain of what is for this machine.
const INPUT: &str = "input";

/// The chain of what is refused: it counts.
pub(crate) const CLOSED: &str = "closed";

/// The chains of bans, of IPv4 and IPv6.
const BANS: [&str; 2] = ["bans4", "bans6"];

/// The chains that lead to each block list, of IPv4 and IPv6.
pub(super) const BLOCKS: [&str; 2] = ["blocks4", "blocks6"];

/// Pings answered a second, and at once.
const PINGS_A_SECOND: u64 = 20;
const PINGS_AT_ONCE: u32 = 40;

/// ICMP's errors (RFC 792): destination unreachable, time exceeded, parameter problem; and its echo request.
const ICMP_ERRORS: [u8; 3] = [3, 11, 12];
const ICMP_ECHO: u8 = 8;

/// ICMPv6's errors (RFC 4443, packet too big among them) and its echo request.
const ICMPV6_ERRORS: [u8; 4] = [1, 2, 3, 4];
const ICMPV6_ECHO: u8 = 128;

/// What IPv6 does not work without: multicast listener query (RFC 2710), router advertisement, neighbour solicitation
/// and advertisement (RFC 4861).
const ICMPV6_NEEDED: [u8; 4] = [130, 134, 135, 136];

/// Source and destination port of a DHCP server's answer (RFC 2131), which a broadcast may be.
const DHCP_PORTS: [u8; 4] = [0, 67, 0, 68];

/// Destination port of a DHCPv6 server's answer (RFC 8415), which comes from a link-local address.
const DHCPV6_PORT: [u8; 2] = 546_u16.to_be_bytes();

/// Where the destination port stands in the header over IP, in bytes.
const DESTINATION_PORT: u32 = 2;

/// `fe80::/10`.
const LINK_LOCAL: ([u8; 16], u8) = ([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 10);

/// The ports that are open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ports {
    /// TCP.
    pub tcp: BTreeSet<u16>,
    /// UDP.
    pub udp: BTreeSet<u16>,
}

/// Makes the chains, where they are not there, and their rules anew. Bans and block lists stay. What is spared
/// ([`spare`]) is looked up before them, and is accepted by this chain alone: that opens no port.
pub fn base(batch: &mut Batch, ports: &Ports) {
    batch.hooked_chain(SOURCES, BEFORE.0, BEFORE.1, true);
    batch.hooked_chain(INPUT, IN.0, IN.1, false);
    for chain in BANS.iter().chain(&BLOCKS).chain(&[CLOSED]) {
        batch.chain(chain);
    }
    batch.empty_chain(SOURCES);
    batch.rule(SOURCES, |rule| rule.loopback().accept());
    for (place, family) in [IPV4, IPV6].into_iter().enumerate() {
        let spared = SetName::Spared { v6: place == 1 };
        batch.set(&spared, 0);
        batch.rule(SOURCES, |rule| {
            rule.family(family).source_in(&spared).accept()
        });
        batch.rule(SOURCES, |rule| rule.family(family).jump(BANS[place]));
        batch.rule(SOURCES, |rule| rule.family(family).jump(BLOCKS[place]));
    }
    input(batch, ports);
}

/// Puts these in place of what was spared, in the sets that [`base`] makes.
pub fn spare(batch: &mut Batch, spared: &Spared) {
    for v6 in [false, true] {
        let set = SetName::Spared { v6 };
        batch.empty_set(&set);
        batch.add_ranges(&set, &spared.ranges(v6));
    }
}

fn input(batch: &mut Batch, ports: &Ports) {
    batch.empty_chain(INPUT);
    batch.rule(INPUT, |rule| rule.loopback().accept());
    // Before what is established: to the kernel the first answer makes a connection of whoever goes on asking.
    for (protocol, kind) in [(ICMP, ICMP_ECHO), (ICMPV6, ICMPV6_ECHO)] {
        batch.rule(INPUT, |rule| {
            rule.protocol(protocol)
                .transport(0, &[kind])
                .limit(PINGS_A_SECOND, PINGS_AT_ONCE)
                .accept();
        });
        batch.rule(INPUT, |rule| {
            rule.protocol(protocol).transport(0, &[kind]).jump(CLOSED);
        });
    }
    batch.rule(INPUT, |rule| rule.state(ESTABLISHED | RELATED).accept());
    for kind in ICMPV6_NEEDED.into_iter().chain(ICMPV6_ERRORS) {
        batch.rule(INPUT, |rule| {
            rule.protocol(ICMPV6).transport(0, &[kind]).accept()
        });
    }
    for kind in ICMP_ERRORS {
        batch.rule(INPUT, |rule| {
            rule.protocol(ICMP).transport(0, &[kind]).accept()
        });
    }
    batch.rule(INPUT, |rule| rule.state(INVALID).jump(CLOSED));
    batch.rule(INPUT, |rule| {
        rule.family(IPV4)
            .protocol(UDP)
            .transport(0, &DHCP_PORTS)
            .accept()
    });
    batch.rule(INPUT, |rule| {
        rule.family(IPV6)
            .source_v6(LINK_LOCAL.0, LINK_LOCAL.1)
            .protocol(UDP)
            .transport(DESTINATION_PORT, &DHCPV6_PORT)
            .accept();
    });
    for (protocol, open) in [(TCP, &ports.tcp), (UDP, &ports.udp)] {
        for port in open {
            batch.rule(INPUT, |rule| {
                rule.protocol(protocol)
                    .transport(DESTINATION_PORT, &port.to_be_bytes())
                    .accept();
            });
        }
    }
    batch.rule(INPUT, |rule| rule.jump(CLOSED));
    batch.empty_chain(CLOSED);
    batch.rule(CLOSED, |rule| rule.counter().drop());
}

/// Makes the sets of bans, where they are not there, and the rules that look into them anew.
pub fn ban_rules<'a>(batch: &mut Batch, sets: impl Iterator<Item = &'a Key> + Clone) {
    for chain in BANS {
        batch.empty_chain(chain);
    }
    for key in sets {
        let set = SetName::Bans(*key);
        batch.set(&set, 0);
        batch.rule(BANS[usize::from(key.v6)], |rule| {
            rule.source_in(&set).drop()
        });
    }
}

/// The chain of a block list, of IPv4 or IPv6.
#[must_use]
pub fn block_chain(name: &BlockName, v6: bool) -> String {
    format!("block{}_{name}", if v6 { 6 } else { 4 })
}

/// Leads packets through the chains of these lists and no others.
pub fn lead_to<'a>(batch: &mut Batch, lists: impl Iterator<Item = &'a BlockName> + Clone) {
    for v6 in [false, true] {
        let blocks = BLOCKS[usize::from(v6)];
        batch.empty_chain(blocks);
        for name in lists.clone() {
            let chain = block_chain(name, v6);
            batch.chain(&chain);
            batch.rule(blocks, |rule| rule.jump(&chain));
        }
    }
}

/// Leads packets that are led to a list through these sets of it and no others.
pub fn block_rules<'a>(
    batch: &mut Batch,
    name: &BlockName,
    sets: impl Iterator<Item = &'a SetName> + Clone,
) {
    for v6 in [false, true] {
        let chain = block_chain(name, v6);
        batch.chain(&chain);
        batch.empty_chain(&chain);
        for set in sets.clone().filter(|set| set.key().v6 == v6) {
            batch.rule(&chain, |rule| rule.source_in(set).counter().drop());
        }
    }
}

/// Removes a list's chains; `others` are led to from now on.
pub fn unblock<'a>(
    batch: &mut Batch,
    name: &BlockName,
    others: impl Iterator<Item = &'a BlockName> + Clone,
) {
    lead_to(batch, others);
    for v6 in [false, true] {
        let chain = block_chain(name, v6);
        batch.chain(&chain);
        batch.empty_chain(&chain);
        batch.remove_chain(&chain);
    }
}
