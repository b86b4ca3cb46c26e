//! A bot that notes what reaches it.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Response;
use http_body_util::BodyExt as _;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::stand::{self, Stand};

/// A request as it reached the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) line: String,
    /// Its body's length in bytes; none when it broke off.
    pub(crate) bytes: Option<usize>,
}

/// What reached the bot, in order.
pub(crate) type Log = Arc<Mutex<Vec<Reached>>>;

async fn bot(log: Log, request: ipc::Request) -> ipc::Response {
    let (parts, body) = request.into_parts();
    let line = format!("{} {}", parts.method, parts.uri);
    if line.contains("/slow") {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let bytes = body.collect().await.ok().map(|body| body.to_bytes().len());
    let said = format!("reached {line}");
    log.lock().unwrap().push(Reached { line, bytes });
    Response::new(ipc::full(said))
}

/// A visitor of the gate.
pub(crate) struct Visitor {
    pub(crate) log: Log,
    stand: Stand,
}

impl Visitor {
    /// Connects, with the protocol that is to be chosen.
    pub(crate) async fn connect(&self, alpn: &[u8]) -> TlsStream<TcpStream> {
        self.stand.connect(alpn, b"").await.unwrap()
    }

    /// What reached the bot since this was asked last.
    pub(crate) fn reached(&self) -> Vec<Reached> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

/// Runs a gate with a bot `shop` behind it, and `test` beside it.
pub(crate) fn with_gate<F, Fut>(settings: &str, test: F)
where
    F: FnOnce(Visitor) -> Fut,
    Fut: Future<Output = ()>,
{
    let log = Log::default();
    let noted = Arc::clone(&log);
    let bot = move |_, request| bot(Arc::clone(&noted), request);
    stand::with_gate(settings, bot, async |stand| {
        test(Visitor { log, stand }).await
    });
}
