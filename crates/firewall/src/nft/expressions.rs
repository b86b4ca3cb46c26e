//! Pure: what a rule consists of.

use super::SetName;
use super::sets::Key;
use crate::netlink::Writer;

/// The register for verdicts (`NFT_REG_VERDICT`).
const VERDICT: u32 = 0;
/// The one register that rules use here (`NFT_REG_1`, 16 bytes).
const REGISTER: u32 = 1;

/// Where the source address stands in the network header, and its length, in bytes.
const SOURCE_V4: (u32, u32) = (12, 4);
const SOURCE_V6: (u32, u32) = (8, 16);

/// Attributes (linux/netfilter/nf_tables.h): those of an expression, and of a value.
const LIST_ELEMENT: u16 = 1;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const VALUE: u16 = 1;
const VERDICT_DATA: u16 = 2;
const VERDICT_CODE: u16 = 1;
const VERDICT_CHAIN: u16 = 2;

/// `NFT_META_…`.
const META_INTERFACE_NAME: u32 = 6;
const META_FAMILY: u32 = 15;
const META_PROTOCOL: u32 = 16;

/// Bytes of an interface's name in a register (`IFNAMSIZ`).
const INTERFACE_BYTES: usize = 16;

/// `NF_DROP`, `NF_ACCEPT`, `NFT_JUMP`.
const DROP: i32 = 0;
const ACCEPT: i32 = 1;
const JUMP: i32 = -3;

/// `NFT_PAYLOAD_NETWORK_HEADER`, `NFT_PAYLOAD_TRANSPORT_HEADER`.
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;

/// `NFT_CMP_EQ`, `NFT_CMP_NEQ`.
const EQUAL: u32 = 0;
const UNEQUAL: u32 = 1;

/// Bits of `NFT_CT_STATE`.
pub(crate) const INVALID: u32 = 1;
pub(crate) const ESTABLISHED: u32 = 2;
pub(crate) const RELATED: u32 = 4;

/// `IPPROTO_…`, as `meta l4proto` has them.
pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMPV6: u8 = 58;

/// `NFPROTO_…`, as `meta nfproto` has them.
pub(crate) const IPV4: u8 = 2;
pub(crate) const IPV6: u8 = 10;

/// Writes a rule's expressions, each of which may end the rule for a packet.
#[derive(Debug)]
pub struct Expressions<'a>(pub(super) &'a mut Writer);

impl Expressions<'_> {
    fn add(&mut self, name: &str, data: impl FnOnce(&mut Writer)) -> &mut Self {
        self.0
            .nest(LIST_ELEMENT, |writer| expression(writer, name, data));
        self
    }

    /// Only what comes in by the loopback interface.
    pub(crate) fn loopback(&mut self) -> &mut Self {
        let mut name = [0; INTERFACE_BYTES];
        name[..2].copy_from_slice(b"lo");
        self.meta(META_INTERFACE_NAME).compare(EQUAL, &name)
    }

    /// Only packets of that family.
    pub(crate) fn family(&mut self, family: u8) -> &mut Self {
        self.meta(META_FAMILY).compare(EQUAL, &[family])
    }

    /// Only packets of that protocol over IP.
    pub(crate) fn protocol(&mut self, protocol: u8) -> &mut Self {
        self.meta(META_PROTOCOL).compare(EQUAL, &[protocol])
    }

    /// Only packets with this at that place of the header over IP.
    pub(crate) fn transport(&mut self, offset: u32, value: &[u8]) -> &mut Self {
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        self.payload(TRANSPORT, offset, length)
            .compare(EQUAL, value)
    }

    /// Only packets from the prefix, which is IPv6.
    pub(crate) fn source_v6(&mut self, address: [u8; 16], bits: u8) -> &mut Self {
        let key = Key { v6: true, bits };
        self.source(key).compare(EQUAL, &address)
    }

    /// Only packets whose source is in the set.
    pub(crate) fn source_in(&mut self, set: &SetName) -> &mut Self {
        self.source(set.key()).add("lookup", |writer| {
            writer.put_text(1, set);
            writer.put_u32(2, REGISTER);
        })
    }

    /// Only packets whose connection is in one of these states.
    pub(crate) fn state(&mut self, states: u32) -> &mut Self {
        self.add("ct", |writer| {
            writer.put_u32(1, REGISTER);
            writer.put_u32(2, 0);
        });
        self.mask(&states.to_ne_bytes()).compare(UNEQUAL, &[0; 4])
    }

    /// Only so many packets a second, and so many at once.
    pub(crate) fn limit(&mut self, a_second: u64, at_once: u32) -> &mut Self {
        self.add("limit", |writer| {
            writer.put_u64(1, a_second);
            writer.put_u64(2, 1);
            writer.put_u32(3, at_once);
            writer.put_u32(4, 0);
        })
    }

    /// Counts what comes so far.
    pub(crate) fn counter(&mut self) -> &mut Self {
        self.add("counter", |_| {})
    }

    /// Ends it: the packet is dropped.
    pub(crate) fn drop(&mut self) {
        self.verdict(DROP, None);
    }

    /// Ends it: the packet is let through this chain.
    pub(crate) fn accept(&mut self) {
        self.verdict(ACCEPT, None);
    }

    /// Goes through that chain first.
    pub(crate) fn jump(&mut self, chain: &str) {
        self.verdict(JUMP, Some(chain));
    }

    fn verdict(&mut self, code: i32, chain: Option<&str>) {
        self.add("immediate", |writer| {
            writer.put_u32(1, VERDICT);
            writer.nest(2, |writer| {
                writer.nest(VERDICT_DATA, |writer| {
                    writer.put_u32(VERDICT_CODE, code.cast_unsigned());
                    if let Some(chain) = chain {
                        writer.put_text(VERDICT_CHAIN, chain);
                    }
                });
            });
        });
    }

    fn source(&mut self, key: Key) -> &mut Self {
        let (offset, length) = if key.v6 { SOURCE_V6 } else { SOURCE_V4 };
        self.payload(NETWORK, offset, length);
        if key.bits < key.address_bits() {
            self.mask(&key.mask());
        }
        self
    }

    fn meta(&mut self, key: u32) -> &mut Self {
        self.add("meta", |writer| {
            writer.put_u32(1, REGISTER);
            writer.put_u32(2, key);
        })
    }

    fn payload(&mut self, base: u32, offset: u32, length: u32) -> &mut Self {
        self.add("payload", |writer| {
            writer.put_u32(1, REGISTER);
            writer.put_u32(2, base);
            writer.put_u32(3, offset);
            writer.put_u32(4, length);
        })
    }

    fn mask(&mut self, mask: &[u8]) -> &mut Self {
        self.add("bitwise", |writer| {
            writer.put_u32(1, REGISTER);
            writer.put_u32(2, REGISTER);
            writer.put_u32(3, u32::try_from(mask.len()).unwrap_or(u32::MAX));
            writer.nest(4, |writer| writer.put(VALUE, mask));
            writer.nest(5, |writer| writer.put(VALUE, &vec![0; mask.len()]));
        })
    }

    fn compare(&mut self, operator: u32, value: &[u8]) -> &mut Self {
        self.add("cmp", |writer| {
            writer.put_u32(1, REGISTER);
            writer.put_u32(2, operator);
            writer.nest(3, |writer| writer.put(VALUE, value));
        })
    }
}

/// One expression: its name and what it is told.
pub(super) fn expression(writer: &mut Writer, name: &str, data: impl FnOnce(&mut Writer)) {
    writer.put_text(EXPRESSION_NAME, name);
    writer.nest(EXPRESSION_DATA, data);
}
