//! The port that is not encrypted, of a gate that is confined as in service.

use std::time::{Duration, Instant};

use event::wire::Ban;
use testkit::decider::Decider;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::stage::Stage;
use crate::clients::PROXY;
use crate::visitor::Gate;

/// Sends bytes on a fresh connection and reads until it is closed.
async fn said(gate: &Gate, sent: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(gate.plain).await.unwrap();
    stream.write_all(sent.as_ref()).await.unwrap();
    let mut said = Vec::new();
    // A reset after the answer is how a body that was not read ends.
    let _ = stream.read_to_end(&mut said).await;
    String::from_utf8(said).unwrap().to_ascii_lowercase()
}

async fn get(gate: &Gate, path: &str, host: &str) -> String {
    said(gate, format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await
}

#[test]
fn a_trusted_proxy_speaks_its_protocol_here_too_and_nobody_else_does() {
    let asked = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".as_slice();
    let by_proxy = [PROXY, asked].concat();
    for (trusted, taken, refused) in [
        ("127.0.0.0/8", by_proxy.as_slice(), asked),
        ("10.0.0.0/8", asked, by_proxy.as_slice()),
    ] {
        let mut stage = Stage::new();
        stage.settings = format!("[proxies]\nnetworks = ['{trusted}']\nproxy_protocol = true\n");
        stage.run(async |gate| {
            let answer = said(&gate, taken).await;
            assert!(answer.starts_with("http/1.1 308 "), "{trusted}: {answer}");
            assert_eq!(said(&gate, refused).await, "", "{trusted}");
        });
    }
}

#[test]
fn who_is_banned_is_not_answered_here_either() {
    let mut stage = Stage::new();
    stage.is_guarded = true;
    let bound = Decider::bind(&stage.folder.path().join("events.sock"));
    stage.run(async |gate| {
        let decider = bound.decide();
        let prefix = "127.0.0.1/32".parse().unwrap();
        let left_s = Some(600);
        decider.judge(move |_| Some(Ban { prefix, left_s }));
        let answer = get(&gate, "/b/shop/", "localhost").await;
        assert!(answer.starts_with("http/1.1 308 "), "{answer}");
        assert_eq!(get(&gate, "//WP-login.php", "localhost").await, "");
        // Nothing says whether a page led a browser here.
        assert_eq!(decider.told()[0].name, "honeypot-linked");
        assert_eq!(get(&gate, "/b/shop/", "localhost").await, "");
    });
}

#[test]
fn one_whom_a_proxy_names_in_a_header_is_refused_and_others_are_not() {
    let mut stage = Stage::new();
    stage.settings =
        "[proxies]\nnetworks = ['127.0.0.0/8']\nheader = 'x-forwarded-for'\n".to_owned();
    stage.is_guarded = true;
    let bound = Decider::bind(&stage.folder.path().join("events.sock"));
    stage.run(async |gate| {
        let decider = bound.decide();
        let prefix = "198.51.100.1/32".parse().unwrap();
        let left_s = Some(600);
        decider.judge(move |_| Some(Ban { prefix, left_s }));
        let get = async |path: &str, client: &str| {
            let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n");
            said(&gate, format!("{head}X-Forwarded-For: {client}\r\n\r\n")).await
        };
        let (bad, good) = ("198.51.100.1", "198.51.100.2");
        assert!(get("/", bad).await.starts_with("http/1.1 308 "));
        assert!(get("/.env", bad).await.starts_with("http/1.1 403 "));
        let [told] = decider.told().try_into().unwrap();
        assert_eq!(told.client, Some(bad.parse().unwrap()));
        assert!(get("/", bad).await.starts_with("http/1.1 403 "));
        assert!(get("/", good).await.starts_with("http/1.1 308 "));
        // A proxy stands for many.
        decider.ban("127.0.0.0/8".parse().unwrap(), None);
        decider.ban("198.51.100.3/32".parse().unwrap(), None);
        while get("/", "198.51.100.3").await.starts_with("http/1.1 308 ") {}
        assert!(get("/", good).await.starts_with("http/1.1 308 "));
    });
}

#[test]
fn visitors_are_led_to_https_on_the_hosts_of_this_gate_alone() {
    let stage = Stage::new();
    stage.certify("shop", &["shop.example", "*.shop.example"]);
    stage.run(async |gate| {
        for (host, there) in [
            ("localhost", "https://localhost/b/shop/?q=1\r\n"),
            ("Shop.Example:80", "https://shop.example/b/shop/?q=1\r\n"),
            ("a.shop.example", "https://a.shop.example/b/shop/?q=1\r\n"),
            ("127.0.0.1:8080", "https://127.0.0.1/b/shop/?q=1\r\n"),
        ] {
            let answer = get(&gate, "/b/shop/?q=1", host).await;
            assert!(answer.starts_with("http/1.1 308 "), "{host}: {answer}");
            assert!(
                answer.contains(&format!("location: {there}")),
                "{host}: {answer}"
            );
            assert!(answer.contains("connection: close\r\n"), "{answer}");
            // Whoever is in between could set it for good.
            assert!(!answer.contains("strict-transport-security"), "{answer}");
        }
        for host in ["evil.example", "a.a.shop.example", "127.0.0.2"] {
            let answer = get(&gate, "/", host).await;
            assert!(
                answer.starts_with("http/1.1 421 ") && !answer.contains("location"),
                "{answer}"
            );
        }
        // The address goes before the header.
        let answer = get(&gate, "http://evil.example/", "localhost").await;
        assert!(answer.starts_with("http/1.1 421 "), "{answer}");
        let twice = "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n";
        for bad in [
            twice,
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        ] {
            let answer = said(&gate, bad).await;
            assert!(answer.starts_with("http/1.1 400 "), "{bad:?}: {answer}");
        }
        // A certificate that comes by a reload brings its host.
        stage.certify("evil", &["evil.example"]);
        gate.reload().await;
        let answer = get(&gate, "/", "evil.example").await;
        assert!(
            answer.contains("location: https://evil.example/\r\n"),
            "{answer}"
        );
    });
}

#[test]
fn another_port_of_https_is_named() {
    let mut stage = Stage::new();
    stage.settings = "[http]\nredirect_port = 8443\n".to_owned();
    stage.run(async |gate| {
        let answer = get(&gate, "/", "localhost:8080").await;
        assert!(
            answer.contains("location: https://localhost:8443/\r\n"),
            "{answer}"
        );
    });
}

#[test]
fn challenges_are_answered_from_their_folder_and_no_other() {
    let stage = Stage::new();
    stage
        .folder
        .file("challenges/http/To-ken_1", "To-ken_1.thumb");
    stage.folder.file("challenges/secret", "secret");
    stage.run(async |gate| {
        let at = async |name: &str| {
            get(
                &gate,
                &format!("/.well-known/acme-challenge/{name}"),
                "new.example",
            )
            .await
        };
        let answer = at("To-ken_1").await;
        assert!(answer.starts_with("http/1.1 200 "), "{answer}");
        assert!(answer.ends_with("\r\n\r\nto-ken_1.thumb"), "{answer}");
        for name in ["none", "../secret", "..%2fsecret", "To-ken_1/", ""] {
            let answer = at(name).await;
            assert!(answer.starts_with("http/1.1 404 "), "{name}: {answer}");
        }
        let head = "HEAD /.well-known/acme-challenge/To-ken_1 HTTP/1.1\r\nHost: a\r\n\r\n";
        let answer = said(&gate, head).await;
        assert!(
            answer.starts_with("http/1.1 200 ") && answer.contains("content-length: 14\r\n"),
            "{answer}"
        );
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        let post = head.replace("HEAD", "POST");
        assert!(said(&gate, &post).await.starts_with("http/1.1 405 "));
    });
}

#[test]
fn bodies_old_versions_and_more_than_one_request_are_refused() {
    let stage = Stage::new();
    stage.run(async |gate| {
        let host = "Host: localhost\r\n";
        for body in [
            "Content-Length: 1\r\n\r\na",
            "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        ] {
            let answer = said(&gate, &format!("POST / HTTP/1.1\r\n{host}{body}")).await;
            assert!(answer.starts_with("http/1.1 413 "), "{answer}");
        }
        let answer = said(&gate, &format!("GET / HTTP/1.0\r\n{host}\r\n")).await;
        assert!(answer.contains(" 505 "), "{answer}");
        let two = format!("GET / HTTP/1.1\r\n{host}\r\n").repeat(2);
        assert_eq!(said(&gate, &two).await.matches("http/1.1 ").count(), 1);
        // The beginning of HTTP/2.
        assert!(
            !said(&gate, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
                .await
                .contains("308")
        );
    });
}

#[test]
fn silent_connections_are_closed_soon_and_too_many_at_once() {
    const MOST: usize = 256;
    let mut stage = Stage::new();
    stage.is_guarded = true;
    let bound = Decider::bind(&stage.folder.path().join("events.sock"));
    stage.run(async |gate| {
        let decider = bound.decide();
        let begun = Instant::now();
        let mut held = Vec::new();
        for _ in 0..MOST {
            held.push(TcpStream::connect(gate.plain).await.unwrap());
        }
        let mut one_more = TcpStream::connect(gate.plain).await.unwrap();
        let closed = one_more.read(&mut [0]).await;
        assert!(matches!(closed, Ok(0) | Err(_)));
        assert!(
            begun.elapsed() < Duration::from_secs(4),
            "it waited for the others"
        );
        // That others had taken all places is no fault of his.
        assert!(decider.told().is_empty());
        for mut stream in held {
            assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
        }
        assert!(begun.elapsed() < Duration::from_secs(12));
        assert!(
            get(&gate, "/", "localhost")
                .await
                .starts_with("http/1.1 308 ")
        );
    });
}
