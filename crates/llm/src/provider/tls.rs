//! What a provider's certificate is checked against.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, client::Resumption, version};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

/// Largest file of certificates, in bytes.
const CA_BYTES: u64 = 1024 * 1024;
/// How many sessions with a provider are kept to resume.
const SESSIONS: usize = 16;

/// The settings for a provider: TLS 1.2 and 1.3, the public certificate authorities, and those in `ca_file` beside them.
pub(super) fn settings(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(path) = ca_file {
        add(&mut roots, path).map_err(|why| format!("ca_file {}: {why}", path.display()))?;
    }
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut settings = ClientConfig::builder_with_provider(crypto)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    settings.alpn_protocols = vec![b"http/1.1".to_vec()];
    settings.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(Arc::new(settings))
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > CA_BYTES {
        return Err(format!("it has {size} bytes; the limit is {CA_BYTES}"));
    }
    let pem = fs::read(path).map_err(|error| error.to_string())?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
        count += 1;
    }
    if count == 0 {
        Err("it holds no certificate".into())
    } else {
        Ok(())
    }
}
