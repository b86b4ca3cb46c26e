//! The bot behind the gate.

use futures_util::{SinkExt as _, StreamExt as _};
use http::{Response, StatusCode};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// Longest message that it takes and the gate's tests send, in bytes.
const MOST_BYTES: usize = 8 << 20;

/// Answers what is no WebSocket with what reached it. On a WebSocket it first says which headers reached it, and then
/// everything again that it hears; at `bye` it closes, at `die` it breaks off.
pub(crate) async fn bot(_peer: ipc::Peer, mut request: ipc::Request) -> ipc::Response {
    let headers = request.headers();
    let header = |name: &str| {
        let value = headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or("none").to_owned()
    };
    let said = format!(
        "{} {} host={} extensions={} conversation={} forwarded={}",
        request.method(),
        request.uri(),
        header("host"),
        header("sec-websocket-extensions"),
        header("casemate-conversation"),
        header("forwarded"),
    );
    if header("upgrade") != "websocket" {
        return Response::new(ipc::full(said));
    }
    if header("origin").contains("evil") {
        return ipc::problem(StatusCode::FORBIDDEN, "Not from there.");
    }
    let accept = derive_accept_key(header("sec-websocket-key").as_bytes());
    tokio::spawn(async move {
        let connection = ipc::switched(&mut request).await.unwrap();
        let config = WebSocketConfig::default()
            .max_message_size(Some(MOST_BYTES))
            .max_frame_size(Some(MOST_BYTES));
        let mut socket =
            WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await;
        let _ = socket.send(Message::text(said)).await;
        while let Some(Ok(heard)) = socket.next().await {
            match heard {
                Message::Text(text) if text.as_str() == "bye" => {
                    let _ = socket.close(None).await;
                }
                Message::Text(text) if text.as_str() == "die" => return,
                Message::Text(_) | Message::Binary(_) => {
                    let _ = socket.send(heard).await;
                }
                _ => {}
            }
        }
    });
    let mut response = Response::new(ipc::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        // Nobody offered it; it must not reach the client.
        ("sec-websocket-extensions", "permessage-deflate"),
        ("sec-websocket-accept", accept.as_str()),
    ] {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
