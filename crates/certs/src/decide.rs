//! Pure: whether a new local certificate is due. What is there, and `now`, are given.

use std::collections::BTreeSet;
use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::aws_lc_rs::ECDSA_P256_SHA256;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// How long before its end a certificate is replaced, so that a machine that
/// was off for weeks or a renewal that failed does not turn visitors away.
pub const RENEW_BEFORE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The certificates that are in their places.
#[derive(Debug, Default, Clone)]
pub struct Present {
    /// `ca.pem`, if there is one.
    pub ca: Option<Vec<u8>>,
    /// `chain.pem`, if there is one.
    pub chain: Option<Vec<u8>>,
}

/// Why a certificate is due.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Due {
    /// The first one.
    #[error("there is none yet")]
    None,
    /// What is there cannot be used; a run before this one may have been cut off.
    #[error("the one that is there cannot be used ({0})")]
    Unusable(String),
    /// It ends within [`RENEW_BEFORE`], or has ended.
    #[error("it ends soon")]
    Ends,
    /// The configuration has other names.
    #[error("its names are not those of the configuration")]
    Names,
}

/// Why a certificate is due, or nothing while the one that is there would do
/// for a visitor who trusts `ca.pem`, now and for [`RENEW_BEFORE`] more.
#[must_use]
pub fn due(now: UnixTime, names: &[ServerName<'_>], present: &Present) -> Option<Due> {
    let (Some(ca), Some(chain)) = (&present.ca, &present.chain) else {
        return Some(Due::None);
    };
    check(now, names, ca, chain).err()
}

fn check(now: UnixTime, names: &[ServerName<'_>], ca: &[u8], chain: &[u8]) -> Result<(), Due> {
    let pem = |error: rustls_pki_types::pem::Error| Due::Unusable(error.to_string());
    let unusable = |error: webpki::Error| Due::Unusable(error.to_string());
    let ca = CertificateDer::from_pem_slice(ca).map_err(pem)?;
    let leaf = CertificateDer::from_pem_slice(chain).map_err(pem)?;
    let anchor = anchor_from_trusted_cert(&ca).map_err(unusable)?;
    let leaf = EndEntityCert::try_from(&leaf).map_err(unusable)?;
    let later = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + RENEW_BEFORE);
    for time in [now, later] {
        leaf.verify_for_usage(
            &[ECDSA_P256_SHA256],
            std::slice::from_ref(&anchor),
            &[],
            time,
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map_err(|error| match error {
            webpki::Error::CertExpired { .. } => Due::Ends,
            other => unusable(other),
        })?;
    }
    // An anchor's own end is for its holder to look at (RFC 5280, 6.1.1).
    let (_, authority) =
        X509Certificate::from_der(&ca).map_err(|error| Due::Unusable(error.to_string()))?;
    let ends = u64::try_from(authority.validity().not_after.timestamp()).unwrap_or(0);
    if ends < later.as_secs() {
        return Err(Due::Ends);
    }
    let covered = names.iter().all(|name| match name {
        ServerName::DnsName(_) => true,
        other => leaf.verify_is_valid_for_subject_name(other).is_ok(),
    });
    let wanted: BTreeSet<&str> = names.iter().filter_map(dns).collect();
    let has: BTreeSet<&str> = leaf.valid_dns_names().collect();
    if covered && wanted == has {
        Ok(())
    } else {
        Err(Due::Names)
    }
}

fn dns<'a>(name: &'a ServerName<'_>) -> Option<&'a str> {
    match name {
        ServerName::DnsName(name) => Some(name.as_ref()),
        _ => None,
    }
}
