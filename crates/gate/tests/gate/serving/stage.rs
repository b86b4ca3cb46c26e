//! A gate on a confined thread with a bot `shop` behind it, an authority that signs its
//! certificates, and visitors.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use casemate_gate::{Config, Edge, Sources};
use http::Response;
use http_body_util::{BodyExt as _, Channel};
use hyper::body::Bytes;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sandbox::{Confined, Plan};
use secret::Credentials;
use testkit::Folder;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::stand::{beside, listener};
use crate::visitor::{Gate, client};

/// How often the bot's stream of events says something.
const EVENT_EVERY: Duration = Duration::from_millis(20);

/// An authority, and the certificates that it signs.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) pem: String,
}

/// A private key and certificate.
pub(crate) struct Issued {
    pub(crate) pem: String,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued {
            pem: format!("{}{}", key.serialize_pem(), certificate.pem()),
            certificate: certificate.der().clone(),
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        }
    }
}

/// Where a gate is set up before it is started.
pub(crate) struct Stage {
    pub(crate) authority: Authority,
    pub(crate) folder: Folder,
    pub(crate) settings: String,
    /// Whether it is to follow who decides on bans, at `events.sock` in the folder.
    pub(crate) is_guarded: bool,
}

impl Stage {
    /// With one certificate, for `localhost`.
    pub(crate) fn new() -> Self {
        let folder = Folder::new();
        for name in [
            "tls",
            "challenges",
            "challenges/http",
            "challenges/alpn",
            "credentials",
            "bots",
        ] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let stage = Self {
            authority: Authority::new(),
            folder,
            settings: String::new(),
            is_guarded: false,
        };
        stage.certify("local", &["localhost", "127.0.0.1"]);
        stage
    }

    /// Puts a new certificate into the gate's folder, by renaming, as certs does.
    pub(crate) fn certify(&self, file: &str, names: &[&str]) -> CertificateDer<'static> {
        let issued = self.authority.issue(names);
        self.put(file, &issued.pem);
        issued.certificate
    }

    pub(crate) fn put(&self, file: &str, text: &str) {
        let made = self.folder.file(&format!("tls/{file}.new"), text);
        std::fs::rename(made, self.folder.path().join(format!("tls/{file}.pem"))).unwrap();
    }

    fn edge(&self) -> Edge {
        let path = self.folder.path();
        let sources = Sources::from(&Credentials::in_directory(path.join("credentials")))
            .folder(path.join("tls"))
            .challenges(path.join("challenges"));
        // All visitors come from one address.
        let settings = format!("{}\n[limits]\nexempt = [\"127.0.0.0/8\"]\n", self.settings);
        let config: Config = daemon::parse(&settings).unwrap();
        config.check().unwrap();
        Edge::new(sources, &path.join("bots"), config).unwrap()
    }

    /// What the unit grants, for these folders.
    fn plan(&self) -> Plan {
        Plan::new()
            .read(self.folder.path())
            .connect_packets(self.folder.path())
    }

    /// Runs the gate, and `test` beside it, unconfined, as its visitors.
    pub(crate) fn run<F, Fut>(&self, test: F)
    where
        F: FnOnce(Gate) -> Fut,
        Fut: Future<Output = ()>,
    {
        let (front, address) = listener();
        let (plain, plain_address) = listener();
        let bots = self.folder.path().join("bots");
        let back = std::os::unix::net::UnixListener::bind(bots.join("shop.sock")).unwrap();
        back.set_nonblocking(true).unwrap();
        let (reload, reloads) = mpsc::channel(1);
        let (restart, restarts) = mpsc::channel(1);
        let roots = [self.authority.certificate.clone()];
        let gate = Gate {
            address,
            plain: plain_address,
            client: client(&roots, aws_lc_rs::default_provider()),
            reload,
            restart,
        };
        let serve = async |confined: Confined, end: CancellationToken| {
            let back = UnixListener::from_std(back).unwrap();
            let limits = ipc::Limits::default();
            tokio::join!(
                self.serve(&confined, front, plain, reloads, restarts, end.clone()),
                ipc::serve_streams(&confined, back, limits, end.clone(), bot),
            );
        };
        beside(&self.plan(), serve, async || test(gate).await);
    }

    /// Serves with one gate after another on the same listener, as the service manager
    /// would start them: the next when the one before has ended.
    async fn serve(
        &self,
        confined: &Confined,
        front: std::net::TcpListener,
        plain: std::net::TcpListener,
        mut reloads: mpsc::Receiver<oneshot::Sender<()>>,
        mut restarts: mpsc::Receiver<oneshot::Sender<()>>,
        end: CancellationToken,
    ) {
        let mut told = None::<oneshot::Sender<()>>;
        loop {
            let edge = self.edge();
            if self.is_guarded {
                edge.follow(&self.folder.path().join("events.sock")).await;
            }
            let listen = |listener: &std::net::TcpListener| {
                vec![TcpListener::from_std(listener.try_clone().unwrap()).unwrap()]
            };
            let (front, plain) = (listen(&front), listen(&plain));
            let drain = end.child_token();
            let reloader = edge.reloader();
            let answer = async {
                loop {
                    tokio::select! {
                        Some(done) = reloads.recv() => {
                            reloader.reload().await;
                            done.send(()).unwrap();
                        }
                        Some(done) = restarts.recv() => break Some(done),
                        () = end.cancelled() => break None,
                    }
                }
            };
            let stop = async {
                let asked = answer.await;
                drain.cancel();
                asked
            };
            if let Some(told) = told.take() {
                told.send(()).unwrap();
            }
            let ((), (), asked) = tokio::join!(
                edge.plain().serve(confined, plain, drain.clone()),
                async { edge.serve(confined, front, drain.clone()).await.unwrap() },
                stop,
            );
            match asked {
                Some(done) => told = Some(done),
                None => return,
            }
        }
    }
}

/// The bot: events without end at `/v1/events`, and else what reached it.
async fn bot(_peer: ipc::Peer, request: ipc::Request) -> ipc::Response {
    if request.uri().path() == "/v1/events" {
        let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
        tokio::spawn(async move {
            let event = Bytes::from_static(b"data: x\n\n");
            while sender.send_data(event.clone()).await.is_ok() {
                tokio::time::sleep(EVENT_EVERY).await;
            }
        });
        let body = body.map_err(|never| match never {}).boxed_unsync();
        let response = Response::builder().header("content-type", "text/event-stream");
        return response.body(body).unwrap();
    }
    let said = format!("{} {}", request.method(), request.uri());
    Response::new(ipc::full(said))
}
