//! TLS 1.3 (RFC 8446) by rustls with aws-lc-rs: the certificates in use, and the
//! settings of every handshake.

mod certificates;
mod challenge;
mod folder;
mod name;
mod pair;
mod settings;
mod sources;

use std::error::Error as _;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::UnixTime;

pub(crate) use certificates::warning;
pub(crate) use folder::bounded;
pub(crate) use name::{Host, Pattern};
pub(crate) use pair::Pair;
pub(crate) use settings::provider;
pub use sources::Sources;

use crate::{Error, config};
use certificates::{Certificates, renewed};

/// The protocol of the TLS-ALPN-01 challenge (RFC 8737, section 6.2).
const ACME: &[u8] = b"acme-tls/1";

/// All that handshakes are made with.
#[derive(Debug)]
pub(crate) struct Tls {
    sources: Sources,
    provider: Arc<CryptoProvider>,
    in_use: Arc<InUse>,
    settings: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the certificates. One that cannot be used is logged and left out.
    ///
    /// # Errors
    /// When none can be used, or the authority of visitors' certificates can't.
    pub(crate) fn new(sources: Sources, config: &config::Tls) -> Result<Self, Error> {
        let provider = Arc::new(provider());
        let (certificates, troubles) = renewed(sources.read()?, None, &provider);
        for trouble in troubles {
            tracing::error!("{trouble}");
        }
        let certificates = certificates.ok_or(Error::NoCertificate)?;
        warn(&certificates);
        let in_use = Arc::new(InUse(RwLock::new(Arc::new(certificates))));
        let resolver: Arc<dyn ResolvesServerCert> = in_use.clone();
        let settings = settings::visitors(&provider, resolver, config)?;
        Ok(Self {
            sources,
            provider,
            in_use,
            settings: Arc::new(settings),
        })
    }

    /// Reads the certificates anew and checks them all; then new handshakes use them,
    /// while connections go on, and tickets stay good. Blocks for as long as that takes.
    ///
    /// # Errors
    /// When nothing could be read; then all of the old ones stay in use.
    pub(crate) fn reload(&self) -> Result<(), Error> {
        let old = self.in_use.get();
        let stay = |error: Error| {
            let cause = error.source().map(|cause| format!(" ({cause})"));
            tracing::error!(
                "no certificate could be read anew{}, so those in use stay; the first of them to end, for {}, is valid until {}",
                cause.unwrap_or_default(),
                old.ends_first().hosts(),
                old.ends_first().ends()
            );
            error
        };
        let files = self.sources.read().map_err(stay)?;
        let (new, troubles) = renewed(files, Some(&old), &self.provider);
        for trouble in troubles {
            tracing::error!("{trouble}");
        }
        let new = new.ok_or(Error::NoCertificate).map_err(stay)?;
        warn(&new);
        self.in_use.set(new);
        Ok(())
    }

    /// What `systemctl status` says.
    pub(crate) fn status(&self) -> String {
        let certificates = self.in_use.get();
        let count = certificates.pairs().count();
        let first = certificates.ends_first();
        format!(
            "serving HTTPS with {count} certificate{}; the first to end, for {}, is valid until {}",
            if count == 1 { "" } else { "s" },
            first.hosts(),
            first.ends()
        )
    }

    /// Whether there is a certificate for a host.
    pub(crate) fn covers(&self, host: &Host) -> bool {
        self.in_use.get().covers(host)
    }

    /// How visitors' handshakes are made.
    pub(crate) fn visitors(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.settings)
    }

    /// Where the answers to challenges are.
    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// How a handshake is made that is an authority's challenge. None where it is no
    /// challenge, or one that nobody expects: the visitors' settings then refuse it, as
    /// they have no such protocol.
    pub(crate) async fn challenge(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        let mut protocols = hello.alpn()?;
        if protocols.next() != Some(ACME) || protocols.next().is_some() {
            return None;
        }
        let name = name::DnsName::new(hello.server_name()?)?;
        let key = challenge::read(self.sources.challenge_folder()?, &name, &self.provider).await?;
        settings::challenge(&self.provider, key).ok().map(Arc::new)
    }
}

/// The certificates that new handshakes use.
#[derive(Debug)]
struct InUse(RwLock<Arc<Certificates>>);

impl InUse {
    fn get(&self) -> Arc<Certificates> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, certificates: Certificates) {
        let mut in_use = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *in_use = Arc::new(certificates);
    }
}

impl ResolvesServerCert for InUse {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let certificates = self.get();
        Some(Arc::clone(
            &certificates.for_visitor(hello.server_name()).key,
        ))
    }
}

fn warn(certificates: &Certificates) {
    let now = UnixTime::now();
    for warning in certificates.pairs().filter_map(|pair| warning(pair, now)) {
        tracing::warn!("{warning}");
    }
}
