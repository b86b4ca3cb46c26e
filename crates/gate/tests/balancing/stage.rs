//! A gate on a confined thread, and a visitor of it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use casemate_gate::{Config, Edge, PeerSources};
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use sandbox::Plan;
use secret::Credentials;
use testkit::{Folder, confined_with};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::bot::{Bot, ask, ask_for_socket};

/// How long a test may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait for what happens soon.
const SOON: Duration = Duration::from_secs(10);

/// So that tests need not wait long.
const QUICK: &str = "
answer_ms = 3000
[balance]
check_ms = 100
failures = 2
pause_ms = 300
successes = 1
[limits]
exempt = [\"127.0.0.0/8\"]
";

/// The gate as a visitor sees it.
pub(crate) struct Visitor {
    send: SendRequest<ipc::Body>,
}

/// An answer that was read to its end.
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<String>,
    pub(crate) text: String,
}

impl Visitor {
    async fn of(address: SocketAddr, certificate: CertificateDer<'static>) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let io = TokioIo::new(connector.connect(name, stream).await.unwrap());
        let (send, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
            .await
            .unwrap();
        tokio::spawn(connection);
        Self { send }
    }

    /// The answer as it comes.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        body: &'static str,
    ) -> Response<Incoming> {
        let mut send = self.send.clone();
        send.send_request(ask(method, path, body)).await.unwrap()
    }

    /// The answer's status to a question of whose announced body only so much comes.
    pub(crate) async fn promise(&self, path: &str, bytes: usize, sent: usize) -> StatusCode {
        let (mut held, body) = ipc::stream(1);
        held.send(vec![b' '; sent]).await.unwrap();
        let mut request = ask(Method::POST, path, "").map(|_| body);
        let headers = request.headers_mut();
        headers.insert("content-length", bytes.to_string().parse().unwrap());
        let mut send = self.send.clone();
        send.send_request(request).await.unwrap().status()
    }

    /// The whole answer.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: &'static str) -> Said {
        let response = self.open(method, path, body).await;
        let retry_after = response.headers().get("retry-after");
        Said {
            status: response.status(),
            retry_after: retry_after.map(|value| value.to_str().unwrap().to_owned()),
            text: {
                let body = response.into_body().collect().await.unwrap().to_bytes();
                String::from_utf8(body.to_vec()).unwrap()
            },
        }
    }

    /// The status that a WebSocket is answered with: 200 where there is one.
    pub(crate) async fn socket(&self, query: &str) -> StatusCode {
        let mut send = self.send.clone();
        let answer = send.send_request(ask_for_socket(query)).await;
        answer.unwrap().status()
    }

    pub(crate) async fn get(&self, path: &str) -> Said {
        self.ask(Method::GET, path, "").await
    }

    /// Begins a conversation; its id.
    pub(crate) async fn begin(&self) -> String {
        let said = self
            .ask(Method::POST, "/b/shop/v1/conversations", "{}")
            .await;
        assert_eq!(said.status, StatusCode::CREATED, "{}", said.text);
        let begun: chat_api::visitor::Begun = serde_json::from_str(&said.text).unwrap();
        begun.conversation
    }
}

/// Starts instances, and waits until the gate knows them.
pub(crate) async fn started<const N: usize>(
    stand: &Stand,
    visitor: &Visitor,
    names: [&str; N],
) -> [Bot; N] {
    let bots = names.map(|name| Bot::start(stand.sockets.path(), name));
    until("the gate knows all", async || {
        let said = visitor.get("/b/shop/v1/bot").await;
        said.status == StatusCode::OK && bots.iter().all(|bot| bot.count(&Method::GET) > 0)
    })
    .await;
    for bot in &bots {
        bot.forget();
    }
    bots
}

/// Where a conversation is asked for.
pub(crate) fn path(conversation: &str) -> String {
    format!("/b/shop/v1/conversations/{conversation}")
}

/// Waits until it is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let waited = tokio::time::timeout(SOON, async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

/// A gate before it is started.
pub(crate) struct Stand {
    pub(crate) settings: String,
    pub(crate) sockets: Folder,
    /// Its credentials, the authority of its peers as `peers.pem`, and the dialer's socket as `dialer.sock`.
    pub(crate) granted: Folder,
    certificate: CertificateDer<'static>,
    front: Option<std::net::TcpListener>,
    address: SocketAddr,
    door: Option<std::net::TcpListener>,
    /// Where other appliances come in.
    pub(crate) door_address: SocketAddr,
    /// Ends it.
    pub(crate) drain: CancellationToken,
}

impl Stand {
    pub(crate) fn new(settings: &str) -> Self {
        let granted = Folder::new();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let pem = format!("{}{}", made.signing_key.serialize_pem(), made.cert.pem());
        granted.file("tls", pem);
        let ((front, address), (door, door_address)) = (listener(), listener());
        Self {
            settings: settings.to_owned(),
            sockets: Folder::new(),
            granted,
            certificate: made.cert.der().clone(),
            front: Some(front),
            address,
            door: Some(door),
            door_address,
            drain: CancellationToken::new(),
        }
    }

    pub(crate) async fn visitor(&self) -> Visitor {
        Visitor::of(self.address, self.certificate.clone()).await
    }

    fn serve(&self, front: std::net::TcpListener, door: std::net::TcpListener) {
        let config: Config = daemon::parse(&format!("{QUICK}{}", self.settings)).unwrap();
        config.check().unwrap();
        let (sockets, granted) = (self.sockets.path(), self.granted.path());
        // What the unit grants, for these folders.
        let plan = Plan::new()
            .read(granted)
            .connect(granted)
            .read(sockets)
            .connect(sockets);
        confined_with(&plan, async move |confined| {
            let credentials = Credentials::in_directory(granted);
            let (authority, dialer) = (granted.join("peers.pem"), granted.join("dialer.sock"));
            let peers = PeerSources::new(&credentials, authority, dialer);
            let edge = Edge::new(&credentials, sockets, config).unwrap();
            let edge = edge.beside(&peers);
            let listen = |listener| vec![TcpListener::from_std(listener).unwrap()];
            let ((), served) = tokio::join!(
                edge.door()
                    .serve(&confined, listen(door), self.drain.clone()),
                edge.serve(&confined, listen(front), self.drain.clone()),
            );
            served.unwrap();
        });
    }
}

fn listener() -> (std::net::TcpListener, SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Runs gates, each on a confined thread of its own, and `test` beside them, unconfined.
pub(crate) fn run<F, Fut, const N: usize>(mut stands: [Stand; N], test: F)
where
    F: FnOnce([Arc<Stand>; N]) -> Fut,
    Fut: Future<Output = ()>,
{
    let mut listeners = Vec::new();
    for stand in &mut stands {
        listeners.push((stand.front.take().unwrap(), stand.door.take().unwrap()));
    }
    let stands = stands.map(Arc::new);
    std::thread::scope(|scope| {
        let mut stop = Vec::new();
        for (stand, (front, door)) in stands.iter().zip(listeners) {
            stop.push(stand.drain.clone().drop_guard());
            scope.spawn(move || stand.serve(front, door));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let test = async {
            tokio::time::timeout(PATIENCE, test(stands.clone()))
                .await
                .unwrap()
        };
        runtime.block_on(test);
        drop(stop);
    });
}

/// Runs one gate, and `test` beside it.
pub(crate) fn with_gate<F, Fut>(test: F)
where
    F: FnOnce(Arc<Stand>, Visitor) -> Fut,
    Fut: Future<Output = ()>,
{
    run([Stand::new("")], async move |[stand]| {
        let visitor = stand.visitor().await;
        test(stand, visitor).await;
    });
}
