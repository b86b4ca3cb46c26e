//! TLS 1.3 (RFC 8446) by rustls with aws-lc-rs.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::version::TLS13;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secret::Credentials;
use tokio_rustls::TlsAcceptor;

use crate::Error;

/// The credential that holds the private key and the certificate chain as PEM.
const CREDENTIAL: &str = "tls";

/// HTTP/2 first, then HTTP/1.1 (RFC 7301).
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// TLS 1.3 alone, with the key and chain that this unit was given.
///
/// # Errors
/// When the credential is missing or cannot be used.
pub(crate) fn from_credentials(credentials: &Credentials) -> Result<TlsAcceptor, Error> {
    let pem = credentials.bytes(CREDENTIAL)?;
    let key = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| Error::Malformed("holds no private key"))?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| Error::Malformed("holds a certificate that is not PEM"))?;
    if chain.is_empty() {
        return Err(Error::Malformed("holds no certificate"));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    // Keys for resumption are made at random, rotate, and never leave memory.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
