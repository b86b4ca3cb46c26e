//! Makes the local authority, and certificates that it signs.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a certificate is good. Browsers accept 398 days at most from the
/// authorities that they know, and 825 from others (Apple HT210176).
pub const LIFE: Duration = Duration::from_secs(397 * 24 * 60 * 60);

/// How long an authority is good, so that whoever trusts it need not do so anew each year.
pub const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A visitor's clock may be behind by as much.
pub const BACKDATE: Duration = DAY;

/// The authority: its private key, and the certificate that visitors may trust. It can sign for the
/// names that it was made for and for no others (name constraints, RFC 5280, 4.2.1.10).
pub struct Authority {
    key: Zeroizing<String>,
    certificate: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("fingerprint", &fingerprint(&self.certificate))
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// A new one for `names`, good for [`AUTHORITY_LIFE`].
    ///
    /// # Errors
    /// When the key cannot be made, or a name does not fit into a certificate.
    pub fn new(now: UnixTime, names: &[ServerName<'_>]) -> Result<Self, rcgen::Error> {
        let mut params = authority();
        date(&mut params, now, AUTHORITY_LIFE);
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: names.iter().map(subtree).collect(),
            excluded_subtrees: Vec::new(),
        });
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self {
            key: Zeroizing::new(key.serialize_pem()),
            certificate,
        })
    }

    /// One that was sealed: what [`Self::sealable`] gave.
    #[must_use]
    pub fn read(sealed: &str) -> Option<Self> {
        let (key, certificate) = sealed.split_at_checked(sealed.find(CERTIFICATE)?)?;
        CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
        Some(Self {
            key: Zeroizing::new(key.to_owned()),
            // What reads credentials drops the last line break.
            certificate: format!("{}\n", certificate.trim_end()),
        })
    }

    /// Private key (PKCS #8) and certificate as one PEM document.
    #[must_use]
    pub fn sealable(&self) -> Zeroizing<String> {
        joined(&self.key, &self.certificate)
    }

    /// The certificate, PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }
}

/// How a certificate in PEM begins.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// In one allocation: growing would leave a copy of the key behind.
pub(crate) fn joined(key: &str, chain: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(key.len() + chain.len()));
    text.push_str(key);
    text.push_str(chain);
    text
}

/// What was made.
pub struct Issued {
    /// The certificate, PEM. The authority's own need not be sent along.
    pub chain: String,
    /// The private key (PKCS #8) and [`Self::chain`] as one PEM document, so
    /// that whoever serves with it has either both or neither.
    pub tls: Zeroizing<String>,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued")
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}

/// Makes a certificate for `names` with a key of its own, valid from [`BACKDATE`] before `now` for
/// [`LIFE`].
///
/// # Errors
/// When the authority's key cannot be read, a new one cannot be made, or a name does not fit into a
/// certificate.
pub fn issue(
    now: UnixTime,
    names: &[ServerName<'_>],
    authority: &Authority,
) -> Result<Issued, rcgen::Error> {
    let params = self::authority();
    let issuer = Issuer::from_params(&params, KeyPair::from_pem(&authority.key)?);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let leaf = leaf(now, names)?.signed_by(&key, &issuer)?;
    let key = Zeroizing::new(key.serialize_pem());
    let chain = leaf.pem();
    Ok(Issued {
        tls: joined(&key, &chain),
        chain,
    })
}

/// SHA-256 of the first certificate in `pem` (DER), as pairs of hexadecimal digits with colons: how
/// browsers and openssl(1) show it. Empty where there is none.
#[must_use]
pub fn fingerprint(pem: &str) -> String {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_or_else(|_| String::new(), |der| pairs(&der))
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn date(params: &mut CertificateParams, now: UnixTime, life: Duration) {
    let start =
        date_time_ymd(1970, 1, 1) + Duration::from_secs(now.as_secs()).saturating_sub(BACKDATE);
    params.not_before = start;
    params.not_after = start + life;
}

fn subtree(name: &ServerName<'_>) -> GeneralSubtree {
    match name {
        ServerName::IpAddress(address) => {
            let address: std::net::IpAddr = (*address).into();
            let bits = if address.is_ipv4() { 32 } else { 128 };
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, bits))
        }
        other => GeneralSubtree::DnsName(other.to_str().into_owned()),
    }
}

/// All of the authority that its signatures depend on, but for its key.
fn authority() -> CertificateParams {
    let mut params = named("Casemate local authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf(now: UnixTime, names: &[ServerName<'_>]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = named("Casemate");
    date(&mut params, now, LIFE);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    for name in names {
        params.subject_alt_names.push(match name {
            ServerName::IpAddress(address) => SanType::IpAddress((*address).into()),
            other => SanType::DnsName(other.to_str().as_ref().try_into()?),
        });
    }
    Ok(params)
}

fn pairs(der: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(der)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    pairs.join(":")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
