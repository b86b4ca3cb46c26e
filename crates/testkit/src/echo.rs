//! A bot that says again what it hears, on WebSockets at any path: what stands behind a gate is then no part of what is
//! tested.

use std::convert::Infallible;
use std::error::Error;

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::UnixListener;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};

/// Longest message that is said again, in bytes: the longest of Autobahn's cases.
pub const MESSAGE_BYTES: usize = 16 << 20;

/// Serves on a socket until accepting fails.
///
/// # Errors
/// When accepting fails.
pub async fn serve(listener: UnixListener) -> Result<Infallible, Box<dyn Error>> {
    loop {
        let (stream, _) = listener.accept().await?;
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service_fn(answer))
            .with_upgrades();
        tokio::spawn(connection);
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut response = Response::new(Empty::new());
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY);
    let accept = key.and_then(|key| derive_accept_key(key.as_bytes()).parse().ok());
    let Some(accept) = accept else {
        *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
        return Ok(response);
    };
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    tokio::spawn(async move {
        if let Ok(connection) = hyper::upgrade::on(request).await {
            let config = WebSocketConfig::default()
                .max_message_size(Some(MESSAGE_BYTES))
                .max_frame_size(Some(MESSAGE_BYTES));
            let io = TokioIo::new(connection);
            echo(WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await).await;
        }
    });
    Ok(response)
}

async fn echo(mut socket: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>) {
    while let Some(heard) = socket.next().await {
        let code = match heard {
            Ok(said @ (Message::Text(_) | Message::Binary(_))) => match socket.send(said).await {
                Ok(()) => continue,
                Err(_) => return,
            },
            Ok(_) => continue,
            Err(tungstenite::Error::Utf8(_)) => CloseCode::Invalid,
            Err(tungstenite::Error::Capacity(_)) => CloseCode::Size,
            Err(tungstenite::Error::Protocol(_)) => CloseCode::Protocol,
            Err(_) => return,
        };
        let reason = "".into();
        // Who is gone needs no word.
        let _ = socket.close(Some(CloseFrame { code, reason })).await;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tokio::net::UnixStream;

    use super::*;
    use crate::Folder;

    #[tokio::test]
    async fn it_says_again_what_it_hears_and_closes_for_what_is_no_text() {
        let folder = Folder::new();
        let (path, listener) = folder.listen("echo.sock");
        let served = tokio::spawn(async move {
            let _ = serve(listener).await;
        });
        let stream = UnixStream::connect(path).await.unwrap();
        let (mut socket, _) = tokio_tungstenite::client_async("ws://localhost/", stream)
            .await
            .unwrap();
        for said in [Message::text("é"), Message::binary(vec![0; 100_000])] {
            socket.send(said.clone()).await.unwrap();
            assert_eq!(socket.next().await.unwrap().unwrap(), said);
        }
        let mut frame = tungstenite::protocol::frame::Frame::ping(vec![]);
        frame.header_mut().opcode = tungstenite::protocol::frame::coding::OpCode::Data(
            tungstenite::protocol::frame::coding::Data::Continue,
        );
        socket.send(Message::Frame(frame)).await.unwrap();
        let closed = socket.next().await.unwrap().unwrap();
        assert!(
            matches!(&closed, Message::Close(Some(frame)) if frame.code == CloseCode::Protocol),
            "{closed:?}"
        );
        served.abort();
    }
}
