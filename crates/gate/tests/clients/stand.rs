//! A gate on a confined thread, a bot `shop` behind it, and what both write to the journal.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use casemate_gate::{Config, Edge};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use sandbox::Plan;
use secret::Credentials;
use testkit::{Folder, confined_with};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// How long the bot takes for the second half of what is below `/slow`.
pub(crate) const SLOW: Duration = Duration::from_millis(700);

/// One journal record by its fields.
pub(crate) type Record = BTreeMap<String, String>;

/// The bot: says what reached it.
async fn bot(_peer: ipc::Peer, request: ipc::Request) -> ipc::Response {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value
            .map_or("none", |value| value.to_str().unwrap())
            .to_owned()
    };
    let said = format!(
        "{} {} forwarded={} request={}",
        request.method(),
        request.uri(),
        header("forwarded"),
        header("x-request-id")
    );
    if request.uri().path() == "/slow" {
        let (mut sender, body) = ipc::stream(1);
        tokio::spawn(async move {
            sender.send("first ").await.unwrap();
            tokio::time::sleep(SLOW).await;
            let _ = sender.send("second").await;
        });
        return Response::new(body);
    }
    if request.uri().path() == "/stuck" {
        std::future::pending::<()>().await;
    }
    if request.uri().path() == "/frame" {
        let mut response = Response::new(ipc::full(said));
        let policy = "default-src 'none'; frame-ancestors https://shop.example";
        let headers = response.headers_mut();
        headers.insert("content-security-policy", policy.parse().unwrap());
        headers.insert(
            "cross-origin-resource-policy",
            "cross-origin".parse().unwrap(),
        );
        return response;
    }
    Response::new(ipc::full(said))
}

#[derive(Clone, Default)]
struct Records(Arc<Mutex<Vec<Record>>>);

struct Fields(Record);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl<S: tracing::Subscriber> Layer<S> for Records {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(Record::new());
        event.record(&mut fields);
        fields
            .0
            .insert("target".into(), event.metadata().target().into());
        self.0.lock().unwrap().push(fields.0);
    }
}

/// The gate as a visitor sees it.
pub(crate) struct Stand {
    pub(crate) address: SocketAddr,
    certificate: CertificateDer<'static>,
    records: Records,
}

impl Stand {
    /// The records of a target so far.
    pub(crate) fn records(&self, target: &str) -> Vec<Record> {
        let records = self.records.0.lock().unwrap();
        let of_target = records.iter().filter(|record| record["target"] == target);
        of_target.cloned().collect()
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
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        let mut stream = TcpStream::connect(self.address).await?;
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
        let stream = self.connect(b"http/1.1", first).await?;
        let (send, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Ok(send)
    }

    /// A connection that speaks HTTP/2.
    pub(crate) async fn http2(&self) -> http2::SendRequest<Full<Bytes>> {
        let stream = self.connect(b"h2", b"").await.unwrap();
        let io = TokioIo::new(stream);
        let handshake = http2::handshake(TokioExecutor::new(), io);
        let (send, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        send
    }
}

/// Runs a gate with these settings, and `test` beside it, unconfined, as a visitor.
pub(crate) fn with_gate<F, Fut>(settings: &str, test: F)
where
    F: FnOnce(Stand) -> Fut,
    Fut: Future<Output = ()>,
{
    let config: Config = daemon::parse(settings).unwrap();
    config.check().unwrap();
    let folder = Folder::new();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let pem = format!("{}{}", made.signing_key.serialize_pem(), made.cert.pem());
    folder.file("tls", pem);
    let front = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    front.set_nonblocking(true).unwrap();
    let back = std::os::unix::net::UnixListener::bind(folder.path().join("shop.sock")).unwrap();
    back.set_nonblocking(true).unwrap();
    let drain = CancellationToken::new();
    let stand = Stand {
        address: front.local_addr().unwrap(),
        certificate: made.cert.der().clone(),
        records: Records::default(),
    };
    std::thread::scope(|scope| {
        let (served, records, path) = (drain.clone(), stand.records.clone(), folder.path());
        scope.spawn(move || serve(path, config, front, back, served, records));
        let stop = drain.clone().drop_guard();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(20), test(stand))
                .await
                .unwrap();
        });
        drop(stop);
    });
}

fn serve(
    folder: &Path,
    config: Config,
    front: std::net::TcpListener,
    back: std::os::unix::net::UnixListener,
    drain: CancellationToken,
    records: Records,
) {
    let plan = Plan::new().read(folder).connect(folder);
    confined_with(&plan, async move |confined| {
        let subscriber = tracing_subscriber::registry().with(records);
        let _guard = tracing::subscriber::set_default(subscriber);
        let credentials = Credentials::in_directory(folder);
        let edge = Edge::new(&credentials, folder, config).unwrap();
        let listeners = vec![TcpListener::from_std(front).unwrap()];
        let back = UnixListener::from_std(back).unwrap();
        let limits = ipc::Limits::default();
        tokio::join!(
            edge.serve(&confined, listeners, drain.clone()),
            ipc::serve(&confined, back, limits, drain.clone(), bot),
        );
    });
}

/// A request of a browser.
pub(crate) fn ask(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("https://localhost{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}

/// A request as HTTP/1.1 has it.
pub(crate) fn ask1(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    ask(method, path, &[&[("host", "localhost")], headers].concat())
}

/// The body of an answer.
pub(crate) async fn text(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}
