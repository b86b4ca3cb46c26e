//! This machine's addresses and gateways, from the kernel (rtnetlink(7)).

use std::net::IpAddr;

use crate::judge::Own;
use crate::netlink::{
    Attribute, DUMP, Header, Malformed, Message, REQUEST, Socket, SocketError, Writer, attributes,
};

/// Groups that tell of changes: `RTMGRP_IPV4_IFADDR`, `…_ROUTE`, `RTMGRP_IPV6_IFADDR`, `…_ROUTE`.
const CHANGES: u32 = 0x10 | 0x40 | 0x100 | 0x400;

/// `RTM_NEWADDR`, `RTM_GETADDR`, and bytes of `struct ifaddrmsg`.
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const ADDRESS_FIXED_BYTES: usize = 8;

/// `RTM_NEWROUTE`, `RTM_GETROUTE`, and bytes of `struct rtmsg`.
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
const ROUTE_FIXED_BYTES: usize = 12;

/// `IFA_ADDRESS`, `IFA_LOCAL`; `RTA_GATEWAY`, `RTA_MULTIPATH`, `RTA_VIA`.
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const GATEWAY: u16 = 5;
const MULTIPATH: u16 = 9;
const VIA: u16 = 18;

/// Bytes of `struct rtnexthop`, and of the family before the address in `RTA_VIA`.
const HOP_BYTES: usize = 8;
const VIA_FAMILY_BYTES: usize = 2;

/// How often to begin again where something changes while it is read.
const READS_MAX: u32 = 5;

/// A socket that hears of every change.
///
/// # Errors
/// Whatever the kernel says to it.
pub fn changes() -> Result<Socket, SocketError> {
    Socket::open(None, CHANGES)
}

/// Reads all addresses and gateways.
///
/// # Errors
/// Whatever the kernel says to it.
pub fn read() -> Result<Own, SocketError> {
    let mut socket = Socket::open(None, 0)?;
    for _ in 1..READS_MAX {
        match read_once(&mut socket) {
            Err(SocketError::Interrupted) => {}
            other => return other,
        }
    }
    read_once(&mut socket)
}

fn read_once(socket: &mut Socket) -> Result<Own, SocketError> {
    let mut own = Own::default();
    for (kind, fixed) in [
        (GET_ADDRESS, ADDRESS_FIXED_BYTES),
        (GET_ROUTE, ROUTE_FIXED_BYTES),
    ] {
        let request = |sequence| {
            let mut writer = Writer::default();
            let header = Header {
                kind,
                flags: REQUEST | DUMP,
                sequence,
            };
            writer.begin(header, &vec![0; fixed]);
            writer.into_bytes()
        };
        socket.ask::<SocketError>(request, |message| Ok(note(message, &mut own)?))?;
    }
    own.addresses.sort();
    own.addresses.dedup();
    own.gateways.sort();
    own.gateways.dedup();
    Ok(own)
}

/// Notes what a message tells. Pure.
fn note(message: &Message<'_>, own: &mut Own) -> Result<(), Malformed> {
    match message.kind {
        NEW_ADDRESS => {
            let (mut local, mut any) = (None, None);
            for attribute in message.attributes(ADDRESS_FIXED_BYTES)? {
                let attribute = attribute?;
                match attribute.kind {
                    LOCAL => local = address(attribute.value),
                    // On a point-to-point link the other end's, unless there is no LOCAL.
                    ADDRESS => any = address(attribute.value),
                    _ => {}
                }
            }
            own.addresses.extend(local.or(any));
        }
        NEW_ROUTE => {
            for attribute in message.attributes(ROUTE_FIXED_BYTES)? {
                gateways(&attribute?, own)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn gateways(attribute: &Attribute<'_>, own: &mut Own) -> Result<(), Malformed> {
    match attribute.kind {
        GATEWAY => own.gateways.extend(address(attribute.value)),
        VIA => own
            .gateways
            .extend(attribute.value.get(VIA_FAMILY_BYTES..).and_then(address)),
        MULTIPATH => {
            let mut rest = attribute.value;
            while !rest.is_empty() {
                let length = rest.get(..2).ok_or(Malformed)?;
                let length = usize::from(u16::from_ne_bytes([length[0], length[1]]));
                let hop = rest.get(HOP_BYTES..length).ok_or(Malformed)?;
                for inner in attributes(hop) {
                    let inner = inner?;
                    if inner.kind != MULTIPATH {
                        gateways(&inner, own)?;
                    }
                }
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
        }
        _ => {}
    }
    Ok(())
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(v4));
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn this_machine_has_loopback() {
        let own = read().unwrap();
        assert!(
            own.addresses.contains(&"127.0.0.1".parse().unwrap()),
            "{own:?}"
        );
    }

    #[test]
    fn every_hop_of_a_route_is_a_gateway() {
        let mut writer = Writer::default();
        let header = Header {
            kind: NEW_ROUTE,
            flags: 0,
            sequence: 0,
        };
        writer.begin(header, &[0; ROUTE_FIXED_BYTES]);
        let mut hops = Vec::new();
        for last in [1, 2] {
            hops.extend(u16::to_ne_bytes(16));
            hops.extend([0; 6]);
            hops.extend([8, 0, 5, 0, 192, 0, 2, last]);
        }
        writer.put(MULTIPATH, &hops);
        writer.put(VIA, &[&[10, 0], &[0x20_u8; 16][..]].concat());
        let mut own = Own::default();
        for message in crate::netlink::messages(writer.bytes()) {
            note(&message.unwrap(), &mut own).unwrap();
        }
        let expected = [
            "192.0.2.1",
            "192.0.2.2",
            "2020:2020:2020:2020:2020:2020:2020:2020",
        ];
        assert_eq!(
            own.gateways,
            expected.map(|one| one.parse::<IpAddr>().unwrap())
        );
    }

    proptest! {
        #[test]
        fn any_message_is_noted_or_malformed(body in proptest::collection::vec(any::<u8>(), 0..200), kind in 19_u16..27) {
            let message = Message { kind, flags: 0, sequence: 0, port: 0, body: &body };
            let mut own = Own::default();
            let _ = note(&message, &mut own);
            prop_assert!(own.addresses.len() + own.gateways.len() <= body.len());
        }
    }
}
