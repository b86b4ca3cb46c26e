//! The port for other appliances lets nobody else in, and sends nothing on.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::appliances::Authority;
use super::bot::Bot;
use super::stage::{Stand, run};

/// What somebody shows who comes.
struct Guest<'a> {
    /// The authority by which he knows the appliance.
    authority: &'a str,
    /// His key and certificate.
    own: Option<&'a str>,
    alpn: &'static [u8],
    version: &'static rustls::SupportedProtocolVersion,
}

impl Guest<'_> {
    /// The status and the text of the answer to a request, if there is one at all.
    async fn ask(
        &self,
        address: SocketAddr,
        path: &str,
        forwarded: Option<&str>,
    ) -> Option<(StatusCode, String)> {
        let mut roots = rustls::RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(self.authority.as_bytes()).unwrap();
        roots.add(authority).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[self.version])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match self.own {
            None => config.with_no_client_auth(),
            Some(pem) => {
                let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
                config
                    .with_client_auth_cert(vec![certificate], key)
                    .unwrap()
            }
        };
        config.alpn_protocols = vec![self.alpn.to_vec()];
        let stream = TcpStream::connect(address).await.unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("north").unwrap();
        let stream = connector.connect(name, stream).await.ok()?;
        let mut request = Request::builder()
            .method(Method::GET)
            .uri(format!("https://north{path}"));
        if let Some(forwarded) = forwarded {
            request = request.header("forwarded", forwarded);
        }
        let request = request.body(Full::<Bytes>::default()).unwrap();
        // A guest who is refused learns it with his first words (RFC 8446, appendix E.1.2).
        let handshake =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut send, connection) = handshake.await.ok()?;
        tokio::spawn(connection);
        let response = send.send_request(request).await.ok()?;
        let status = response.status();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        Some((status, String::from_utf8(body.to_vec()).unwrap()))
    }
}

const OF_NORTH: &str = "
[appliance]
name = 'north'
[[appliances]]
name = 'south'
address = '127.0.0.1:9'
";

#[test]
fn only_an_appliance_that_is_named_gets_in() {
    let (authority, other) = (Authority::new(), Authority::new());
    let stand = Stand::new(OF_NORTH);
    stand.granted.file("peers.pem", &authority.pem);
    stand.granted.file("gate.peer", authority.issue("north"));
    run([stand], async |[stand]| {
        let bot = Bot::start(stand.sockets.path(), "shop");
        tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
        let south = authority.issue("south");
        let guest = |own| Guest {
            authority: &authority.pem,
            own,
            alpn: b"h2",
            version: &rustls::version::TLS13,
        };
        let path = "/b/shop/v1/bot";
        let address = stand.door_address;
        let known = guest(Some(&south));
        let for_visitor = Some("for=192.0.2.7;proto=https");
        let said = known.ask(address, path, for_visitor).await.unwrap();
        assert_eq!(said, (StatusCode::OK, "shop".to_owned()));
        assert_eq!(bot.forwarded().unwrap(), "for=192.0.2.7;proto=https");
        let asked = bot.count(&Method::GET);
        let (strange, unnamed, own) = (
            other.issue("south"),
            authority.issue("east"),
            authority.issue("north"),
        );
        for (who, own) in [
            ("without a certificate", None),
            ("of another authority", Some(&*strange)),
            ("of a name that is not listed", Some(&*unnamed)),
            ("of the appliance's own name", Some(&*own)),
        ] {
            assert_eq!(
                guest(own).ask(address, path, for_visitor).await,
                None,
                "{who}"
            );
        }
        let http1 = Guest {
            alpn: b"http/1.1",
            ..guest(Some(&south))
        };
        assert_eq!(http1.ask(address, path, for_visitor).await, None);
        let old = Guest {
            version: &rustls::version::TLS12,
            ..guest(Some(&south))
        };
        assert_eq!(old.ask(address, path, for_visitor).await, None);
        assert_eq!(bot.count(&Method::GET), asked);
        // What the door takes is what appliances ask one another.
        let (status, _) = known.ask(address, "/healthz", None).await.unwrap();
        assert_eq!(status, StatusCode::OK);
        for (path, forwarded, expected) in [
            (path, None, StatusCode::BAD_REQUEST),
            (path, Some("for=unknown"), StatusCode::BAD_REQUEST),
            ("/", for_visitor, StatusCode::BAD_REQUEST),
            ("/b/shop", for_visitor, StatusCode::BAD_REQUEST),
            // Not here, and nobody else is asked.
            (
                "/b/other/v1/bot",
                for_visitor,
                StatusCode::MISDIRECTED_REQUEST,
            ),
        ] {
            let (status, text) = known.ask(address, path, forwarded).await.unwrap();
            assert_eq!(status, expected, "{path} {forwarded:?}: {text}");
        }
    });
}

#[test]
fn without_other_appliances_the_door_is_closed_to_all() {
    let authority = Authority::new();
    let stand = Stand::new("");
    stand.granted.file("peers.pem", &authority.pem);
    stand.granted.file("gate.peer", authority.issue("north"));
    run([stand], async |[stand]| {
        let south = authority.issue("south");
        let guest = Guest {
            authority: &authority.pem,
            own: Some(&south),
            alpn: b"h2",
            version: &rustls::version::TLS13,
        };
        assert_eq!(guest.ask(stand.door_address, "/healthz", None).await, None);
        // It answers for its visitors.
        let _bot = Bot::start(stand.sockets.path(), "shop");
        let visitor = stand.visitor().await;
        assert_eq!(visitor.get("/b/shop/v1/bot").await.status, StatusCode::OK);
    });
}
