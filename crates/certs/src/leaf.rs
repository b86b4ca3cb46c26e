//! Pure: what a certificate says of itself.

use std::collections::BTreeSet;
use std::net::IpAddr;

use instant_acme::CertificateIdentifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// What is read of a certificate. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// From when it is good.
    pub begins: u64,
    /// Until when it is good.
    pub ends: u64,
    /// What it is for, in canonical form.
    pub names: BTreeSet<String>,
    /// Which one it is: the identifier for renewal information (RFC 9773, 4.1).
    pub id: CertificateIdentifier<'static>,
    /// The public key, as it is in the certificate (SubjectPublicKeyInfo, DER).
    pub key: Vec<u8>,
}

impl Leaf {
    /// Reads the first certificate of a PEM chain.
    ///
    /// # Errors
    /// What is wrong with it, for the journal.
    pub fn read(chain: &[u8]) -> Result<Self, String> {
        let der = CertificateDer::from_pem_slice(chain).map_err(|error| error.to_string())?;
        let (_, certificate) =
            X509Certificate::from_der(&der).map_err(|error| error.to_string())?;
        let seconds = |time: x509_parser::time::ASN1Time| {
            u64::try_from(time.timestamp()).map_err(|_| "it is dated before 1970".to_owned())
        };
        let begins = seconds(certificate.validity().not_before)?;
        let ends = seconds(certificate.validity().not_after)?;
        if ends <= begins {
            return Err("it ends before it begins".to_owned());
        }
        let alternatives = certificate
            .subject_alternative_name()
            .map_err(|error| error.to_string())?;
        let names = alternatives
            .into_iter()
            .flat_map(|extension| &extension.value.general_names)
            .filter_map(name)
            .collect();
        Ok(Self {
            begins,
            ends,
            names,
            id: CertificateIdentifier::try_from(&der)?.into_owned(),
            key: certificate.public_key().raw.to_vec(),
        })
    }

    /// Whether it is for exactly these names.
    #[must_use]
    pub fn is_for(&self, names: &[ServerName<'_>]) -> bool {
        let wanted: BTreeSet<String> = names
            .iter()
            .map(|name| name.to_str().into_owned())
            .collect();
        wanted == self.names
    }

    /// For how long it is good in all, in seconds.
    #[must_use]
    pub fn life(&self) -> u64 {
        self.ends.saturating_sub(self.begins)
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => {
            let address = match bytes.len() {
                4 => IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?),
                _ => IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?),
            };
            Some(address.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use rustls_pki_types::UnixTime;
    use std::time::Duration;

    use super::*;
    use crate::issue::{Authority, BACKDATE, LIFE, issue};

    const NOW: u64 = 1_800_000_000;

    fn chain(names: &[&str]) -> (Vec<ServerName<'static>>, String) {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
        let names: Vec<_> = names
            .iter()
            .map(|name| ServerName::try_from((*name).to_owned()).unwrap())
            .collect();
        let authority = Authority::new(now, &names).unwrap();
        let chain = issue(now, &names, &authority).unwrap().chain;
        (names, chain)
    }

    #[test]
    fn dates_and_names_are_those_that_were_written() {
        let (names, chain) = chain(&["shop.example", "192.0.2.1", "2001:db8::1"]);
        let leaf = Leaf::read(chain.as_bytes()).unwrap();
        assert_eq!(leaf.begins, NOW - BACKDATE.as_secs());
        assert_eq!(leaf.life(), LIFE.as_secs());
        assert!(leaf.is_for(&names));
        assert!(!leaf.is_for(&names[..2]));
        let id = leaf.id.to_string();
        assert!(
            id.split_once('.')
                .is_some_and(|(one, two)| !one.is_empty() && !two.is_empty()),
            "{id}"
        );
    }

    #[test]
    fn what_is_no_certificate_is_an_error() {
        for text in [
            "",
            "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n",
        ] {
            assert!(Leaf::read(text.as_bytes()).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..600, byte: u8) {
            let _ = Leaf::read(&bytes);
            let (_, chain) = chain(&["shop.example"]);
            let mut der = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap().to_vec();
            let at = at % der.len();
            der[at] = byte;
            if let Ok((_, certificate)) = X509Certificate::from_der(&der) {
                let _ = certificate.subject_alternative_name();
            }
            let _ = Leaf::read(pem(&der).as_bytes());
        }
    }

    fn pem(der: &[u8]) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
        for chunk in der.chunks(3) {
            let bits = chunk
                .iter()
                .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
                << (8 * (3 - chunk.len()));
            for place in 0..4 {
                let digit = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap();
                text.push(if place > chunk.len() {
                    '='
                } else {
                    char::from(DIGITS[digit])
                });
            }
        }
        text.push_str("\n-----END CERTIFICATE-----\n");
        text
    }
}
