//! Pure: all certificates in use, which one a visitor gets, and what a reload makes of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls_pki_types::UnixTime;

use super::folder::File;
use super::name::{DnsName, Host, Pattern};
use super::pair::{Pair, Unusable};

/// At least one certificate, found by the name that a visitor asks for.
#[derive(Debug)]
pub(crate) struct Certificates {
    exact: HashMap<String, Arc<Pair>>,
    /// By what stands behind `*.`.
    below: HashMap<String, Arc<Pair>>,
    addresses: HashMap<IpAddr, Arc<Pair>>,
    /// For visitors that name no host, or one that there is no certificate for.
    default: Arc<Pair>,
    /// By file.
    pairs: BTreeMap<String, Arc<Pair>>,
}

impl Certificates {
    /// Orders them. Where several are for one host, one of a public authority goes
    /// before one of the machine's own, then the one that ends last, then the first
    /// by its file's name. The default is the first file that is for `localhost`, or
    /// else the first. None where there are none.
    pub(crate) fn of(pairs: impl IntoIterator<Item = Arc<Pair>>) -> Option<Self> {
        let pairs: BTreeMap<_, _> = pairs
            .into_iter()
            .map(|pair| (pair.file.clone(), pair))
            .collect();
        let local = |pair: &&Arc<Pair>| {
            let is_localhost = |pattern: &Pattern| matches!(pattern, Pattern::Exact(name) if name.as_str() == "localhost");
            pair.names.iter().any(is_localhost)
        };
        let first = pairs.values().find(local).or(pairs.values().next())?;
        let default = Arc::clone(first);
        let mut best: Vec<_> = pairs.values().collect();
        best.sort_by_key(|pair| (pair.is_local(), Reverse(pair.end.as_secs()), &pair.file));
        let (mut exact, mut below, mut addresses) =
            <(HashMap<_, _>, HashMap<_, _>, HashMap<_, _>)>::default();
        for pair in best {
            for pattern in &pair.names {
                let (names, name) = match pattern {
                    Pattern::Exact(name) => (&mut exact, name),
                    Pattern::Below(name) => (&mut below, name),
                };
                names
                    .entry(name.as_str().to_owned())
                    .or_insert_with(|| Arc::clone(pair));
            }
            for address in &pair.addresses {
                addresses
                    .entry(*address)
                    .or_insert_with(|| Arc::clone(pair));
            }
        }
        Some(Self {
            exact,
            below,
            addresses,
            default,
            pairs,
        })
    }

    /// The certificate for a name: its own, or one of a wildcard, which stands for one
    /// label and no more.
    pub(crate) fn named(&self, name: &DnsName) -> Option<&Arc<Pair>> {
        let wildcard = || self.below.get(name.parent()?);
        self.exact.get(name.as_str()).or_else(wildcard)
    }

    /// What a visitor gets that asks for `name` by SNI (RFC 6066), or for none.
    pub(crate) fn for_visitor(&self, name: Option<&str>) -> &Arc<Pair> {
        let name = name.and_then(DnsName::new);
        name.and_then(|name| self.named(&name))
            .unwrap_or(&self.default)
    }

    /// Whether there is a certificate for a host.
    pub(crate) fn covers(&self, host: &Host) -> bool {
        match host {
            Host::Name(name) => self.named(name).is_some(),
            Host::Address(address) => self.addresses.contains_key(address),
        }
    }

    /// All of them, by file.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = &Arc<Pair>> {
        self.pairs.values()
    }

    /// The one that ends first.
    pub(crate) fn ends_first(&self) -> &Pair {
        let first = self.pairs.values().min_by_key(|pair| pair.end.as_secs());
        first.unwrap_or(&self.default)
    }
}

/// What is wrong with one file, and what is done about it.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) file: String,
    pub(crate) why: Unusable,
    /// What was in use before from the same file and stays so.
    pub(crate) stays: Option<Arc<Pair>>,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, why, stays } = self;
        match stays {
            Some(pair) => write!(
                f,
                "the certificate in {file} is not used, as {why}; the one before, for {}, stays in use and is valid until {}",
                pair.hosts(),
                pair.ends()
            ),
            None => write!(
                f,
                "the certificate in {file} is not used, as {why}; there is none from that file to stay in use"
            ),
        }
    }
}

/// Reads all files and says what is to be used from now on: of each file what it holds,
/// or, where that is unusable, what was used of it before. So a file that is broken
/// keeps no other from being renewed. None when nothing is left.
pub(crate) fn renewed(
    files: Vec<File>,
    old: Option<&Certificates>,
    provider: &CryptoProvider,
) -> (Option<Certificates>, Vec<Trouble>) {
    let (mut pairs, mut troubles) = (Vec::new(), Vec::new());
    for File { name, content } in files {
        let read = content.and_then(|content| Pair::from_pem(&name, &content, provider));
        match read {
            Ok(pair) => pairs.push(Arc::new(pair)),
            Err(why) => {
                let stays = old.and_then(|old| old.pairs.get(&name)).cloned();
                pairs.extend(stays.clone());
                let file = name;
                troubles.push(Trouble { file, why, stays });
            }
        }
    }
    (Certificates::of(pairs), troubles)
}

/// What an operator should know of a certificate that is in use `now`, though it can
/// be used.
pub(crate) fn warning(pair: &Pair, now: UnixTime) -> Option<String> {
    let (hosts, file) = (pair.hosts(), &pair.file);
    if now.as_secs() > pair.end.as_secs() {
        let ended = pair.ends();
        return Some(format!(
            "the certificate for {hosts} in {file} ended on {ended}; browsers refuse it"
        ));
    }
    if now.as_secs() < pair.begin.as_secs() {
        return Some(format!(
            "the certificate for {hosts} in {file} is not valid yet; browsers refuse it, or this machine's clock is behind"
        ));
    }
    None
}

#[cfg(test)]
mod tests;
