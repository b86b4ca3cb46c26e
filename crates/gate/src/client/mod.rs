//! Pure: who the client of a request is.
//!
//! A proxy that is trusted names him: by the PROXY protocol for a connection, by
//! a header for a request. Of a list of hops the last is what the proxy itself
//! saw, and whatever stands before it came from there; so hops are read from the
//! right, and the first that is no trusted proxy is the client.

pub(crate) mod forwarded;
pub(crate) mod proxy_protocol;
pub(crate) mod receive;
mod settings;

pub use settings::{NETWORKS_MAX, Named, Settings};

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// The proxies that are trusted, and how they name the client.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    networks: Vec<IpNet>,
    header: Option<Named>,
    proxy_protocol: bool,
}

impl Proxies {
    /// The proxies of these settings and of the text of their file.
    ///
    /// # Errors
    /// Which line of the file names no network, or that there are too many.
    pub(crate) fn new(settings: &Settings, file: &str) -> Result<Self, String> {
        let mut networks = Vec::new();
        for network in &settings.networks {
            networks.push(settings::plausible(*network)?);
        }
        for (number, line) in file.lines().enumerate() {
            let text = line.split('#').next().unwrap_or_default().trim();
            if !text.is_empty() {
                let listed = network(text).map_err(|why| format!("line {}: {why}", number + 1))?;
                networks.push(listed);
            }
        }
        if networks.len() > NETWORKS_MAX {
            let count = networks.len();
            return Err(format!(
                "there are {count} networks, the most is {NETWORKS_MAX}"
            ));
        }
        Ok(Self {
            networks,
            header: settings.header,
            proxy_protocol: settings.proxy_protocol,
        })
    }

    /// Whether an address is a trusted proxy's.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }

    /// Whether connections begin with the PROXY protocol.
    pub(crate) const fn proxy_protocol(&self) -> bool {
        self.proxy_protocol
    }

    /// The client of a request on a connection from `peer`: `peer` himself, unless a
    /// trusted proxy names another.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        let Some(header) = self.header.filter(|_| self.trusts(peer)) else {
            return peer;
        };
        let lines = headers.get_all(header.name());
        match header {
            Named::CfConnectingIp => {
                let mut lines = lines.iter();
                match (lines.next(), lines.next()) {
                    (Some(line), None) => listed(line.as_bytes()).unwrap_or(peer),
                    // None, or two that contradict one another.
                    _ => peer,
                }
            }
            Named::XForwardedFor => {
                let lines = lines.iter().rev();
                let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
                let hops = hops.filter(|hop| !hop.trim_ascii().is_empty());
                self.last_untrusted(peer, hops.map(listed))
            }
            Named::Forwarded => {
                let lines = lines.iter().rev();
                let hops = lines.flat_map(|line| forwarded::hops(line.as_bytes()));
                self.last_untrusted(peer, hops)
            }
        }
    }

    /// Whether somebody who is no proxy names a client all the same.
    pub(crate) fn is_forged(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        self.header
            .is_some_and(|header| headers.contains_key(header.name()) && !self.trusts(peer))
    }

    /// The first hop that is no trusted proxy. A hop without an address ends the
    /// search: what stands before it is not known to anyone trusted.
    fn last_untrusted(&self, peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut client = peer;
        for hop in hops {
            let Some(address) = hop else { break };
            client = address;
            if !self.trusts(address) {
                break;
            }
        }
        client
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => Ok(IpNet::from(address)),
        Err(_) => text.parse::<IpNet>(),
    };
    let shown = event::Shown(text);
    settings::plausible(network.map_err(|_| format!("\"{shown}\" is no network"))?)
}

/// An address as proxies write it in a list: also with a port, or in brackets.
fn listed(bytes: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(bytes.trim_ascii()).ok()?;
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address: Option<IpAddr> = text
        .parse()
        .ok()
        .or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
        .or_else(|| Some(IpAddr::V6(bracketed()?)));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests;
