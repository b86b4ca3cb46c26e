//! Pure: the PROXY protocol, version 2, as HAProxy specifies it ("The PROXY
//! protocol", section 2.2). Version 1 is not taken.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a header begins with. No TLS record does.
pub(crate) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes of the fixed part of a header.
pub(crate) const HEAD_BYTES: usize = 16;

/// Longest rest of a header that is read, in bytes: addresses, and what proxies
/// add behind them. The specification asks for 536 in all.
pub(crate) const REST_BYTES_MAX: usize = 4096;

/// Why a connection does not begin with such a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("there is no PROXY header of version 2")]
    Signature,
    #[error("the PROXY header has an unknown version")]
    Version,
    #[error("the PROXY header has an unknown command")]
    Command,
    #[error("the PROXY header is for no stream of bytes over IP")]
    Family,
    #[error("the PROXY header is too long")]
    TooLong,
    #[error("the PROXY header is too short for its addresses")]
    TooShort,
}

/// How many bytes follow the fixed part.
pub(crate) fn rest_bytes(head: &[u8; HEAD_BYTES]) -> Result<usize, Malformed> {
    if !head.starts_with(&SIGNATURE) {
        return Err(Malformed::Signature);
    }
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if length > REST_BYTES_MAX {
        return Err(Malformed::TooLong);
    }
    Ok(length)
}

/// The client that a header names; none where the proxy speaks for itself, such as
/// to see whether the gate is up, or does not know an IP address.
pub(crate) fn source(head: &[u8; HEAD_BYTES], rest: &[u8]) -> Result<Option<IpAddr>, Malformed> {
    if rest_bytes(head)? != rest.len() {
        return Err(Malformed::TooShort);
    }
    let (version, command) = (head[12] >> 4, head[12] & 0x0f);
    if version != 2 {
        return Err(Malformed::Version);
    }
    match command {
        // LOCAL: the rest is to be ignored.
        0 => return Ok(None),
        // PROXY
        1 => {}
        _ => return Err(Malformed::Command),
    }
    match head[13] {
        // TCP over IPv4: two addresses and two ports.
        0x11 => {
            let block: &[u8; 12] = rest.first_chunk().ok_or(Malformed::TooShort)?;
            let [a, b, c, d, ..] = *block;
            Ok(Some(Ipv4Addr::new(a, b, c, d).into()))
        }
        // TCP over IPv6.
        0x21 => {
            let block: &[u8; 36] = rest.first_chunk().ok_or(Malformed::TooShort)?;
            let source: &[u8; 16] = block.first_chunk().ok_or(Malformed::TooShort)?;
            Ok(Some(IpAddr::V6(Ipv6Addr::from(*source)).to_canonical()))
        }
        // Not specified, and a stream over a Unix socket.
        0x00 | 0x31 => Ok(None),
        _ => Err(Malformed::Family),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    /// A header that names this client, with more bytes behind the addresses.
    pub(crate) fn header(client: IpAddr, more: &[u8]) -> Vec<u8> {
        let (family, addresses) = match client {
            IpAddr::V4(v4) => (
                0x11,
                [&v4.octets()[..], &[127, 0, 0, 1], &[1, 2, 1, 187]].concat(),
            ),
            IpAddr::V6(v6) => (0x21, [&v6.octets()[..], &[0; 16], &[1, 2, 1, 187]].concat()),
        };
        written(0x21, family, &[&addresses, more].concat())
    }

    fn written(version_and_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [
            &SIGNATURE[..],
            &[version_and_command, family],
            &length,
            rest,
        ]
        .concat()
    }

    fn read(bytes: &[u8]) -> Result<Option<IpAddr>, Malformed> {
        let (head, rest) = bytes.split_first_chunk().unwrap();
        source(head, rest)
    }

    #[test]
    fn a_proxy_may_speak_for_itself() {
        assert_eq!(read(&written(0x20, 0x00, &[])), Ok(None));
        assert_eq!(read(&written(0x20, 0x11, b"anything")), Ok(None));
        assert_eq!(read(&written(0x21, 0x00, b"")), Ok(None));
        assert_eq!(read(&written(0x21, 0x31, &[0; 216])), Ok(None));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let wrong = |byte: usize, value: u8| {
            let mut header = header([192, 0, 2, 1].into(), b"");
            header[byte] = value;
            read(&header).unwrap_err()
        };
        assert_eq!(wrong(0, b'P'), Malformed::Signature);
        assert_eq!(wrong(11, b'\r'), Malformed::Signature);
        assert_eq!(wrong(12, 0x11), Malformed::Version);
        assert_eq!(wrong(12, 0x22), Malformed::Command);
        assert_eq!(wrong(13, 0x12), Malformed::Family);
        assert_eq!(wrong(13, 0x41), Malformed::Family);
        assert_eq!(wrong(13, 0x21), Malformed::TooShort);
        assert_eq!(wrong(14, 0xff), Malformed::TooLong);
        assert_eq!(wrong(15, 13), Malformed::TooShort);
        assert_eq!(
            read(&written(0x21, 0x11, &[1; 11])),
            Err(Malformed::TooShort)
        );
        assert_eq!(
            read(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
            Err(Malformed::Signature)
        );
    }

    #[test]
    fn a_mapped_address_is_ipv4() {
        let mapped = Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped();
        let read = read(&header(mapped.into(), b""));
        assert_eq!(read, Ok(Some([192, 0, 2, 1].into())));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(bits in any::<u128>(), is_v6: bool, more in proptest::collection::vec(any::<u8>(), 0..600)) {
            let client = if is_v6 {
                IpAddr::from(Ipv6Addr::from(bits))
            } else {
                IpAddr::from(Ipv4Addr::from(u32::try_from(bits >> 96).unwrap()))
            };
            prop_assert_eq!(read(&header(client, &more)), Ok(Some(client.to_canonical())));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(start: bool, mut bytes in proptest::collection::vec(any::<u8>(), 16..300)) {
            if start {
                bytes[..12].copy_from_slice(&SIGNATURE);
            }
            let (head, rest) = bytes.split_first_chunk().unwrap();
            if let Ok(Some(_)) = source(head, rest) {
                prop_assert!(head[12] == 0x21 && rest.len() >= 12);
                prop_assert_eq!(rest_bytes(head), Ok(rest.len()));
            }
        }
    }
}
