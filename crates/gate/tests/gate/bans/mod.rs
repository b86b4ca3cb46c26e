//! Whoever is banned is served nothing more: no request, no stream, no WebSocket.

mod connections;
mod decider;
mod judgement;
mod probes;
mod proxies;

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event::wire::Ban;
use http::Response;
use testkit::decider::Decider;

use crate::sockets;
use crate::stand::{Stand, with_guarded_gate};

/// How soon a ban has to be felt.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// The paths that reached the bot.
pub(crate) type Seen = Arc<Mutex<Vec<String>>>;

/// A bot that notes what reaches it. It has WebSockets, and below `/stream` says something without end, at
/// `/flood` as fast as it is read.
pub(crate) fn bot(
    seen: &Seen,
) -> impl Fn(ipc::Peer, ipc::Request) -> futures_util::future::BoxFuture<'static, ipc::Response>
+ Clone
+ Send
+ Sync
+ 'static {
    let seen = Arc::clone(seen);
    move |peer, request| {
        let seen = Arc::clone(&seen);
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let (streams, floods) = (path.starts_with("/stream"), path == "/flood");
            seen.lock().unwrap().push(path);
            if !streams && !floods {
                return sockets::bot(peer, request).await;
            }
            let (mut sender, body) = ipc::stream(1);
            tokio::spawn(async move {
                if floods {
                    while sender.send(vec![b'x'; 64 * 1024]).await.is_ok() {}
                }
                while sender.send("data: x\n\n").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
            let mut response = Response::new(body);
            let kind = "text/event-stream".parse().unwrap();
            response.headers_mut().insert("content-type", kind);
            response
        })
    }
}

/// Runs a gate whose clients are banned, for `prefix`, by the first honeypot that they ask for.
pub(crate) fn guarded<F, Fut>(settings: &str, prefix: &str, test: F)
where
    F: FnOnce(Stand, Decider, Seen) -> Fut,
    Fut: Future<Output = ()>,
{
    let seen = Seen::default();
    let prefix = prefix.parse().unwrap();
    with_guarded_gate(settings, bot(&seen), async |stand, decider| {
        let ban = Ban {
            prefix,
            left_s: Some(600),
        };
        decider.judge(move |told| (told.name == "honeypot-probed").then_some(ban));
        test(stand, decider, seen).await;
    });
}

pub(crate) async fn soon<T>(wanted: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, wanted).await.unwrap()
}
