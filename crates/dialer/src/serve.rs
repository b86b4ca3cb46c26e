//! Answers callers. Each has a socket of its own, whose name says who it is.

use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dialer_api::{DIAL_PATH, DialRequest, HANDOVER_TIME, PROTOCOL, REQUEST_BYTES, Refusal};
use http::{HeaderValue, Method, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use ipc::{Limits, Peer, Request, Response};
use sandbox::Confined;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Reach;
use crate::connect::connect;
use crate::decide::{may_reach, usable};
use crate::handover;
use crate::host::Host;
use crate::refused::Refused;
use crate::resolve::Resolver;

/// Calls of one caller that are under way at once; more wait.
const DIALS: usize = 64;

/// How long a call waits for its turn.
const TURN_TIME: Duration = Duration::from_secs(3);

/// How long a request's body may take; it is one short line.
const BODY_TIME: Duration = Duration::from_secs(5);

const LIMITS: Limits = Limits {
    connections: 256,
    head_bytes: 8 * 1024,
    head_time: Duration::from_secs(10),
};

/// Everything that calls share.
#[derive(Debug)]
pub struct Dialer {
    reaches: Vec<Reach>,
    resolver: Resolver,
}

impl Dialer {
    /// A dialer that permits `reaches` and looks names up with `resolver`.
    #[must_use]
    pub const fn new(reaches: Vec<Reach>, resolver: Resolver) -> Self {
        Self { reaches, resolver }
    }

    /// What is permitted.
    #[must_use]
    pub fn reaches(&self) -> &[Reach] {
        &self.reaches
    }
}

/// Serves one caller until `drain` is cancelled and its calls are done.
pub async fn serve(
    dialer: Arc<Dialer>,
    confined: &Confined,
    caller: String,
    listener: UnixListener,
    drain: CancellationToken,
) {
    let handovers = TaskTracker::new();
    let line = Line {
        dialer,
        caller: caller.into(),
        turns: Arc::new(Semaphore::new(DIALS)),
        handovers: handovers.clone(),
    };
    ipc::serve(confined, listener, LIMITS, drain, move |peer, request| {
        let line = line.clone();
        async move { line.answer(peer, request).await }
    })
    .await;
    handovers.close();
    if tokio::time::timeout(HANDOVER_TIME, handovers.wait())
        .await
        .is_err()
    {
        tracing::warn!("a connected socket was not taken before the end and is closed");
    }
}

/// One caller's line to the dialer.
#[derive(Clone)]
struct Line {
    dialer: Arc<Dialer>,
    caller: Arc<str>,
    turns: Arc<Semaphore>,
    handovers: TaskTracker,
}

/// A call that stands.
struct Dialled {
    address: IpAddr,
    socket: TcpStream,
    upgrade: OnUpgrade,
}

impl Line {
    async fn answer(&self, peer: Peer, mut request: Request) -> Response {
        if request.uri().path() != DIAL_PATH {
            return ipc::problem(StatusCode::NOT_FOUND, "There is no such call.");
        }
        if request.method() != Method::POST {
            return ipc::problem(StatusCode::METHOD_NOT_ALLOWED, "A call is a POST.");
        }
        let upgrade = switches(&request).then(|| hyper::upgrade::on(&mut request));
        let wanted: DialRequest =
            match ipc::read_json(request.into_body(), REQUEST_BYTES, BODY_TIME).await {
                Ok(wanted) => wanted,
                Err(error) => return error.response(),
            };
        let began = Instant::now();
        let turn = tokio::time::timeout(TURN_TIME, Arc::clone(&self.turns).acquire_owned());
        let dialled = match turn.await {
            Ok(Ok(turn)) => self
                .dial(&wanted, upgrade)
                .await
                .map(|dialled| (turn, dialled)),
            _ => Err(Refused::because(
                Refusal::Busy,
                "Too many calls are under way.",
            )),
        };
        let milliseconds = began.elapsed().as_millis();
        let caller = &*self.caller;
        // Whatever is not a host never reaches the journal.
        let host = wanted
            .host
            .parse::<Host>()
            .map_or_else(|_| "?".to_owned(), |host| host.to_string());
        let port = wanted.port;
        match dialled {
            Ok((
                turn,
                Dialled {
                    address,
                    socket,
                    upgrade,
                },
            )) => {
                tracing::info!(caller, pid = peer.pid, host, port, %address, milliseconds, "connected");
                let caller = Arc::clone(&self.caller);
                self.handovers.spawn(async move {
                    if let Err(error) = handover::give(upgrade, socket).await {
                        let error = with_causes(&error);
                        tracing::warn!(
                            caller = &*caller,
                            host,
                            port,
                            error,
                            "a connected socket was not handed over and is closed"
                        );
                    }
                    drop(turn);
                });
                switching()
            }
            Err(Refused { kind, told, cause }) => {
                let cause = cause.map(|cause| with_causes(&*cause));
                tracing::warn!(
                    caller,
                    pid = peer.pid,
                    host,
                    port,
                    milliseconds,
                    cause,
                    "refused: {kind}"
                );
                ipc::problem(kind.status(), &told)
            }
        }
    }

    /// Decides, resolves once and connects to an address that was checked.
    async fn dial(
        &self,
        wanted: &DialRequest,
        upgrade: Option<OnUpgrade>,
    ) -> Result<Dialled, Refused> {
        let reach = may_reach(
            &self.dialer.reaches,
            &self.caller,
            &wanted.host,
            wanted.port,
        )?;
        let addresses = match &reach.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => self.dialer.resolver.addresses(name).await?,
        };
        let addresses = usable(reach, &addresses)?;
        let Some(upgrade) = upgrade else {
            let told = "The request has to ask for `connection: upgrade` and `upgrade: casemate-descriptor`.";
            return Err(Refused::because(Refusal::Malformed, told));
        };
        let stream = connect(&addresses, wanted.port).await?;
        let address = stream.peer_addr().map_err(Refused::broke)?.ip();
        // Out of the runtime, which would go on watching it.
        let socket = stream.into_std().map_err(Refused::broke)?;
        Ok(Dialled {
            address,
            socket,
            upgrade,
        })
    }
}

/// Whether a request asks for the switch of protocols (RFC 9110, 7.8).
fn switches(request: &Request) -> bool {
    let connection = request.headers().get_all(header::CONNECTION).iter();
    let mut options = connection
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let upgrade = request.headers().get(header::UPGRADE);
    options.any(|option| option.trim().eq_ignore_ascii_case("upgrade"))
        && upgrade.is_some_and(|name| name == PROTOCOL)
}

/// An error and what caused it, in one line.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}

fn switching() -> Response {
    let mut response = Response::new(ipc::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static(PROTOCOL));
    response
}
