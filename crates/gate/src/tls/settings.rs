//! What is agreed on in a handshake.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::{ACME, folder};
use crate::{Error, config};

/// HTTP/2 first, then HTTP/1.1 (RFC 7301).
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Tickets for a visitor to resume with, sent after each handshake. A ticket is good
/// for one connection (RFC 8446, appendix C.4): one for when the connection is lost,
/// and one for a second that a browser opens beside it. Each resumption brings new
/// ones, and each ticket takes a quarter of a kilobyte.
const TICKETS: usize = 2;

/// Ciphers with keys of 256 bits, and key agreement that a quantum computer does not
/// undo, or, for those who cannot, X25519.
pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![kx_group::X25519MLKEM768, kx_group::X25519],
        ..aws_lc_rs::default_provider()
    }
}

/// Settings for visitors.
pub(super) fn visitors(
    provider: &Arc<CryptoProvider>,
    resolver: Arc<dyn ResolvesServerCert>,
    config: &config::Tls,
) -> Result<ServerConfig, Error> {
    let verifier = match &config.client_ca {
        Some(path) => authority(path, provider)?,
        None => WebPkiClientVerifier::no_client_auth(),
    };
    let mut settings = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(resolver);
    settings.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    // Keys are made at random, change every 6 hours, and never leave memory. They are
    // this value's, so a reload, which leaves it, leaves tickets good.
    settings.ticketer = aws_lc_rs::Ticketer::new()?;
    settings.send_tls13_tickets = TICKETS;
    // What is sent early can be sent again by others (RFC 8446, section 8).
    settings.max_early_data_size = 0;
    Ok(settings)
}

/// Settings for one challenge: its certificate, its protocol, and nothing to come back with.
pub(super) fn challenge(
    provider: &Arc<CryptoProvider>,
    key: Arc<CertifiedKey>,
) -> Result<ServerConfig, rustls::Error> {
    let mut settings = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    settings.alpn_protocols = vec![ACME.to_vec()];
    settings.send_tls13_tickets = 0;
    Ok(settings)
}

/// Accepts connections with a certificate of the authorities in a PEM file, and no others.
fn authority(
    path: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let refused = |why: String| Error::ClientAuthority(path.to_owned(), why);
    let document = folder::bounded(path).map_err(|error| refused(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&document) {
        let certificate = certificate.map_err(|_| refused("it is not PEM".to_owned()))?;
        let added = roots.add(certificate);
        added.map_err(|error| refused(format!("it cannot be used: {error}")))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| refused(error.to_string()))
}
