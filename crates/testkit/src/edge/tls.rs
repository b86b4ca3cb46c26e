//! How visitors encrypt.

use std::error::Error;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::Options;
use crate::any_authority::AnyAuthority;

/// Tickets that one visitor keeps: two come with each handshake, and one is used for the next.
const TICKETS: usize = 8;

/// How visitors encrypt; each has tickets of its own.
pub(super) struct Tls {
    name: ServerName<'static>,
    config: ClientConfig,
}

impl Tls {
    pub(super) fn new(options: &Options) -> Result<Self, Box<dyn Error>> {
        let mut provider = aws_lc_rs::default_provider();
        if options.classical {
            provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
        }
        let provider = Arc::new(provider);
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyAuthority::with(provider)))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            name: ServerName::try_from(options.host.clone())?,
            config,
        })
    }

    /// What connects without tickets.
    pub(super) fn afresh(&self) -> (TlsConnector, ServerName<'static>) {
        self.connector(Resumption::disabled())
    }

    /// What keeps its tickets for its next connection.
    pub(super) fn resuming(&self) -> (TlsConnector, ServerName<'static>) {
        self.connector(Resumption::in_memory_sessions(TICKETS))
    }

    fn connector(&self, resumption: Resumption) -> (TlsConnector, ServerName<'static>) {
        let mut config = self.config.clone();
        config.resumption = resumption;
        (TlsConnector::from(Arc::new(config)), self.name.clone())
    }
}
