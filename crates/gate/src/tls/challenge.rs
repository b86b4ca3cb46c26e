//! Certificates by which an authority is shown that a name is this machine's
//! (TLS-ALPN-01, RFC 8737).

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;

use super::folder::bounded;
use super::name::DnsName;
use super::pair::{Pair, Unusable};

/// Below the folder of challenges.
const FOLDER: &str = "alpn";

/// The certificate for the challenge of a name; none where none is expected, or what
/// is there cannot be used, which is logged.
pub(super) async fn read(
    challenges: &Path,
    name: &DnsName,
    provider: &Arc<CryptoProvider>,
) -> Option<Pair> {
    let file = format!("{}.pem", name.as_str());
    let path = challenges.join(FOLDER).join(&file);
    let provider = Arc::clone(provider);
    let read = move || Pair::from_pem(&file, &bounded(&path)?, &provider);
    let name = name.as_str();
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(pair)) => {
            tracing::info!("an authority's challenge for {name} is answered");
            Some(pair)
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
