//! Visitors of a gate that is running.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A gate that is running.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    pub(crate) plain: SocketAddr,
    pub(crate) client: ClientConfig,
    pub(crate) reload: mpsc::Sender<oneshot::Sender<()>>,
    pub(crate) restart: mpsc::Sender<oneshot::Sender<()>>,
}

impl Gate {
    /// Reloads it, and returns when that is done.
    pub(crate) async fn reload(&self) {
        let (done, reloaded) = oneshot::channel();
        self.reload.send(done).await.unwrap();
        reloaded.await.unwrap();
    }

    /// Lets another take its place, and returns when that serves.
    pub(crate) async fn restart(&self) {
        let (done, restarted) = oneshot::channel();
        self.restart.send(done).await.unwrap();
        restarted.await.unwrap();
    }

    /// Shakes hands for a name with one protocol.
    pub(crate) async fn shake(
        &self,
        name: &str,
        protocol: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        self.shake_with(self.client.clone(), name, protocol).await
    }

    pub(crate) async fn shake_with(
        &self,
        mut client: ClientConfig,
        name: &str,
        protocol: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        client.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::new(client))
            .connect(name, stream)
            .await
    }
}

/// A client that trusts these authorities.
pub(crate) fn client(roots: &[CertificateDer<'static>], provider: CryptoProvider) -> ClientConfig {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).unwrap();
    }
    let mut client = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth();
    // Who resumes is not shown a certificate, but remembers one.
    client.resumption = Resumption::disabled();
    client
}

/// The certificate that the gate showed.
pub(crate) fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    chain[0].clone().into_owned()
}

/// Speaks HTTP/1.1 on a connection.
pub(crate) async fn http1(stream: TlsStream<TcpStream>) -> http1::SendRequest<Full<Bytes>> {
    let (send, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    send
}

/// Speaks HTTP/2 on a connection.
pub(crate) async fn http2(stream: TlsStream<TcpStream>) -> http2::SendRequest<Full<Bytes>> {
    let io = TokioIo::new(stream);
    let (send, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    send
}

/// A request for a path.
pub(crate) fn get(path: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .uri(format!("https://localhost{path}"))
        .header("host", "localhost")
        .body(Full::default())
        .unwrap()
}

/// The whole text of an answer.
pub(crate) async fn text(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}
