//! A gate with one bot behind it, which notes what reaches it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use casemate_gate::{Config, Edge};
use http::Response;
use http_body_util::BodyExt as _;
use rustls::pki_types::{CertificateDer, ServerName};
use sandbox::Plan;
use secret::Credentials;
use testkit::{Folder, confined_with};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

/// How long a test may take.
const TEST_TIME: Duration = Duration::from_secs(60);

/// A request as it reached the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) line: String,
    /// Its body's length in bytes; none when it broke off.
    pub(crate) bytes: Option<usize>,
}

/// What reached the bot, in order.
pub(crate) type Log = Arc<Mutex<Vec<Reached>>>;

async fn bot(log: Log, request: ipc::Request) -> ipc::Response {
    let (parts, body) = request.into_parts();
    let line = format!("{} {}", parts.method, parts.uri);
    if line.contains("/slow") {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let bytes = body.collect().await.ok().map(|body| body.to_bytes().len());
    let said = format!("reached {line}");
    log.lock().unwrap().push(Reached { line, bytes });
    Response::new(ipc::full(said))
}

/// A visitor of the gate.
pub(crate) struct Visitor {
    pub(crate) log: Log,
    address: SocketAddr,
    certificate: CertificateDer<'static>,
}

impl Visitor {
    /// Connects, with the protocol that is to be chosen.
    pub(crate) async fn connect(&self, alpn: &[u8]) -> TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap()
    }

    /// What reached the bot since this was asked last.
    pub(crate) fn reached(&self) -> Vec<Reached> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

/// Runs a gate with a bot `shop` behind it on a confined thread, and `test` beside it.
pub(crate) fn with_gate<F, Fut>(config: Config, test: F)
where
    F: FnOnce(Visitor) -> Fut,
    Fut: Future<Output = ()>,
{
    let folder = Folder::new();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let pem = format!("{}{}", made.signing_key.serialize_pem(), made.cert.pem());
    folder.file("tls", pem);
    let front = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    front.set_nonblocking(true).unwrap();
    let back = std::os::unix::net::UnixListener::bind(folder.path().join("shop.sock")).unwrap();
    back.set_nonblocking(true).unwrap();
    let log = Log::default();
    let visitor = Visitor {
        log: Arc::clone(&log),
        address: front.local_addr().unwrap(),
        certificate: made.cert.der().clone(),
    };
    let drain = CancellationToken::new();
    std::thread::scope(|scope| {
        let served = drain.clone();
        let folder = &folder;
        scope.spawn(move || {
            let plan = Plan::new().read(folder.path()).connect(folder.path());
            confined_with(&plan, async move |confined| {
                let credentials = Credentials::in_directory(folder.path());
                let edge = Edge::new(&credentials, folder.path(), config).unwrap();
                let listeners = vec![TcpListener::from_std(front).unwrap()];
                let back = UnixListener::from_std(back).unwrap();
                let bot = move |_, request| bot(Arc::clone(&log), request);
                tokio::join!(
                    edge.serve(&confined, listeners, served.clone()),
                    ipc::serve(&confined, back, ipc::Limits::default(), served.clone(), bot),
                );
            });
        });
        let _stop = drain.clone().drop_guard();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            tokio::time::timeout(TEST_TIME, test(visitor))
                .await
                .unwrap();
        });
    });
}
