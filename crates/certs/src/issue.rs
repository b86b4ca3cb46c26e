//! Makes an authority and the one certificate that it signs.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd,
};
use rustls_pki_types::{ServerName, UnixTime};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a certificate is good. Browsers accept 398 days at most from the
/// authorities that they know, and 825 from others (Apple HT210176).
pub const LIFE: Duration = Duration::from_secs(397 * 24 * 60 * 60);

/// A visitor's clock may be behind by as much.
pub const BACKDATE: Duration = DAY;

/// What was made.
pub struct Issued {
    /// The authority's certificate, PEM; what visitors may trust.
    pub ca: String,
    /// SHA-256 of the authority's certificate (DER), as pairs of hexadecimal
    /// digits with colons: how browsers and openssl(1) show it.
    pub ca_fingerprint: String,
    /// The certificate, PEM. The authority's own need not be sent along.
    pub chain: String,
    /// The private key (PKCS #8) and [`Self::chain`] as one PEM document, so
    /// that whoever serves with it has either both or neither.
    pub tls: Zeroizing<String>,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued")
            .field("ca_fingerprint", &self.ca_fingerprint)
            .finish_non_exhaustive()
    }
}

/// Makes a certificate for `names`, valid from [`BACKDATE`] before `now` for
/// [`LIFE`], by an authority whose private key is dropped here.
///
/// # Errors
/// When the keys cannot be made, or a name does not fit into a certificate.
pub fn issue(now: UnixTime, names: &[ServerName<'_>]) -> Result<Issued, rcgen::Error> {
    let authority = authority(now);
    let authority_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let ca = authority.self_signed(&authority_key)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let leaf =
        leaf(now, names)?.signed_by(&key, &Issuer::from_params(&authority, authority_key))?;
    let key = Zeroizing::new(key.serialize_pem());
    let chain = leaf.pem();
    // At once in one allocation: growing would leave a copy of the key behind.
    let mut tls = Zeroizing::new(String::with_capacity(key.len() + chain.len()));
    tls.push_str(&key);
    tls.push_str(&chain);
    Ok(Issued {
        ca: ca.pem(),
        ca_fingerprint: fingerprint(ca.der()),
        chain,
        tls,
    })
}

fn dated(now: UnixTime, name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    let start =
        date_time_ymd(1970, 1, 1) + Duration::from_secs(now.as_secs()).saturating_sub(BACKDATE);
    params.not_before = start;
    params.not_after = start + LIFE;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(now: UnixTime) -> CertificateParams {
    let mut params = dated(now, "Casemate local authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf(now: UnixTime, names: &[ServerName<'_>]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = dated(now, "Casemate");
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

fn fingerprint(der: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(der)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    pairs.join(":")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::decide::{Due, Present, RENEW_BEFORE, due};

    const NOW: u64 = 1_800_000_000;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn names(texts: &[&str]) -> Vec<ServerName<'static>> {
        texts
            .iter()
            .map(|text| ServerName::try_from((*text).to_owned()).unwrap())
            .collect()
    }

    fn present(issued: &Issued) -> Present {
        Present {
            ca: Some(issued.ca.clone().into_bytes()),
            chain: Some(issued.chain.clone().into_bytes()),
        }
    }

    #[test]
    fn what_is_made_is_not_due_until_a_month_before_its_end() {
        let names = names(&["localhost", "shop.example", "127.0.0.1", "::1"]);
        let present = present(&issue(at(NOW), &names).unwrap());
        let end = NOW - BACKDATE.as_secs() + LIFE.as_secs();
        let last = end - RENEW_BEFORE.as_secs();
        assert_eq!(due(at(NOW), &names, &present), None);
        assert_eq!(due(at(last), &names, &present), None);
        assert_eq!(due(at(last + 1), &names, &present), Some(Due::Ends));
        assert_eq!(due(at(end + 1), &names, &present), Some(Due::Ends));
        // The clock was set back by more than a day since.
        let early = due(at(NOW - BACKDATE.as_secs() - 1), &names, &present);
        assert!(matches!(early, Some(Due::Unusable(_))), "{early:?}");
    }

    #[test]
    fn other_names_are_due() {
        let had = names(&["localhost", "a.example", "127.0.0.1"]);
        let present = present(&issue(at(NOW), &had).unwrap());
        for other in [
            &["localhost", "127.0.0.1"][..],
            &["localhost", "a.example", "b.example", "127.0.0.1"],
            &["localhost", "a.example", "127.0.0.1", "10.0.0.1"],
        ] {
            assert_eq!(
                due(at(NOW), &names(other), &present),
                Some(Due::Names),
                "{other:?}"
            );
        }
        assert_eq!(
            due(
                at(NOW),
                &names(&["127.0.0.1", "a.example", "localhost"]),
                &present
            ),
            None
        );
    }

    #[test]
    fn what_a_cut_off_run_leaves_is_due() {
        let names = names(&["localhost"]);
        let (old, new) = (
            issue(at(NOW), &names).unwrap(),
            issue(at(NOW), &names).unwrap(),
        );
        assert_eq!(due(at(NOW), &names, &Present::default()), Some(Due::None));
        let ca_alone = Present {
            chain: None,
            ..present(&new)
        };
        assert_eq!(due(at(NOW), &names, &ca_alone), Some(Due::None));
        let mixed = Present {
            ca: present(&new).ca,
            chain: present(&old).chain,
        };
        assert!(matches!(
            due(at(NOW), &names, &mixed),
            Some(Due::Unusable(_))
        ));
        for torn in [
            &b""[..],
            b"-----BEGIN CERTIFICATE-----\nMII",
            &old.chain.as_bytes()[..300],
        ] {
            let torn = Present {
                chain: Some(torn.to_vec()),
                ..present(&old)
            };
            assert!(matches!(
                due(at(NOW), &names, &torn),
                Some(Due::Unusable(_))
            ));
        }
    }

    #[test]
    fn the_key_comes_with_its_certificate_and_no_other_key_with_it() {
        let issued = issue(at(NOW), &names(&["localhost"])).unwrap();
        assert!(issued.tls.starts_with("-----BEGIN PRIVATE KEY-----"));
        assert!(issued.tls.ends_with(&issued.chain));
        assert_eq!(issued.tls.matches("PRIVATE KEY").count(), 2);
        assert!(!issued.ca.contains("PRIVATE") && !issued.chain.contains("PRIVATE"));
        assert!(!format!("{issued:?}").contains("BEGIN"));
        let key = KeyPair::from_pem(&issued.tls).unwrap();
        let der = pem_der(&issued.chain);
        let point = key.public_key_raw();
        assert!(der.windows(point.len()).any(|window| window == point));
    }

    fn pem_der(pem: &str) -> Vec<u8> {
        use rustls_pki_types::pem::PemObject as _;
        rustls_pki_types::CertificateDer::from_pem_slice(pem.as_bytes())
            .unwrap()
            .to_vec()
    }

    #[test]
    fn the_fingerprint_is_the_usual_one() {
        assert!(fingerprint(b"abc").starts_with("BA:78:16:BF:8F:01:CF:EA"));
        assert_eq!(fingerprint(b"").len(), 32 * 3 - 1);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_in_place_of_certificates_are_due(
            ca in proptest::collection::vec(proptest::num::u8::ANY, 0..400), place in 0_usize..400,
        ) {
            let names = names(&["localhost"]);
            let issued = issue(at(NOW), &names).unwrap();
            let random = Present { ca: Some(ca), ..present(&issued) };
            proptest::prop_assert!(due(at(NOW), &names, &random).is_some());
            // One digit of what is signed.
            let mut chain = issued.chain.clone().into_bytes();
            let place = place + "-----BEGIN CERTIFICATE-----\n".len();
            if chain[place].is_ascii_alphanumeric() {
                chain[place] = if chain[place] == b'A' { b'B' } else { b'A' };
                let changed = Present { chain: Some(chain), ..present(&issued) };
                proptest::prop_assert!(due(at(NOW), &names, &changed).is_some());
            }
        }
    }
}
