//! A private key with its certificate chain, read from PEM.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::name::Pattern;

/// Most certificates in one chain. Public ones have two or three.
const CHAIN_MAX: usize = 8;
/// Most names in one certificate that are looked at; public authorities allow 100.
const NAMES_MAX: usize = 1000;

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("it could not be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("it is longer than {0} bytes")]
    TooLong(u64),
    #[error("it is not PEM")]
    NotPem,
    #[error("it holds {0} private keys, and must hold one")]
    Keys(usize),
    #[error("it holds {0} certificates, and must hold 1 to {CHAIN_MAX}")]
    Chain(usize),
    #[error("its certificate cannot be read")]
    Certificate,
    #[error("its certificate is for no host")]
    Nameless,
    #[error("its key and its certificate cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

/// A private key with its certificate chain, and what the gate must know of it.
pub(crate) struct Pair {
    /// The file that it is from.
    pub(crate) file: String,
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) names: Vec<Pattern>,
    pub(crate) addresses: Vec<IpAddr>,
    /// From when and until when it is valid.
    pub(crate) begin: UnixTime,
    pub(crate) end: UnixTime,
}

impl Pair {
    /// Reads a PEM document with one private key and its chain, the host's own
    /// certificate first, and checks that the key belongs to it.
    pub(crate) fn from_pem(
        file: &str,
        document: &[u8],
        provider: &CryptoProvider,
    ) -> Result<Self, Unusable> {
        let (key, chain) = sections(document)?;
        let own = chain.first().ok_or(Unusable::Chain(0))?;
        let (rest, own) = X509Certificate::from_der(own).map_err(|_| Unusable::Certificate)?;
        if !rest.is_empty() {
            return Err(Unusable::Certificate);
        }
        let (names, addresses) = names(&own)?;
        let (begin, end) = (own.validity().not_before, own.validity().not_after);
        Ok(Self {
            file: file.to_owned(),
            names,
            addresses,
            begin: time(begin.timestamp()),
            end: time(end.timestamp()),
            key: Arc::new(CertifiedKey::from_der(chain.clone(), key, provider)?),
        })
    }

    /// Whether it is of an authority of this machine's own: no public one vouches for
    /// local names (Baseline Requirements, section 4.2.2).
    pub(crate) fn is_local(&self) -> bool {
        self.names.iter().any(|pattern| match pattern {
            Pattern::Exact(name) | Pattern::Below(name) => name.is_local(),
        })
    }

    /// The names and addresses that it is for, for people.
    pub(crate) fn hosts(&self) -> String {
        let names = self.names.iter().map(ToString::to_string);
        let addresses = self.addresses.iter().map(ToString::to_string);
        names.chain(addresses).collect::<Vec<_>>().join(", ")
    }

    /// The date until which it is valid, for people.
    pub(crate) fn ends(&self) -> String {
        let end = Duration::from_secs(self.end.as_secs());
        // What httpdate cannot write is beyond the year 9999: no end (RFC 5280, section 4.1.2.5).
        match std::time::UNIX_EPOCH.checked_add(end) {
            Some(end) if self.end.as_secs() < NO_END => httpdate::fmt_http_date(end),
            _ => "no date at all".to_owned(),
        }
    }
}

/// The first second of the year 9999, in which certificates end that never end.
const NO_END: u64 = 253_370_764_800;

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair")
            .field("file", &self.file)
            .field("hosts", &self.hosts())
            .field("ends", &self.ends())
            .finish_non_exhaustive()
    }
}

pub(super) type Sections = (PrivateKeyDer<'static>, Vec<CertificateDer<'static>>);

/// Takes a document apart. Anything but keys and certificates is passed over, such as
/// the parameters that openssl(1) writes before a key.
pub(super) fn sections(document: &[u8]) -> Result<Sections, Unusable> {
    let (mut keys, mut chain) = (Vec::new(), Vec::new());
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(document) {
        let (kind, content) = section.map_err(|_: pem::Error| Unusable::NotPem)?;
        match kind {
            SectionKind::Certificate => chain.push(CertificateDer::from(content)),
            SectionKind::PrivateKey => keys.push(PrivateKeyDer::Pkcs8(content.into())),
            SectionKind::EcPrivateKey => keys.push(PrivateKeyDer::Sec1(content.into())),
            SectionKind::RsaPrivateKey => keys.push(PrivateKeyDer::Pkcs1(content.into())),
            _ => {}
        }
    }
    if keys.is_empty() && chain.is_empty() {
        return Err(Unusable::NotPem);
    }
    if !(1..=CHAIN_MAX).contains(&chain.len()) {
        return Err(Unusable::Chain(chain.len()));
    }
    match (keys.pop(), keys.len()) {
        (Some(key), 0) => Ok((key, chain)),
        (last, others) => Err(Unusable::Keys(others + usize::from(last.is_some()))),
    }
}

fn names(certificate: &X509Certificate<'_>) -> Result<(Vec<Pattern>, Vec<IpAddr>), Unusable> {
    let extension = certificate.subject_alternative_name();
    let extension = extension.map_err(|_| Unusable::Certificate)?;
    let listed = extension.map_or(&[][..], |extension| &extension.value.general_names);
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    for name in listed.iter().take(NAMES_MAX) {
        match name {
            GeneralName::DNSName(name) => names.extend(Pattern::new(name)),
            GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
            _ => {}
        }
    }
    if names.is_empty() && addresses.is_empty() {
        return Err(Unusable::Nameless);
    }
    Ok((names, addresses))
}

/// An address as certificates hold it, in network byte order (RFC 5280, section 4.2.1.6).
fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(four));
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

fn time(seconds: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}
