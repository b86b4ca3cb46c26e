//! The broker and a provider behind TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::support::{Outside, events, question, text, with_broker};
use llm_api::{Event, FailKind, Failed};
use rustls::{ServerConfig, SupportedProtocolVersion, crypto::aws_lc_rs, version};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

type Versions = &'static [&'static SupportedProtocolVersion];
const NEW: Versions = &[&version::TLS13];
const OLD: Versions = &[&version::TLS12];

/// Serves the stand-in behind TLS with a certificate of its own for `name`; the address and the certificate (PEM).
fn behind_tls(provider: SocketAddr, name: &str, versions: Versions) -> (SocketAddr, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let settings = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(settings));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((outer, _)) = listener.accept().await {
                // A broker that does not trust the certificate goes away here.
                let Ok(mut outer) = acceptor.accept(outer).await else {
                    continue;
                };
                let mut inner = TcpStream::connect(provider).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
            }
        });
    });
    (address, made.cert.pem())
}

fn ask(name: &str, trusted: bool, versions: Versions) -> Vec<Event> {
    let mut outside = Outside::start_for(|provider| behind_tls(provider, name, versions));
    let pem = std::mem::take(&mut outside.certificate);
    let file = outside.folder.file("ca.pem", pem);
    let trust = if trusted {
        format!("ca_file = {file:?}\n")
    } else {
        String::new()
    };
    let config = format!(
        "[[provider]]\nname = \"p\"\nmodel = \"answers\"\nbase_url = \"https://{}/v1\"\ncredential = \"provider.good\"\n{trust}",
        outside.reach
    );
    with_broker(&outside, &config, async |client| {
        events(&client, &question("p")).await
    })
}

#[test]
fn a_provider_with_a_trusted_certificate_answers() {
    for versions in [NEW, OLD] {
        let got = ask("127.0.0.1", true, versions);
        assert!(text(&got).starts_with("Our returns desk"), "{got:?}");
    }
}

#[test]
fn one_that_cannot_prove_its_name_is_sent_nothing() {
    for (name, trusted) in [("127.0.0.1", false), ("elsewhere.example", true)] {
        let got = ask(name, trusted, NEW);
        assert_eq!(
            got,
            [Event::Failed(Failed {
                kind: FailKind::Refused,
                retry: false
            })],
            "{name}"
        );
    }
}
