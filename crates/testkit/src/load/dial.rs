//! The way to a service: TCP and TLS 1.3, with the protocol that is asked for.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::any_authority::AnyAuthority;

/// How HTTP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    H2,
}

impl Protocol {
    /// Its name in TLS (RFC 7301).
    const fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::H2 => b"h2",
        }
    }
}

/// Opens connections to one service.
pub(super) struct Dial {
    address: SocketAddr,
    name: ServerName<'static>,
    protocol: Protocol,
    tls: TlsConnector,
}

impl Dial {
    /// For the service at `address` that is called `host`.
    ///
    /// # Errors
    /// When `host` is no name.
    pub(super) fn new(
        address: SocketAddr,
        host: &str,
        protocol: Protocol,
    ) -> Result<Self, Box<dyn Error>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyAuthority::with(provider)))
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.alpn().to_vec()];
        Ok(Self {
            address,
            name: ServerName::try_from(host.to_owned())?,
            protocol,
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    /// A connection on which the service agreed to the protocol.
    ///
    /// # Errors
    /// What went wrong on the way, or that the service speaks another protocol.
    pub(super) async fn connect(
        &self,
    ) -> Result<TlsStream<TcpStream>, Box<dyn Error + Send + Sync>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(self.name.clone(), stream).await?;
        let agreed = stream.get_ref().1.alpn_protocol();
        if agreed != Some(self.protocol.alpn()) {
            return Err(format!("the service speaks no {:?}", self.protocol).into());
        }
        Ok(stream)
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }
}
