//! Accepts connections, and shakes hands on them or tells them that there is no room.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{ACCEPT_PAUSE, Shared, last_call, serve};
use crate::bans::Line;
use crate::desk::Arrival;
use crate::places::{Place, Places};
use crate::strict::{FrameGuard, Guard};
use crate::{handshake, headers};

/// How long it may take to tell a visitor that there is no room, from the handshake on.
const REFUSE_TIME: Duration = Duration::from_secs(2);

/// What a visitor is told to wait when there is no room, in seconds.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");

pub(super) async fn accept(
    listener: TcpListener,
    places: Places,
    shared: Arc<Shared>,
    under_way: TaskTracker,
) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let client = address.ip().to_canonical();
                if shared.desk.bans().refuses(client) {
                    continue;
                }
                let place = places.take();
                // That others fill all places is no fault of this one: no event says so.
                if let Some((refused, closed)) = shared.shed.count(&place, Instant::now()) {
                    tracing::warn!(
                        "all connections that `connections` allows are open: {refused} more were told to come again and {closed} closed"
                    );
                }
                let shared = Arc::clone(&shared);
                match place {
                    Place::Served(place) => under_way.spawn(async move {
                        connection(stream, client, &shared).await;
                        drop(place);
                    }),
                    Place::Refused(place) => under_way.spawn(async move {
                        let told = refuse(stream, client, &shared);
                        // Whoever is too slow to hear it is not told.
                        let _ = tokio::time::timeout(REFUSE_TIME, told).await;
                        drop(place);
                    }),
                    Place::None => continue,
                };
            }
            Err(error) => {
                tracing::warn!("a connection could not be accepted; visitors wait: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, address: IpAddr, shared: &Arc<Shared>) {
    let time = shared.handshake_time;
    // What is large and done with soon is in boxes of its own: a connection is held for as long as its visitor likes.
    let arriving = Box::pin(shared.desk.arrive(stream, address, time));
    let Some((arrival, line)) = arriving.await else {
        return;
    };
    let served = async {
        let shaking = Box::pin(handshake::shake(&shared.tls, line, arrival.peer, time));
        let Some(stream) = shaking.await else {
            return;
        };
        Box::pin(serve(stream, &arrival, shared)).await;
    };
    arrival.unless_banned(served).await;
}

/// Tells a visitor that there is no room, in answer to the first request, and closes.
async fn refuse(stream: TcpStream, address: IpAddr, shared: &Shared) {
    let arrived = shared.desk.arrive(stream, address, REFUSE_TIME).await;
    let Some((arrival, line)) = arrived else {
        return;
    };
    let told = async {
        let shaken = handshake::shake(&shared.tls, line, arrival.peer, REFUSE_TIME).await;
        if let Some(stream) = shaken {
            tell(stream, &arrival, shared).await;
        }
    };
    arrival.unless_banned(told).await;
}

async fn tell(stream: TlsStream<Line>, arrival: &Arrival, shared: &Shared) {
    let begun = CancellationToken::new();
    let service = service_fn(|request: Request<Incoming>| {
        begun.cancel();
        let response = no_room(request.version());
        let (bans, peer, visit) = (
            Arc::clone(shared.desk.bans()),
            arrival.peer,
            arrival.visit.clone(),
        );
        async move {
            if let Some(visit) = visit {
                event::judged(peer).await;
                if bans.refuses(peer) {
                    visit.gone().await;
                }
            }
            Ok::<_, Infallible>(response)
        }
    });
    if handshake::is_http2(&stream) {
        let (stream, _watch) = FrameGuard::new(stream, arrival.peer);
        let served = shared.http2.serve_connection(TokioIo::new(stream), service);
        until_told(served, |served| served.graceful_shutdown(), &begun).await;
    } else {
        let (stream, _watch) = Guard::http1(stream, arrival.peer);
        let served = shared.http1.serve_connection(TokioIo::new(stream), service);
        until_told(served, |served| served.graceful_shutdown(), &begun).await;
    }
}

/// Serves a connection until its visitor heard that there is no room; `end` tells it to end.
async fn until_told<C>(served: C, end: impl FnOnce(Pin<&mut C>), begun: &CancellationToken)
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut served = pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = last_call(begun, true) => {
            end(served.as_mut());
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection that was refused ended early: {error}");
    }
}

fn no_room(version: Version) -> Response<ipc::Body> {
    let detail = "There are too many visitors at the moment. Please try again.";
    let mut response = ipc::problem(StatusCode::SERVICE_UNAVAILABLE, detail);
    headers::to_visitor(response.headers_mut(), false);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, RETRY_SECONDS);
    if version == Version::HTTP_11 {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
