//! TLS 1.3 between appliances: each shows a certificate of the authority that they share, and the name in it is the
//! appliance's. Nothing is resumed, so that every connection is checked.

use std::path::Path;
use std::sync::Arc;

use rustls::client::{Resumption, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore,
    ServerConfig, SignatureScheme,
};
use rustls_pki_types::pem::PemObject as _;

use crate::tls::{Pair, bounded, provider, warning};

/// HTTP/2 alone (RFC 9113, section 3.2).
const ALPN: &[u8] = b"h2";

/// Why the other appliances cannot be reached, nor reach this one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("the credential `gate.peer`, with this appliance's certificate and key: {0}")]
    Credential(String),
    #[error("its certificate is for {hosts}, and not for {name}, as `appliance.name` says")]
    Name { hosts: String, name: String },
    #[error("the authority in {0}: {1}")]
    Authority(String, String),
    #[error("{0}")]
    Setting(String),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// How connections between appliances are encrypted, both ways.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) server: Arc<ServerConfig>,
}

impl Settings {
    /// Of this appliance's key and certificate as PEM, and the file with the authority. Who connects must bear one
    /// of the `others`' names.
    pub(crate) fn new(
        name: &ServerName<'_>,
        pem: &[u8],
        authority: &Path,
        others: Vec<ServerName<'static>>,
    ) -> Result<Self, Unusable> {
        let provider = Arc::new(provider());
        let pair = Pair::from_pem("the credential gate.peer", pem, &provider)
            .map_err(|error| Unusable::Credential(error.to_string()))?;
        let own = pair.key.end_entity_cert()?;
        if verify_server_name(&ParsedCertificate::try_from(own)?, name).is_err() {
            return Err(Unusable::Name {
                hosts: pair.hosts(),
                name: name.to_str().into_owned(),
            });
        }
        if let Some(warning) = warning(&pair, UnixTime::now()) {
            tracing::warn!("{warning}");
        }
        let roots = Arc::new(roots(authority)?);
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
                .build()
                .map_err(|error| refused(authority, error.to_string()))?;
        let resolver = |key: &Arc<CertifiedKey>| SingleCertAndKey::from(Arc::clone(key));
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(resolver(&pair.key)));
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.resumption = Resumption::disabled();
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::new(Known {
                authority: verifier,
                others,
            }))
            .with_cert_resolver(Arc::new(resolver(&pair.key)));
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        server.max_early_data_size = 0;
        Ok(Self {
            client: Arc::new(client),
            server: Arc::new(server),
        })
    }
}

fn refused(authority: &Path, why: impl Into<String>) -> Unusable {
    Unusable::Authority(authority.display().to_string(), why.into())
}

fn roots(authority: &Path) -> Result<RootCertStore, Unusable> {
    let document = bounded(authority).map_err(|error| refused(authority, error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&document) {
        let certificate = certificate.map_err(|_| refused(authority, "it is not PEM"))?;
        let added = roots.add(certificate);
        added.map_err(|error| refused(authority, error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(refused(authority, "it holds no certificate"));
    }
    Ok(roots)
}

/// Lets in who has a certificate of the authority with the name of an appliance that `gate.toml` lists: one that is
/// taken out of the list is shut out.
#[derive(Debug)]
struct Known {
    authority: Arc<dyn ClientCertVerifier>,
    others: Vec<ServerName<'static>>,
}

impl ClientCertVerifier for Known {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.authority.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self
            .authority
            .verify_client_cert(end_entity, intermediates, now)?;
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let is_listed = |name| verify_server_name(&certificate, name).is_ok();
        if self.others.iter().any(is_listed) {
            return Ok(verified);
        }
        let unknown = CertificateError::ApplicationVerificationFailure;
        Err(rustls::Error::InvalidCertificate(unknown))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.authority.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.authority.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authority.supported_verify_schemes()
    }
}
