//! Answers calls. Who may call is who may open the socket.

use std::sync::Arc;
use std::time::Duration;

use firewall_api::limits::{BANS_BYTES, BANS_PER_CALL, BLOCK_BYTES, BLOCK_TIME};
use firewall_api::{Applied, BANS_PATH, BLOCKS_PATH, BlockName, Header, Prefix, STATE_PATH};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use ipc::{BodySender, Limits, Request, Response};
use sandbox::Confined;
use serde::Serialize;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use crate::block::Lines;
use crate::firewall::Firewall;
use crate::table::{Table, TableError};

/// How long the body of a call about bans may take.
const BODY_TIME: Duration = Duration::from_secs(5);

/// Bans that are applied on the spot, which takes well under a millisecond; more are handed to another thread.
const ON_THE_SPOT: usize = 64;

/// Bans in one piece of the list of all.
const LISTED_AT_ONCE: usize = 256;

const LIMITS: Limits = Limits {
    connections: 64,
    head_bytes: 8 * 1024,
    // The caller keeps its connection, so that a ban waits for none to be made.
    head_time: Duration::from_secs(300),
};

/// Serves until `drain` is cancelled. The rules stay in force.
pub async fn serve(
    firewall: Arc<Firewall>,
    confined: &Confined,
    listener: UnixListener,
    drain: CancellationToken,
) {
    ipc::serve(confined, listener, LIMITS, drain, move |_, request| {
        answer(Arc::clone(&firewall), request)
    })
    .await;
}

async fn answer(firewall: Arc<Firewall>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    match (path.as_str(), method) {
        (BANS_PATH, Method::POST) => change(firewall, request, Firewall::ban).await,
        (BANS_PATH, Method::DELETE) => change(firewall, request, Firewall::unban).await,
        (BANS_PATH, Method::GET) => list(firewall),
        (STATE_PATH, Method::GET) => done(on_a_thread(move || firewall.state()).await),
        (path, method) if path.starts_with(BLOCKS_PATH) => {
            match path[BLOCKS_PATH.len()..].parse() {
                Err(error) => ipc::problem(StatusCode::BAD_REQUEST, &format!("{error}.")),
                Ok(name) if method == Method::PUT => put_block(firewall, name, request).await,
                Ok(name) if method == Method::DELETE => {
                    done(on_a_thread(move || firewall.remove_block(&name)).await)
                }
                Ok(_) => no_method(),
            }
        }
        (BANS_PATH | STATE_PATH, _) => no_method(),
        _ => ipc::problem(StatusCode::NOT_FOUND, "There is no such call."),
    }
}

fn no_method() -> Response {
    ipc::problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "There is no such call with this method.",
    )
}

async fn change<T: serde::de::DeserializeOwned + Send + 'static>(
    firewall: Arc<Firewall>,
    request: Request,
    apply: fn(&Firewall, &mut Table, &[T]) -> Result<Applied, TableError>,
) -> Response {
    let list: Vec<T> = match ipc::read_json(request.into_body(), BANS_BYTES, BODY_TIME).await {
        Ok(list) => list,
        Err(error) => return error.response(),
    };
    if list.len() > BANS_PER_CALL {
        let told = format!("A call has at most {BANS_PER_CALL} bans.");
        return ipc::problem(StatusCode::PAYLOAD_TOO_LARGE, &told);
    }
    // Where others have their turn, the wait for it may be long.
    if list.len() <= ON_THE_SPOT
        && let Some(mut table) = firewall.table.free()
    {
        return done(apply(&firewall, &mut table, &list));
    }
    done(on_a_thread(move || apply(&firewall, &mut firewall.table.next(), &list)).await)
}

/// Runs what takes a while where it holds up no other call.
pub(crate) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TableError> + Send + 'static,
) -> Result<T, TableError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) => Err(TableError::Stopped(stopped)),
    }
}

fn done<T: Serialize>(done: Result<T, TableError>) -> Response {
    match done {
        Ok(document) => ipc::json(StatusCode::OK, &document),
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(cause, "a call was not carried out: {error}");
            let status = match error {
                TableError::ListsFull | TableError::EntriesFull(_) | TableError::Overtaken => {
                    StatusCode::CONFLICT
                }
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            ipc::problem(status, &format!("{error}."))
        }
    }
}

async fn put_block(firewall: Arc<Firewall>, name: BlockName, request: Request) -> Response {
    let read = tokio::time::timeout(BLOCK_TIME, async {
        let turn = firewall.load_turn().await;
        (turn, read_lines(request.into_body()).await)
    });
    let (turn, prefixes, unreadable) = match read.await {
        Ok((turn, Ok((prefixes, unreadable)))) => (turn, prefixes, unreadable),
        Ok((_, Err(response))) => return *response,
        Err(_) => {
            return ipc::problem(
                StatusCode::REQUEST_TIMEOUT,
                "The list took too long; the one before is in force.",
            );
        }
    };
    let load = move || {
        let loaded = firewall.put_block(name, prefixes, unreadable);
        drop(turn);
        loaded
    };
    done(on_a_thread(load).await)
}

async fn read_lines(mut body: ipc::Incoming) -> Result<(Vec<Prefix>, usize), Box<Response>> {
    let too_long = |told: &str| Box::new(ipc::problem(StatusCode::PAYLOAD_TOO_LARGE, told));
    let (mut lines, mut bytes) = (Lines::default(), 0_u64);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            let told = "The list broke off; the one before is in force.";
            return Err(Box::new(ipc::problem(StatusCode::BAD_REQUEST, told)));
        };
        let Some(data) = frame.data_ref() else {
            continue;
        };
        bytes += data.len() as u64;
        if bytes > BLOCK_BYTES {
            return Err(too_long(
                "The list is too long; the one before is in force.",
            ));
        }
        lines
            .read(data)
            .map_err(|error| too_long(&format!("{error}; the one before is in force.")))?;
    }
    lines
        .end()
        .map_err(|error| too_long(&format!("{error}; the one before is in force.")))
}

/// All bans, read from the kernel while they are sent.
fn list(firewall: Arc<Firewall>) -> Response {
    let (sender, body) = ipc::stream(2);
    tokio::spawn(async move {
        if let Err(error) = send_all(&firewall, sender).await {
            tracing::warn!("a list of bans broke off: {error}");
        }
    });
    let mut response = Response::new(body);
    let kind = http::HeaderValue::from_static("application/x-ndjson");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, kind);
    response
}

async fn send_all(firewall: &Arc<Firewall>, mut sender: BodySender) -> Result<(), TableError> {
    let shared = Arc::clone(firewall);
    let known = on_a_thread(move || {
        let table = shared.table.next();
        Ok((table.generation(), table.banned()))
    });
    let (generation, banned) = known.await?;
    if sender.send(lines(&[Header { generation }])).await.is_err() {
        return Ok(());
    }
    for (key, prefixes) in banned {
        for part in prefixes.chunks(LISTED_AT_ONCE) {
            let (shared, part) = (Arc::clone(firewall), part.to_vec());
            let standing = on_a_thread(move || shared.reader().standing(key, &part));
            let standing = match standing.await {
                Ok(standing) => standing,
                Err(error) => {
                    sender.abort("the kernel's table could not be read");
                    return Err(error);
                }
            };
            if sender.send(lines(&standing)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn lines<T: Serialize>(documents: &[T]) -> Vec<u8> {
    let mut lines = Vec::new();
    for document in documents {
        // Strings and numbers always serialise.
        lines.extend(serde_json::to_vec(document).unwrap_or_default());
        lines.push(b'\n');
    }
    lines
}
