//! Handshakes with a gate that is confined as in service.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::StatusCode;
use http_body_util::BodyExt as _;
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Resumption};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CipherSuite, ClientConfig, HandshakeKind, NamedGroup};
use tokio::io::AsyncReadExt as _;

use super::stage::{Authority, Issued, Stage};
use crate::visitor::{Gate, client, get, http1, http2, shown, text};

/// Asks the gate for its health on a fresh connection; what was negotiated.
async fn visit(
    gate: &Gate,
    client: &ClientConfig,
) -> std::io::Result<(CipherSuite, NamedGroup, HandshakeKind, bool)> {
    let stream = gate
        .shake_with(client.clone(), "localhost", "http/1.1")
        .await?;
    let tls = stream.get_ref().1;
    let suite = tls.negotiated_cipher_suite().unwrap().suite();
    let group = tls.negotiated_key_exchange_group().unwrap().name();
    let (kind, early) = (tls.handshake_kind().unwrap(), tls.is_early_data_accepted());
    // TLS 1.3 tells a client that it was refused, and brings tickets, only now.
    let mut send = http1(stream).await;
    let answer = send.send_request(get("/healthz")).await;
    let answer = answer.map_err(std::io::Error::other)?;
    assert_eq!(answer.status(), StatusCode::OK);
    text(answer).await;
    Ok((suite, group, kind, early))
}

fn with(
    groups: &[&'static dyn SupportedKxGroup],
    suites: &[rustls::SupportedCipherSuite],
) -> CryptoProvider {
    CryptoProvider {
        kx_groups: groups.to_vec(),
        cipher_suites: suites.to_vec(),
        ..default_provider()
    }
}

#[test]
fn long_keys_and_post_quantum_key_agreement_are_negotiated_and_nothing_less() {
    let stage = Stage::new();
    let roots = [stage.authority.certificate.clone()];
    stage.run(async |gate| {
        let aes = cipher_suite::TLS13_AES_256_GCM_SHA384;
        let chacha = cipher_suite::TLS13_CHACHA20_POLY1305_SHA256;
        let short = cipher_suite::TLS13_AES_128_GCM_SHA256;
        let (quantum, curve) = (kx_group::X25519MLKEM768, kx_group::X25519);
        let negotiated = async |provider| {
            let (suite, group, kind, early) = visit(&gate, &client(&roots, provider)).await.ok()?;
            assert!(kind != HandshakeKind::Resumed && !early);
            Some((suite, group))
        };
        let best = Some((
            CipherSuite::TLS13_AES_256_GCM_SHA384,
            NamedGroup::X25519MLKEM768,
        ));
        assert_eq!(negotiated(default_provider()).await, best);
        // Even for one that would rather have the curve alone.
        assert_eq!(
            negotiated(with(&[curve, quantum], &[short, aes]))
                .await
                .map(|(suite, _)| suite),
            best.map(|(suite, _)| suite)
        );
        assert_eq!(
            negotiated(with(&[curve], &[chacha])).await,
            Some((
                CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
                NamedGroup::X25519
            ))
        );
        assert_eq!(negotiated(with(&[curve, quantum], &[short])).await, None);
        assert_eq!(
            negotiated(with(&[kx_group::SECP256R1, kx_group::SECP384R1], &[aes])).await,
            None
        );
    });
}

#[test]
fn a_visitor_gets_the_certificate_of_the_name_that_was_asked_for() {
    let stage = Stage::new();
    let shop = stage.certify("shop", &["shop.example", "*.shop.example"]);
    let other = stage.certify("other", &["other.example"]);
    stage.run(async |gate| {
        let of = async |name: &str| {
            gate.shake(name, "h2")
                .await
                .map(|stream| shown(&stream))
                .ok()
        };
        assert_eq!(of("shop.example").await, Some(shop.clone()));
        assert_eq!(of("a.shop.example").await, Some(shop.clone()));
        assert_eq!(of("other.example").await, Some(other));
        let local = of("localhost").await.unwrap();
        assert!(local != shop);
        // Without a name, as whoever visits an address.
        assert_eq!(of("127.0.0.1").await, Some(local));
        // It is shown another, which it does not take.
        assert_eq!(of("a.a.shop.example").await, None);
    });
}

/// Counts the tickets that it is given.
#[derive(Debug)]
struct Counting(ClientSessionMemoryCache, AtomicUsize);

impl ClientSessionStore for Counting {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(name, group);
    }
    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(name)
    }
    fn set_tls12_session(
        &self,
        _: ServerName<'static>,
        _: rustls::client::Tls12ClientSessionValue,
    ) {
    }
    fn tls12_session(&self, _: &ServerName<'_>) -> Option<rustls::client::Tls12ClientSessionValue> {
        None
    }
    fn remove_tls12_session(&self, _: &ServerName<'static>) {}
    fn insert_tls13_ticket(
        &self,
        name: ServerName<'static>,
        ticket: rustls::client::Tls13ClientSessionValue,
    ) {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.insert_tls13_ticket(name, ticket);
    }
    fn take_tls13_ticket(
        &self,
        name: &ServerName<'static>,
    ) -> Option<rustls::client::Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(name)
    }
}

#[test]
fn tickets_resume_also_after_a_reload_and_nothing_is_taken_early() {
    let stage = Stage::new();
    stage.run(async |gate| {
        let store = Arc::new(Counting(
            ClientSessionMemoryCache::new(8),
            AtomicUsize::new(0),
        ));
        let mut client = gate.client.clone();
        client.resumption = Resumption::store(store.clone());
        client.enable_early_data = true;
        let tickets = || store.1.load(Ordering::Relaxed);
        let (.., kind, _) = visit(&gate, &client).await.unwrap();
        assert_eq!((kind, tickets()), (HandshakeKind::Full, 2));
        let (.., kind, early) = visit(&gate, &client).await.unwrap();
        assert_eq!((kind, early, tickets()), (HandshakeKind::Resumed, false, 4));
        stage.certify("local", &["localhost"]);
        gate.reload().await;
        let (.., kind, early) = visit(&gate, &client).await.unwrap();
        assert_eq!((kind, early), (HandshakeKind::Resumed, false));
    });
}

#[test]
fn a_new_certificate_is_used_after_a_reload_while_a_stream_goes_on() {
    let stage = Stage::new();
    stage.run(async |gate| {
        let stream = gate.shake("localhost", "h2").await.unwrap();
        let old = shown(&stream);
        let mut send = http2(stream).await;
        let mut events = send.send_request(get("/b/shop/v1/events")).await.unwrap();
        let mut event = async || events.body_mut().frame().await.unwrap().unwrap();
        event().await;
        let shown = async || shown(&gate.shake("localhost", "h2").await.unwrap());
        let new = stage.certify("local", &["localhost"]);
        // Not before it is asked to.
        assert_eq!(shown().await, old);
        gate.reload().await;
        assert_eq!(shown().await, new);
        // A file that is torn leaves what was in use.
        stage.put("local", "-----BEGIN PRIVATE KEY-----\nMII");
        gate.reload().await;
        assert_eq!(shown().await, new);
        // So does a key that is another certificate's.
        let (one, two) = (
            stage.authority.issue(&["localhost"]),
            stage.authority.issue(&["localhost"]),
        );
        let at = |pem: &str| pem.find("-----BEGIN CERTIFICATE").unwrap();
        stage.put(
            "local",
            &format!("{}{}", &one.pem[..at(&one.pem)], &two.pem[at(&two.pem)..]),
        );
        gate.reload().await;
        assert_eq!(shown().await, new);
        // And a folder in which there is nothing.
        std::fs::remove_file(stage.folder.path().join("tls/local.pem")).unwrap();
        gate.reload().await;
        assert_eq!(shown().await, new);
        for _ in 0..3 {
            event().await;
        }
        // The connection too goes on, for other requests.
        let answer = send.send_request(get("/b/shop/v1/x")).await.unwrap();
        assert_eq!(text(answer).await, "GET /v1/x");
    });
}

#[test]
fn the_credential_is_used_where_the_folder_holds_nothing_and_until_it_does() {
    let stage = Stage::new();
    let fixed = stage.authority.issue(&["localhost"]);
    std::fs::remove_file(stage.folder.path().join("tls/local.pem")).unwrap();
    stage.folder.file("credentials/tls", &fixed.pem);
    stage.run(async |gate| {
        let shown = async || shown(&gate.shake("localhost", "h2").await.unwrap());
        assert_eq!(shown().await, fixed.certificate.clone());
        let new = stage.certify("local", &["localhost"]);
        gate.reload().await;
        assert_eq!(shown().await, new);
    });
}

/// The certificate that the gate shows to an authority that asks for a name.
async fn challenged(
    gate: &Gate,
    name: &str,
    trusted: &CertificateDer<'static>,
) -> Option<CertificateDer<'static>> {
    let client = client(std::slice::from_ref(trusted), default_provider());
    let mut stream = gate.shake_with(client, name, "acme-tls/1").await.ok()?;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"acme-tls/1"[..]));
    // It is closed at once, in order, and nothing was said.
    let mut said = Vec::new();
    assert_eq!(stream.read_to_end(&mut said).await.unwrap(), 0);
    Some(shown(&stream))
}

#[test]
fn a_challenge_is_answered_with_its_certificate_and_nothing_else() {
    let stage = Stage::new();
    let other = Authority::new();
    let answer = other.issue(&["new.example"]);
    stage
        .folder
        .file("challenges/alpn/new.example.pem", &answer.pem);
    // Where a name that is no name would lead.
    stage.folder.file("challenges/new.example.pem", &answer.pem);
    stage.run(async |gate| {
        let root = &other.certificate;
        assert_eq!(
            challenged(&gate, "new.example", root).await,
            Some(answer.certificate.clone())
        );
        assert_eq!(
            challenged(&gate, "NEW.example", root).await,
            Some(answer.certificate.clone())
        );
        assert_eq!(challenged(&gate, "none.example", root).await, None);
        // A visitor that speaks something else too is no authority.
        let mut client = client(
            &[root.clone(), stage.authority.certificate.clone()],
            default_provider(),
        );
        client.alpn_protocols = vec![b"acme-tls/1".to_vec(), b"http/1.1".to_vec()];
        let stream = tokio::net::TcpStream::connect(gate.address).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
        let stream = connector
            .connect(ServerName::try_from("localhost").unwrap(), stream)
            .await
            .unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        // It can be read at any time, and is not kept.
        std::fs::remove_file(stage.folder.path().join("challenges/alpn/new.example.pem")).unwrap();
        assert_eq!(challenged(&gate, "new.example", root).await, None);
    });
}

#[test]
fn whoever_has_no_certificate_of_the_authority_is_refused_but_for_challenges() {
    let mut stage = Stage::new();
    let (network, stranger) = (Authority::new(), Authority::new());
    let path = stage.folder.file("origin-pull.pem", &network.pem);
    stage.settings = format!("[tls]\nclient_ca = {path:?}\n");
    let answer = network.issue(&["new.example"]);
    stage
        .folder
        .file("challenges/alpn/new.example.pem", &answer.pem);
    let root = stage.authority.certificate.clone();
    let presenting = |issued: Issued| {
        let mut store = rustls::RootCertStore::empty();
        store.add(root.clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(store)
            .with_client_auth_cert(vec![issued.certificate], issued.key)
            .unwrap()
    };
    stage.run(async |gate| {
        let good = presenting(network.issue(&["network.example"]));
        let (.., kind, _) = visit(&gate, &good).await.unwrap();
        assert_eq!(kind, HandshakeKind::Full);
        let (.., kind, _) = visit(&gate, &good).await.unwrap();
        assert_eq!(kind, HandshakeKind::Resumed);
        assert!(visit(&gate, &gate.client).await.is_err());
        let strange = presenting(stranger.issue(&["network.example"]));
        assert!(visit(&gate, &strange).await.is_err());
        let shown = challenged(&gate, "new.example", &network.certificate).await;
        assert_eq!(shown, Some(answer.certificate.clone()));
    });
}
