//! The guard between a client and hyper, both in memory.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::super::{HEAD_BYTES, Watch};
use super::Guard;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// More than any test sends.
const BUFFER_BYTES: usize = 64 * 1024;

const UPGRADE: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

fn guarded() -> (DuplexStream, Guard<DuplexStream>, Arc<Watch>) {
    let (client, server) = duplex(BUFFER_BYTES);
    let (guard, watch) = Guard::http1(server, CLIENT);
    (client, guard, watch)
}

/// What can be read now; none when there is nothing and the stream goes on.
async fn now(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut bytes = vec![0; BUFFER_BYTES];
    let mut reading = std::pin::pin!(stream.read(&mut bytes));
    let read = std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match reading.as_mut().poll(cx) {
            std::task::Poll::Ready(read) => Some(read),
            std::task::Poll::Pending => None,
        })
    });
    let read = read.await?.unwrap();
    bytes.truncate(read);
    Some(bytes)
}

#[tokio::test]
async fn a_head_passes_whole_or_not_at_all() {
    let (mut client, mut guard, _) = guarded();
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    for byte in &head[..head.len() - 1] {
        client.write_all(&[*byte]).await.unwrap();
        assert_eq!(now(&mut guard).await, None);
    }
    client.write_all(b"\nab").await.unwrap();
    let passed = now(&mut guard).await.unwrap();
    assert_eq!(passed, [&head[..], b"ab"].concat());
    client.write_all(b"cGET").await.unwrap();
    assert_eq!(now(&mut guard).await.unwrap(), b"c");
    assert_eq!(now(&mut guard).await, None);
    drop(client);
    assert_eq!(now(&mut guard).await.unwrap(), b"");
}

#[tokio::test]
async fn nothing_of_a_refused_head_passes() {
    let (mut client, mut guard, watch) = guarded();
    let bytes =
        b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nEvil : x\r\n\r\nGET /c";
    client.write_all(bytes).await.unwrap();
    let first = now(&mut guard).await.unwrap();
    assert_eq!(first, &bytes[..28]);
    let second = now(&mut guard).await.unwrap();
    assert_eq!(second, super::IN_PLACE);
    assert_eq!(watch.refused_head(), Some(super::Reason::SpaceBeforeColon));
    assert_eq!(now(&mut guard).await, None);
}

#[tokio::test]
async fn nothing_passes_behind_a_refused_body_or_a_last_request() {
    let (mut client, mut guard, watch) = guarded();
    let bytes =
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1;x\r\nb\r\n";
    client.write_all(bytes).await.unwrap();
    assert_eq!(now(&mut guard).await.unwrap(), &bytes[..bytes.len() - 8]);
    assert_eq!(watch.refused_body(), None);
    let error = guard.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    assert_eq!(watch.refused_body(), Some(super::Reason::ChunkExtension));
    assert!(guard.read_u8().await.is_err());

    let (mut client, mut guard, _) = guarded();
    client
        .write_all(b"GET / HTTP/1.0\r\nHost: a\r\n\r\nGET /")
        .await
        .unwrap();
    assert_eq!(now(&mut guard).await.unwrap().len(), 27);
    client.write_all(b"x").await.unwrap();
    assert_eq!(now(&mut guard).await, None);
    drop(client);
    assert_eq!(now(&mut guard).await.unwrap(), b"");
}

#[tokio::test]
async fn behind_a_request_to_upgrade_nothing_passes_until_it_is_answered() {
    for status in [StatusCode::SWITCHING_PROTOCOLS, StatusCode::OK] {
        let (mut client, mut guard, watch) = guarded();
        client.write_all(UPGRADE).await.unwrap();
        client.write_all(b"\x81\x05he").await.unwrap();
        assert_eq!(now(&mut guard).await.unwrap(), UPGRADE);
        assert_eq!(now(&mut guard).await, None);
        watch.upgrade_answered(status);
        let passed = now(&mut guard).await;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            assert_eq!(passed.unwrap(), b"\x81\x05he");
            client.write_all(b"llo\n\r\0").await.unwrap();
            assert_eq!(now(&mut guard).await.unwrap(), b"llo\n\r\0");
        } else {
            assert_eq!(passed, None);
            client.write_all(b"\r\n").await.unwrap();
            assert_eq!(now(&mut guard).await.unwrap(), super::IN_PLACE);
        }
    }
}

#[tokio::test]
async fn what_is_held_behind_a_request_to_upgrade_is_bounded() {
    let (mut client, mut guard, _) = guarded();
    client.write_all(UPGRADE).await.unwrap();
    assert_eq!(now(&mut guard).await.unwrap(), UPGRADE);
    client.write_all(&[0; BUFFER_BYTES]).await.unwrap();
    for _ in 0..100 {
        assert_eq!(now(&mut guard).await, None);
    }
    assert!(guard.held.len() < 2 * HEAD_BYTES, "{}", guard.held.len());
}

/// Upgrades, and then sends everything back.
async fn echo(
    mut request: Request<Incoming>,
    watch: Arc<Watch>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded.await.unwrap()));
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    });
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let websocket = header::HeaderValue::from_static("websocket");
    response.headers_mut().insert(header::UPGRADE, websocket);
    watch.upgrade_answered(response.status());
    Ok(response)
}

#[tokio::test]
async fn an_upgraded_connection_passes_through_hyper() {
    let (mut client, guard, watch) = guarded();
    let service = service_fn(move |request| echo(request, Arc::clone(&watch)));
    let served = http1::Builder::new().serve_connection(TokioIo::new(guard), service);
    tokio::spawn(served.with_upgrades());
    client.write_all(UPGRADE).await.unwrap();
    client.write_all(b"early \n").await.unwrap();
    let mut got = Vec::new();
    while !got.ends_with(b"\r\n\r\nearly \n") {
        client.read_buf(&mut got).await.unwrap();
    }
    assert!(got.starts_with(b"HTTP/1.1 101 "));
    client.write_all(b"\0\r\n late").await.unwrap();
    let mut late = [0; 8];
    client.read_exact(&mut late).await.unwrap();
    assert_eq!(&late, b"\0\r\n late");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_neither_reads_nor_ends_is_left_after_a_while() {
    let (mut client, mut guard, _) = guarded();
    client.write_all(b"\n").await.unwrap();
    assert_eq!(now(&mut guard).await.unwrap(), super::IN_PLACE);
    let begun = tokio::time::Instant::now();
    guard.shutdown().await.unwrap();
    assert_eq!(begun.elapsed(), crate::strict::linger::LINGER_TIME);
}
