//! Certificates by which an authority is shown that a name is this machine's
//! (TLS-ALPN-01, RFC 8737).

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;

use super::folder::bounded;
use super::name::DnsName;
use super::pair::{Unusable, sections};

/// Below the folder of challenges.
const FOLDER: &str = "alpn";

/// The certificate for the challenge of a name; none where none is expected, or what
/// is there cannot be used, which is logged.
pub(super) async fn read(
    challenges: &Path,
    name: &DnsName,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<CertifiedKey>> {
    let file = format!("{}.pem", name.as_str());
    let path = challenges.join(FOLDER).join(&file);
    let provider = Arc::clone(provider);
    let read = move || key(&bounded(&path)?, &provider);
    let name = name.as_str();
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(key)) => {
            tracing::info!("an authority's challenge for {name} is answered");
            Some(Arc::new(key))
        }
        Ok(Err(Unusable::Read(error))) if error.kind() == std::io::ErrorKind::NotFound => None,
        Ok(Err(why)) => {
            tracing::warn!(
                "an authority's challenge for {name} is not answered, so there will be no certificate: {why}"
            );
            None
        }
        Err(error) => {
            tracing::warn!("an authority's challenge for {name} is not answered: {error}");
            None
        }
    }
}

/// Reads a key with its certificate. What is in that is the authority's to judge: it has an extension
/// that none but authorities know and that is critical, so no verifier here would take it.
fn key(document: &[u8], provider: &CryptoProvider) -> Result<CertifiedKey, Unusable> {
    let (key, chain) = sections(document)?;
    let key = provider.key_provider.load_private_key(key)?;
    Ok(CertifiedKey::new(chain, key))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rcgen::{CertificateParams, CustomExtension, KeyPair};

    use super::*;
    use crate::tls::pair::Pair;
    use crate::tls::settings;

    #[test]
    fn what_only_an_authority_understands_is_shown_to_it() {
        let made = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["shop.example".to_owned()]).unwrap();
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(&[7; 32])];
        let certificate = params.self_signed(&made).unwrap();
        let document = format!("{}{}", made.serialize_pem(), certificate.pem());
        let provider = settings::provider();
        let shown = key(document.as_bytes(), &provider).unwrap();
        assert_eq!(shown.cert, [certificate.der().clone()]);
        assert!(Pair::from_pem("a", document.as_bytes(), &provider).is_err());
        assert!(key(certificate.pem().as_bytes(), &provider).is_err());
    }
}
