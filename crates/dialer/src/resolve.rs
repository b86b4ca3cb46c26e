//! Finds the addresses of a name: hosts(5) first, then the name servers of
//! resolv.conf(5).
//!
//! Names are taken as complete; `search` in resolv.conf does not apply, since
//! a declaration means exactly the name that it has. Both files are read for
//! each name, so that a change of networks needs no restart.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dialer_api::RESOLVE_TIME;
use hickory_resolver::Resolver as Stub;
use hickory_resolver::config::{ConnectionConfig, ResolveHosts};
use hickory_resolver::net::NetError;
use hickory_resolver::system_conf::parse_resolv_conf;

use crate::hosts;
use crate::unbound::Unbound;

/// Where the system says which name servers there are.
pub const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Where the system names hosts by itself.
pub const HOSTS: &str = "/etc/hosts";

/// Most bytes of either file that are read.
const FILE_BYTES: u64 = 1024 * 1024;

/// The port of name servers.
const DNS_PORT: u16 = 53;

/// How long one name server may take before the next attempt, so that several
/// fit into [`RESOLVE_TIME`].
const ATTEMPT_TIME: Duration = Duration::from_secs(2);

/// Why a name has no addresses.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// There is no such name, or nothing connects by it.
    #[error("the name has no address")]
    NotFound,
    /// There is nobody to ask.
    #[error("{path} names no name server that can be used: {why}")]
    NoServer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The name servers did not help.
    #[error("the name servers gave no answer")]
    Failed(#[source] Box<NetError>),
    /// Too slow.
    #[error("the name servers did not answer within {RESOLVE_TIME:?}")]
    TimedOut,
}

/// Finds addresses. Answers of name servers are kept for as long as they say.
#[derive(Debug)]
pub struct Resolver {
    resolv_conf: PathBuf,
    hosts: PathBuf,
    port: u16,
    dns: Mutex<Option<Dns>>,
}

#[derive(Clone)]
struct Dns {
    made_from: String,
    resolver: Stub<Unbound>,
}

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dns").finish_non_exhaustive()
    }
}

impl Default for Resolver {
    /// The resolver that the system's own files describe.
    fn default() -> Self {
        Self::of(RESOLV_CONF, HOSTS, DNS_PORT)
    }
}

impl Resolver {
    /// A resolver that reads these files and asks name servers at `port`.
    pub fn of(resolv_conf: impl Into<PathBuf>, hosts: impl Into<PathBuf>, port: u16) -> Self {
        Self {
            resolv_conf: resolv_conf.into(),
            hosts: hosts.into(),
            port,
            dns: Mutex::new(None),
        }
    }

    /// All addresses of `name`, which is canonical ([`crate::host::Host::Name`]).
    /// Takes at most [`RESOLVE_TIME`].
    ///
    /// # Errors
    /// As [`ResolveError`] lists.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let named = hosts::addresses(&read(&self.hosts).unwrap_or_default(), name);
        if !named.is_empty() {
            return Ok(named);
        }
        // RFC 6761, 6.3: never asked of a name server.
        if name == "localhost" || name.ends_with(".localhost") {
            return Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
        }
        let resolver = self.dns()?;
        // The dot says that the name is complete.
        let found = tokio::time::timeout(RESOLVE_TIME, resolver.lookup_ip(format!("{name}.")))
            .await
            .map_err(|_| ResolveError::TimedOut)?;
        match found {
            Ok(found) => {
                let found: Vec<IpAddr> = found.iter().collect();
                if found.is_empty() {
                    Err(ResolveError::NotFound)
                } else {
                    Ok(found)
                }
            }
            Err(NetError::Timeout) => Err(ResolveError::TimedOut),
            Err(error) if error.is_nx_domain() || error.is_no_records_found() => {
                Err(ResolveError::NotFound)
            }
            Err(error) => Err(ResolveError::Failed(Box::new(error))),
        }
    }

    /// The resolver for resolv.conf as it now is.
    fn dns(&self) -> Result<Stub<Unbound>, ResolveError> {
        let fail = |why: String| ResolveError::NoServer {
            path: self.resolv_conf.clone(),
            why,
        };
        let text = read(&self.resolv_conf).map_err(|error| fail(error.to_string()))?;
        let mut dns = self.dns.lock().unwrap_or_else(PoisonError::into_inner);
        match &*dns {
            Some(made) if made.made_from == text => Ok(made.resolver.clone()),
            _ => {
                let resolver = build(&text, self.port).map_err(|error| fail(error.to_string()))?;
                *dns = Some(Dns {
                    made_from: text,
                    resolver: resolver.clone(),
                });
                Ok(resolver)
            }
        }
    }
}

/// Opens where the resolver's random numbers come from, to be called before
/// confinement: a static program finds the system call's wrapper by no dlsym(3),
/// so its libraries read /dev/urandom, and keep it open from their first use on.
pub fn open_random() {
    // Without it names cannot be resolved, and each such call says so.
    let _ = getrandom::u32();
}

fn build(resolv_conf: &str, port: u16) -> Result<Stub<Unbound>, NetError> {
    let (mut config, mut options) = parse_resolv_conf(resolv_conf)?;
    for server in &mut config.name_servers {
        let at_port = |connection: &mut ConnectionConfig| connection.port = port;
        server.connections.iter_mut().for_each(at_port);
    }
    options.os_port_selection = true;
    options.use_hosts_file = ResolveHosts::Never;
    options.timeout = options.timeout.min(ATTEMPT_TIME);
    Stub::builder_with_config(config, Unbound::default())
        .with_options(options)
        .build()
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(FILE_BYTES)
        .read_to_string(&mut text)?;
    Ok(text)
}
