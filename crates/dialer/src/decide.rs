//! Pure: what a caller may reach. Nothing is looked up or connected to here.

use std::net::IpAddr;

use crate::address::{Kind, kind};
use crate::config::Reach;
use crate::host::{Host, HostError};

/// Most addresses of one name that are tried.
pub const ADDRESSES_MAX: usize = 8;

/// Why a caller may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The host cannot be read.
    #[error(transparent)]
    Host(#[from] HostError),
    /// No declaration covers it.
    #[error("{host} port {port} is not declared for `{caller}`")]
    NotDeclared {
        /// Who asked.
        caller: String,
        /// For what host.
        host: Host,
        /// And port.
        port: u16,
    },
    /// A declaration covers the name, but not where it leads.
    #[error("{host} leads to {address} ({kind}), which its declaration does not permit")]
    Address {
        /// The name.
        host: Host,
        /// The first address that was refused.
        address: IpAddr,
        /// What that address is.
        kind: Kind,
    },
}

/// The declaration that lets `caller` reach `host` at `port`.
///
/// # Errors
/// [`Denial::Host`] and [`Denial::NotDeclared`].
pub fn may_reach<'a>(
    reaches: &'a [Reach],
    caller: &str,
    host: &str,
    port: u16,
) -> Result<&'a Reach, Denial> {
    let host: Host = host.parse()?;
    let covers =
        |reach: &&Reach| reach.unit == caller && reach.host == host && reach.ports.contains(&port);
    reaches
        .iter()
        .find(covers)
        .ok_or_else(|| Denial::NotDeclared {
            caller: caller.to_owned(),
            host,
            port,
        })
}

/// Whether a declaration permits this address.
#[must_use]
pub fn permits(reach: &Reach, address: IpAddr) -> bool {
    match kind(address) {
        Kind::Public => true,
        Kind::Private(_) => reach.private,
        Kind::Metadata => reach.private && reach.host == Host::Address(address),
        Kind::Unusable(_) => false,
    }
}

/// Those of the addresses of a declared host that may be connected to: at most
/// [`ADDRESSES_MAX`], each once, IPv6 and IPv4 in turn as RFC 8305 asks
/// (section 4), in the order in which they came otherwise.
///
/// # Errors
/// [`Denial::Address`] when there are addresses and none is permitted.
pub fn usable(reach: &Reach, addresses: &[IpAddr]) -> Result<Vec<IpAddr>, Denial> {
    let mut permitted: Vec<IpAddr> = Vec::new();
    for address in addresses {
        if permits(reach, *address) && !permitted.contains(address) {
            permitted.push(*address);
        }
    }
    match addresses.first() {
        Some(address) if permitted.is_empty() => Err(Denial::Address {
            host: reach.host.clone(),
            address: *address,
            kind: kind(*address),
        }),
        _ => Ok(in_turn(&permitted)),
    }
}

fn in_turn(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let mut six = addresses.iter().copied().filter(IpAddr::is_ipv6);
    let mut four = addresses.iter().copied().filter(IpAddr::is_ipv4);
    let mut ordered = Vec::new();
    while ordered.len() < ADDRESSES_MAX {
        let (one, other) = (six.next(), four.next());
        if one.is_none() && other.is_none() {
            break;
        }
        ordered.extend(one);
        ordered.extend(other);
    }
    ordered.truncate(ADDRESSES_MAX);
    ordered
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reach(unit: &str, host: &str, ports: &[u16], private: bool) -> Reach {
        Reach {
            unit: unit.to_owned(),
            host: host.parse().unwrap(),
            ports: ports.to_vec(),
            private,
        }
    }

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn only_what_is_declared_for_the_caller_is_reached() {
        let reaches = [
            reach("llm", "api.example.com", &[443], false),
            reach("mailer", "mail.example.com", &[465, 587], false),
            reach("llm", "10.1.2.3", &[8080], true),
        ];
        let may = |caller, host, port| may_reach(&reaches, caller, host, port);
        assert_eq!(may("llm", "API.example.com.", 443).unwrap(), &reaches[0]);
        assert_eq!(may("mailer", "mail.example.com", 587).unwrap(), &reaches[1]);
        assert_eq!(may("llm", "10.1.2.3", 8080).unwrap(), &reaches[2]);
        for (caller, host, port) in [
            ("llm", "api.example.com", 80),
            ("mailer", "api.example.com", 443),
            ("LLM", "api.example.com", 443),
            ("llm", "example.com", 443),
            ("llm", "x.api.example.com", 443),
            ("llm", "api.example.com.evil.example", 443),
            ("llm", "10.1.2.4", 8080),
            ("llm", "::ffff:10.1.2.3", 8080),
        ] {
            assert!(
                matches!(may(caller, host, port), Err(Denial::NotDeclared { .. })),
                "{caller} {host} {port}"
            );
        }
        assert!(matches!(
            may("llm", "api.exämple.com", 443),
            Err(Denial::Host(_))
        ));
    }

    #[test]
    fn an_inner_address_needs_a_declaration_and_metadata_its_own() {
        let (open, inner) = (
            reach("llm", "a.example", &[1], false),
            reach("llm", "a.example", &[1], true),
        );
        let literal = reach("llm", "169.254.169.254", &[80], true);
        let near = addresses(&["10.0.0.1"]);
        let metadata = addresses(&["169.254.169.254"]);
        assert!(matches!(usable(&open, &near), Err(Denial::Address { .. })));
        assert_eq!(usable(&inner, &near).unwrap(), near);
        assert!(matches!(
            usable(&inner, &metadata),
            Err(Denial::Address { .. })
        ));
        assert_eq!(usable(&literal, &metadata).unwrap(), metadata);
        assert!(usable(&inner, &addresses(&["0.0.0.0", "224.0.0.1"])).is_err());
    }

    #[test]
    fn families_take_turns_and_inner_addresses_drop_out() {
        let open = reach("llm", "a.example", &[1], false);
        let found = addresses(&[
            "1.1.1.1",
            "2.2.2.2",
            "127.0.0.1",
            "1.1.1.1",
            "2a00::1",
            "::1",
        ]);
        assert_eq!(
            usable(&open, &found).unwrap(),
            addresses(&["2a00::1", "1.1.1.1", "2.2.2.2"])
        );
        assert_eq!(usable(&open, &[]).unwrap(), addresses(&[]));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_a_declaration_says_all_of_it(
            unit in "[ab]", host in "[ab]\\.[xy]", ports in proptest::collection::vec(1_u16..4, 1..3),
            caller in "[abAB]|", asked in "[abAB]\\.[xyXY]\\.?|\\PC{0,20}", port in 0_u16..5,
        ) {
            let reaches = [reach(&unit, &host, &ports, false)];
            if let Ok(found) = may_reach(&reaches, &caller, &asked, port) {
                prop_assert_eq!(&found.unit, &caller);
                prop_assert!(found.ports.contains(&port));
                prop_assert_eq!(asked.strip_suffix('.').unwrap_or(&asked).to_ascii_lowercase(), host);
            }
        }

        #[test]
        fn no_address_is_used_that_its_kind_forbids(
            found in proptest::collection::vec(any::<IpAddr>(), 0..20), near: u8, private: bool,
        ) {
            let mut found = found;
            found.push(IpAddr::from([10, 0, 0, near]));
            let reach = reach("llm", "a.example", &[443], private);
            if let Ok(used) = usable(&reach, &found) {
                prop_assert!(used.len() <= ADDRESSES_MAX);
                for address in used {
                    prop_assert!(found.contains(&address));
                    let fits = matches!((kind(address), private), (Kind::Public, _) | (Kind::Private(_), true));
                    prop_assert!(fits, "{address}");
                }
            }
        }
    }
}
