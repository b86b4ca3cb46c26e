//! How WebSockets are opened, and how not.

use http::{Method, Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::stand::Stand;

use super::visit::{SOCKET, extended_connect, over_http2, text, with_gate};

/// Sends a request as it is and gives the head of the answer.
async fn raw(stand: &Stand, alpn: &[u8], request: &str) -> String {
    let mut stream = stand.connect(alpn, b"").await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut answer).await.unwrap_or(0) == 0 {
            break;
        }
    }
    String::from_utf8_lossy(&answer).to_ascii_lowercase()
}

fn asking(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{headers}\r\n"
    )
}

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const V13: &str = "Sec-WebSocket-Version: 13\r\n";

#[test]
fn a_bot_gets_no_extension_and_the_host_that_was_asked_for() {
    with_gate("", async |stand| {
        let headers = [
            ("sec-websocket-extensions", "permessage-deflate"),
            ("casemate-conversation", "0123456789abcdef0123456789abcdef"),
            ("forwarded", "for=192.0.2.1"),
        ];
        let mut socket = stand.try_open(&headers).await.unwrap();
        let said = text(&mut socket).await;
        assert_eq!(
            said,
            "GET /v1/socket host=localhost extensions=none conversation=none forwarded=for=127.0.0.1;proto=https"
        );
    });
}

#[test]
fn what_is_no_right_handshake_is_refused_and_says_why() {
    with_gate("", async |stand| {
        for (headers, status) in [
            (format!("{KEY}{V13}{V13}"), "426"),
            (format!("{KEY}Sec-WebSocket-Version: 8\r\n"), "426"),
            (KEY.to_owned(), "426"),
            (V13.to_owned(), "400"),
            (format!("{V13}Sec-WebSocket-Key: short\r\n"), "400"),
        ] {
            let answer = raw(&stand, b"http/1.1", &asking(SOCKET, &headers)).await;
            assert!(
                answer.starts_with(&format!("http/1.1 {status} ")),
                "{answer}"
            );
            assert_eq!(
                answer.contains("sec-websocket-version: 13"),
                status == "426"
            );
            assert_eq!(answer.contains("upgrade: websocket"), status == "426");
        }
        // The guard refuses the rest before.
        let right = asking(SOCKET, &format!("{KEY}{V13}"));
        for wrong in [
            right.replace("GET", "POST"),
            right.replace("HTTP/1.1", "HTTP/1.0"),
            right.replace("Connection: Upgrade\r\n", ""),
            right.replace("websocket", "other"),
            right.replace("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx"),
        ] {
            let answer = raw(&stand, b"http/1.1", &wrong).await;
            assert!(answer.starts_with("http/1.1 400 "), "{wrong} {answer}");
        }
        let plain = format!("GET {SOCKET} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = raw(&stand, b"http/1.1", &plain).await;
        assert!(answer.starts_with("http/1.1 426 "), "{answer}");
        let reasons = stand.reported("upgrade-refused", 6).await;
        assert_eq!(
            reasons[5]["reason"],
            "the request does not ask for a WebSocket"
        );
    });
}

#[test]
fn there_is_one_place_for_it_and_elsewhere_an_upgrade_is_left_aside() {
    with_gate("", async |stand| {
        let right = format!("{KEY}{V13}");
        let answer = raw(&stand, b"http/1.1", &asking("/b/shop/v1/bot", &right)).await;
        assert!(answer.starts_with("http/1.1 200 "), "{answer}");
        let answer = raw(&stand, b"http/1.1", &asking("/b/none/v1/socket", &right)).await;
        assert!(answer.starts_with("http/1.1 404 "), "{answer}");
        // What follows a refusal on the same connection is a request again.
        let two = format!(
            "{}GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            asking(SOCKET, V13)
        );
        let mut stream = stand.connect(b"http/1.1", b"").await.unwrap();
        stream.write_all(two.as_bytes()).await.unwrap();
        let mut answers = Vec::new();
        while stream
            .read_buf(&mut answers)
            .await
            .is_ok_and(|read| read > 0)
        {}
        let answers = String::from_utf8(answers).unwrap();
        assert!(
            answers.starts_with("HTTP/1.1 400 ") && answers.ends_with("ok\n"),
            "{answers}"
        );
    });
}

#[test]
fn a_strange_page_is_refused_and_reported() {
    with_gate("", async |stand| {
        let refused = stand.try_open(&[("origin", "https://evil.example")]).await;
        let Err(tokio_tungstenite::tungstenite::Error::Http(response)) = refused else {
            unreachable!("it was not refused")
        };
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let [event] = stand
            .reported("origin-refused", 1)
            .await
            .try_into()
            .unwrap();
        assert_eq!(
            (event["origin"].as_str(), event["bot"].as_str()),
            ("https://evil.example", "shop")
        );
    });
}

#[test]
fn over_http2_it_is_a_stream_among_others() {
    with_gate("", async |stand| {
        let mut send = stand.settled_http2().await;
        let response = send.send_request(extended_connect(SOCKET)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(!response.headers().contains_key("sec-websocket-accept"));
        let mut socket = over_http2(response).await;
        let said = text(&mut socket).await;
        assert!(
            said.contains("host=localhost extensions=none conversation=none"),
            "{said}"
        );
        let long = "a".repeat(60_000);
        let other = Request::get("https://localhost/b/shop/v1/bot")
            .version(Version::HTTP_2)
            .body(Full::default())
            .unwrap();
        let (sent, response) = tokio::join!(
            futures_util::SinkExt::send(&mut socket, long.as_str().into()),
            send.send_request(other)
        );
        sent.unwrap();
        assert_eq!(response.unwrap().status(), StatusCode::OK);
        assert_eq!(text(&mut socket).await, long);
        socket.close(None).await.unwrap();
        while let Some(Ok(_)) = futures_util::StreamExt::next(&mut socket).await {}
        let [record] = stand.written().await.try_into().unwrap();
        assert_eq!(
            (record["protocol"].as_str(), record["whole"].as_str()),
            ("HTTP/2", "true")
        );
    });
}

#[test]
fn over_http2_too_it_has_its_place_and_form() {
    with_gate("", async |stand| {
        let mut send = stand.settled_http2().await;
        let mut status = async |request: Request<Full<_>>| {
            let response = send.send_request(request).await.unwrap();
            let status = response.status();
            response.into_body().collect().await.unwrap();
            status
        };
        let elsewhere = extended_connect("/b/shop/v1/bot");
        assert_eq!(status(elsewhere).await, StatusCode::NOT_FOUND);
        let mut old = extended_connect(SOCKET);
        let version = "8".parse().unwrap();
        old.headers_mut().insert("sec-websocket-version", version);
        assert_eq!(status(old).await, StatusCode::UPGRADE_REQUIRED);
        let mut other = extended_connect(SOCKET);
        let protocol = hyper::ext::Protocol::from_static("other");
        other.extensions_mut().insert(protocol);
        assert_eq!(status(other).await, StatusCode::METHOD_NOT_ALLOWED);
        let mut get = extended_connect(SOCKET);
        *get.method_mut() = Method::GET;
        get.extensions_mut().clear();
        assert_eq!(status(get).await, StatusCode::UPGRADE_REQUIRED);
    });
}

#[test]
fn a_connection_that_agreed_on_http2_speaks_nothing_else() {
    with_gate("", async |stand| {
        // No guard reads there, so a request of HTTP/1.1 must not be answered.
        let answer = raw(&stand, b"h2", &asking(SOCKET, &format!("{KEY}{V13}"))).await;
        assert!(!answer.contains("http/1.1"), "{answer}");
    });
}
