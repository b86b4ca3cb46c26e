//! A gate on a confined thread, a bot `shop` behind it, and what the gate writes to the journal.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use casemate_gate::{Config, Edge};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, SupportedProtocolVersion};
use sandbox::{Confined, Plan};
use secret::Credentials;
use testkit::decider::{Bound, Decider};
use testkit::{Folder, Record, Records, confined_with};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::visitor;

/// How long a test may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What visitors speak unless they say otherwise.
const TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// The gate as a visitor sees it.
pub(crate) struct Stand {
    pub(crate) address: SocketAddr,
    /// Where the gate tells of security events.
    pub(crate) events: PathBuf,
    certificate: CertificateDer<'static>,
    records: Records,
    /// Tells the gate to stop, and not its bot.
    pub(crate) stop: CancellationToken,
}

impl Stand {
    /// The records of a target so far.
    pub(crate) fn records(&self, target: &str) -> Vec<Record> {
        self.records.of(target)
    }

    /// The security events of a name so far.
    pub(crate) fn events(&self, name: &str) -> Vec<Record> {
        let mut records = self.records("security");
        records.retain(|record| record["event"] == name);
        records
    }

    /// The only record of a target, once it is there.
    pub(crate) async fn access(&self) -> Record {
        for _ in 0..100 {
            if let Some(record) = self.records("access").pop() {
                return record;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        unreachable!("no request was written down")
    }

    /// A connection on which `first` is sent before the handshake.
    pub(crate) async fn connect(
        &self,
        alpn: &[u8],
        first: &[u8],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_by(TLS13, alpn, first).await
    }

    /// The same with certain versions of TLS alone.
    pub(crate) async fn connect_by(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[u8],
        first: &[u8],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        self.shake_by(versions, stream, alpn, first).await
    }

    /// The same on a connection that is there.
    pub(crate) async fn shake(
        &self,
        stream: TcpStream,
        alpn: &[u8],
        first: &[u8],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        self.shake_by(TLS13, stream, alpn, first).await
    }

    async fn shake_by(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        mut stream: TcpStream,
        alpn: &[u8],
        first: &[u8],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        stream.write_all(first).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }

    /// A connection that speaks HTTP/1.1.
    pub(crate) async fn http1(
        &self,
        first: &[u8],
    ) -> std::io::Result<http1::SendRequest<Full<Bytes>>> {
        Ok(visitor::http1(self.connect(b"http/1.1", first).await?).await)
    }

    /// A connection that speaks HTTP/2.
    pub(crate) async fn http2(&self) -> http2::SendRequest<Full<Bytes>> {
        visitor::http2(self.connect(b"h2", b"").await.unwrap()).await
    }
}

/// Runs a gate with these settings and this bot behind it, and `test` beside it, unconfined, as a visitor.
pub(crate) fn with_gate<B, BF, T, TF>(settings: &str, bot: B, test: T)
where
    B: Fn(ipc::Peer, ipc::Request) -> BF + Clone + Send + Sync + 'static,
    BF: Future<Output = ipc::Response> + Send + 'static,
    T: FnOnce(Stand) -> TF,
    TF: Future<Output = ()>,
{
    run(settings, bot, false, async |stand, _nobody| {
        test(stand).await;
    });
}

/// The same, and somebody who decides on bans from the start.
pub(crate) fn with_guarded_gate<B, BF, T, TF>(settings: &str, bot: B, test: T)
where
    B: Fn(ipc::Peer, ipc::Request) -> BF + Clone + Send + Sync + 'static,
    BF: Future<Output = ipc::Response> + Send + 'static,
    T: FnOnce(Stand, Decider) -> TF,
    TF: Future<Output = ()>,
{
    run(settings, bot, true, async |stand, bound| {
        let decider = bound.unwrap().decide();
        test(stand, decider).await;
    });
}

fn run<B, BF>(
    settings: &str,
    bot: B,
    is_guarded: bool,
    test: impl AsyncFnOnce(Stand, Option<Bound>),
) where
    B: Fn(ipc::Peer, ipc::Request) -> BF + Clone + Send + Sync + 'static,
    BF: Future<Output = ipc::Response> + Send + 'static,
{
    let config: Config = daemon::parse(settings).unwrap();
    config.check().unwrap();
    let folder = Folder::new();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let pem = format!("{}{}", made.signing_key.serialize_pem(), made.cert.pem());
    folder.file("tls", pem);
    let (front, address) = listener();
    let back = std::os::unix::net::UnixListener::bind(folder.path().join("shop.sock")).unwrap();
    back.set_nonblocking(true).unwrap();
    let stand = Stand {
        address,
        events: folder.path().join("events.sock"),
        certificate: made.cert.der().clone(),
        records: Records::install(),
        stop: CancellationToken::new(),
    };
    let stop = stand.stop.clone();
    let folder = folder.path();
    let events = folder.join("events.sock");
    let bound = is_guarded.then(|| Decider::bind(&events));
    let plan = Plan::new().read(folder).connect_packets(folder);
    let serve = async |confined: Confined, drain: CancellationToken| {
        let credentials = Credentials::in_directory(folder);
        let edge = Edge::new(&credentials, folder, config).unwrap();
        edge.follow(&events).await;
        let listeners = vec![TcpListener::from_std(front).unwrap()];
        let back = UnixListener::from_std(back).unwrap();
        let limits = ipc::Limits::default();
        let end = stop.clone();
        let stopping = drain.run_until_cancelled(stop.cancelled());
        let edge = edge.serve(&confined, listeners, end.clone());
        let bot = ipc::serve_streams(&confined, back, limits, drain.clone(), bot);
        let stopping = async {
            stopping.await;
            end.cancel();
        };
        tokio::join!(edge, bot, stopping).0.unwrap();
    };
    beside(&plan, serve, async || test(stand, bound).await);
}

/// Runs `serve` on a thread that is confined to `plan`, and `test` beside it, unconfined; when `test` is done, `serve` is
/// told to drain.
pub(crate) fn beside<S, SF, T, TF>(plan: &Plan, serve: S, test: T)
where
    S: FnOnce(Confined, CancellationToken) -> SF + Send,
    SF: Future<Output = ()>,
    T: FnOnce() -> TF,
    TF: Future<Output = ()>,
{
    let drain = CancellationToken::new();
    std::thread::scope(|scope| {
        let served = drain.clone();
        scope.spawn(move || confined_with(plan, |confined| serve(confined, served)));
        // Also when the test fails.
        let _stop = drain.clone().drop_guard();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime
            .block_on(async { tokio::time::timeout(PATIENCE, test()).await })
            .unwrap();
    });
}

/// A listener that any runtime can take, and where it listens.
pub(crate) fn listener() -> (std::net::TcpListener, SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}
