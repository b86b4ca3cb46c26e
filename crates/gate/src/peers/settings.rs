//! `[appliance]` and `[[appliances]]` in `gate.toml`: this appliance, and others that serve the same bots.

use std::collections::HashSet;

use chat_api::BotName;
use http::uri::Authority;
use rustls_pki_types::{DnsName, ServerName};
use serde::Deserialize;

/// Most other appliances.
const APPLIANCES_MAX: usize = 32;

/// Longest name, in bytes.
const NAME_BYTES: usize = 63;

/// This appliance.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Own {
    /// Its name, which its certificate bears and by which the others know it.
    pub name: String,
    /// Whether it is about to be taken away: the others give it no new conversations.
    pub drain: bool,
}

/// Another appliance.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Other {
    /// Its name, which its certificate must bear.
    pub name: String,
    /// The host and port on which its gate listens for others, such as `south.example:9443`.
    pub address: String,
    /// The bots that it serves; all, where there is no such list.
    #[serde(default)]
    pub bots: Option<Vec<BotName>>,
}

impl Other {
    /// The host and the port to connect to.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub(crate) fn host_and_port(&self) -> Result<(String, u16), String> {
        let authority = self.address.parse::<Authority>().ok();
        authority
            .filter(|authority| !authority.as_str().contains('@'))
            .and_then(|authority| Some((authority.host().to_owned(), authority.port_u16()?)))
            .filter(|(host, port)| !host.is_empty() && *port != 0)
            .ok_or_else(|| {
                format!(
                    "`appliances.address` of {:?} is {:?}; it must be a host and a port, such as \"south.example:9443\"",
                    self.name, self.address
                )
            })
    }
}

/// Rejects appliances that could not be told apart or reached.
///
/// # Errors
/// A sentence that names the key.
pub(crate) fn check(own: &Own, others: &[Other]) -> Result<(), String> {
    if others.len() > APPLIANCES_MAX {
        return Err(format!(
            "`appliances` names {} of them; {APPLIANCES_MAX} is the most",
            others.len()
        ));
    }
    if !own.name.is_empty() || !others.is_empty() {
        named("appliance.name", &own.name)?;
    }
    let mut names = HashSet::from([&*own.name]);
    for other in others {
        named("appliances.name", &other.name)?;
        if !names.insert(&other.name) {
            return Err(format!(
                "`appliances.name` {:?} names this appliance or one that was named before; each needs a name of its own",
                other.name
            ));
        }
        other.host_and_port()?;
    }
    Ok(())
}

fn named(key: &str, name: &str) -> Result<(), String> {
    let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
    if name.len() <= NAME_BYTES && is_lower && DnsName::try_from(name).is_ok() {
        return Ok(());
    }
    Err(format!(
        "`{key}` is {name:?}; it must be the name in the appliance's certificate, of 1 to {NAME_BYTES} lower-case letters, \
         digits, hyphens and dots, the same on all appliances"
    ))
}

/// A name as certificates are checked for it.
pub(crate) fn server_name(name: &str) -> Option<ServerName<'static>> {
    DnsName::try_from(name.to_owned())
        .ok()
        .map(ServerName::DnsName)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use crate::Config;

    fn checked(text: &str) -> Result<(), String> {
        daemon::parse::<Config>(text).and_then(|config| config.check())
    }

    const NORTH: &str = "[appliance]\nname = 'north'\n";

    #[test]
    fn appliances_are_named_and_reached() {
        checked("").unwrap();
        checked(NORTH).unwrap();
        for address in ["south.example:9443", "192.0.2.1:1", "[2001:db8::1]:9443"] {
            let other =
                format!("[[appliances]]\nname = 'south'\naddress = '{address}'\nbots = ['shop']");
            checked(&format!("{NORTH}{other}")).unwrap();
        }
    }

    #[test]
    fn what_is_wrong_names_its_key() {
        for (name, address, key) in [
            ("north", "a:1", "`appliances.name`"),
            ("", "a:1", "`appliances.name`"),
            ("South", "a:1", "`appliances.name`"),
            ("a b", "a:1", "`appliances.name`"),
            ("south", "a", "`appliances.address`"),
            ("south", "a:0", "`appliances.address`"),
            ("south", "a:65536", "`appliances.address`"),
            ("south", ":1", "`appliances.address`"),
            ("south", "https://a:1", "`appliances.address`"),
            ("south", "x@a:1", "`appliances.address`"),
        ] {
            let other = format!("[[appliances]]\nname = '{name}'\naddress = '{address}'");
            let why = checked(&format!("{NORTH}{other}")).unwrap_err();
            assert!(why.contains(key), "{name} {address}: {why}");
            let why = checked(&other).unwrap_err();
            assert!(why.contains("`appliance.name`"), "{why}");
        }
        let twice = "[[appliances]]\nname = 'south'\naddress = 'a:1'\n".repeat(2);
        assert!(checked(&format!("{NORTH}{twice}")).is_err());
        let many: String = (0..33)
            .map(|number| format!("[[appliances]]\nname = 's{number}'\naddress = 'a:1'\n"))
            .collect();
        assert!(
            checked(&format!("{NORTH}{many}"))
                .unwrap_err()
                .contains("`appliances`")
        );
    }

    proptest! {
        #[test]
        fn whatever_passes_can_be_dialled_and_checked(name in "[a-zA-Z0-9._-]{0,70}", address in "\\PC{0,30}") {
            let other = super::Other { name, address, bots: None };
            let own = super::Own { name: "own".to_owned(), drain: false };
            if super::check(&own, std::slice::from_ref(&other)).is_ok() {
                prop_assert!(super::server_name(&other.name).is_some());
                let (host, port) = other.host_and_port().unwrap();
                prop_assert!(!host.is_empty() && port > 0 && !host.contains('@'));
            }
        }
    }
}
