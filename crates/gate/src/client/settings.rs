//! `[proxies]` in `gate.toml`: who may say for whom he speaks.

use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

/// Networks that are trusted at most, in `networks` and the file together.
pub const NETWORKS_MAX: usize = 4096;

/// The proxies in front of the gate. By default there are none.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The networks that proxies speak from.
    pub networks: Vec<IpNet>,
    /// A file with more of them, one a line, such as a CDN publishes; `#` begins a
    /// comment. The unit shows the gate `/etc/casemate/proxies.txt` and no other.
    pub networks_file: Option<PathBuf>,
    /// The header in which they name the client.
    pub header: Option<Named>,
    /// Whether they begin each connection, encrypted or not, with a header of the PROXY
    /// protocol, version 2.
    pub proxy_protocol: bool,
}

/// A header that names the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    /// One address, as Cloudflare sends it.
    CfConnectingIp,
    /// RFC 7239.
    Forwarded,
    /// A list of addresses, the last hop last.
    XForwardedFor,
}

impl Named {
    /// The header's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CfConnectingIp => "cf-connecting-ip",
            Self::Forwarded => "forwarded",
            Self::XForwardedFor => "x-forwarded-for",
        }
    }
}

impl Settings {
    /// Rejects what would trust nobody or everybody.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub fn check(&self) -> Result<(), String> {
        let none = self.networks.is_empty() && self.networks_file.is_none();
        if none && self.header.is_some() {
            return Err("`proxies.header` is set, but nobody is trusted to send it; set `proxies.networks`, too".into());
        }
        if none && self.proxy_protocol {
            return Err("`proxies.proxy_protocol` is set, but nobody is trusted to speak it; set `proxies.networks`, too".into());
        }
        if self
            .networks_file
            .as_ref()
            .is_some_and(|path| !path.is_absolute())
        {
            return Err("`proxies.networks_file` is not an absolute path".into());
        }
        self.networks
            .iter()
            .try_for_each(|network| plausible(*network).map(|_| ()))
            .map_err(|why| format!("`proxies.networks`: {why}"))
    }
}

/// A network as it is compared: IPv4-mapped IPv6 (RFC 4291, 2.5.5.2) is IPv4.
///
/// # Errors
/// When it is everybody.
pub(crate) fn plausible(network: IpNet) -> Result<IpNet, String> {
    if network.prefix_len() == 0 {
        return Err(format!(
            "{network} is everybody: any client could give himself any address"
        ));
    }
    if let IpNet::V6(v6) = network
        && let (Some(v4), Some(length)) = (
            v6.network().to_ipv4_mapped(),
            v6.prefix_len().checked_sub(96),
        )
    {
        return ipnet::Ipv4Net::new(v4, length)
            .map_err(|error| error.to_string())
            .and_then(|v4| plausible(v4.into()));
    }
    Ok(network)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Settings, String> {
        let settings: Settings = daemon::parse(text)?;
        settings.check()?;
        Ok(settings)
    }

    #[test]
    fn nobody_is_trusted_by_default() {
        let none = settings("").unwrap();
        assert!(none.networks.is_empty() && none.header.is_none() && !none.proxy_protocol);
    }

    #[test]
    fn every_key_is_read() {
        let all = settings(
            "networks = ['10.0.0.0/8', '2001:db8::/32']\nnetworks_file = '/etc/casemate/proxies.txt'\n\
             header = 'x-forwarded-for'\nproxy_protocol = true",
        )
        .unwrap();
        assert_eq!(all.networks.len(), 2);
        assert_eq!(all.header, Some(Named::XForwardedFor));
        for named in [Named::CfConnectingIp, Named::Forwarded] {
            let text = format!("networks = ['10.0.0.0/8']\nheader = '{}'", named.name());
            assert_eq!(settings(&text).unwrap().header, Some(named));
        }
    }

    #[test]
    fn what_trusts_nobody_or_everybody_is_refused() {
        for (text, said) in [
            ("header = 'forwarded'", "nobody is trusted to send it"),
            ("proxy_protocol = true", "nobody is trusted to speak it"),
            ("networks = ['0.0.0.0/0']", "is everybody"),
            ("networks = ['::/0']", "is everybody"),
            ("networks = ['::ffff:0:0/96']", "is everybody"),
            ("networks = ['10.0.0.0/33']", "networks"),
            ("networks_file = 'proxies.txt'", "not an absolute path"),
            ("headr = 'forwarded'", "did you mean `header`?"),
        ] {
            let error = settings(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
