//! Answers operators.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use guard_api::limits::{BAN_SECONDS_MAX, BANS_A_PAGE, REASON_BYTES, REQUEST_BYTES, SIGHTINGS_MAX};
use guard_api::{
    Asked, BANS_PATH, BanRequest, Bans, EVENTS_PATH, EXPLAIN_PATH, Lifted, OPERATOR_HEADER,
    STATE_PATH, Sightings, State, UnbanRequest,
};
use http::{Method, StatusCode};
use ipc::{Peer, Request, Response};
use ipnet::IpNet;
use percent_encoding::percent_decode_str;

use crate::config;
use crate::core::Core;
use crate::keep;
use crate::lists::Lists;
use crate::prefix::Prefix;
use crate::schema;

/// How long a request's body may take; it is one short line.
const BODY_TIME: Duration = Duration::from_secs(5);

/// What calls share.
#[derive(Debug)]
pub struct Api {
    /// The decisions.
    pub core: Arc<Core>,
    /// Block lists.
    pub lists: Arc<Lists>,
}

impl Api {
    /// Answers one call.
    pub async fn answer(&self, peer: Peer, request: Request) -> Response {
        if let Some(address) = operator(&request) {
            self.core.operator(address);
        }
        let path = request.uri().path().to_owned();
        let (method, query) = (request.method().clone(), request.uri().query());
        match (method, path.as_str()) {
            (Method::GET, BANS_PATH) => {
                let after = query.and_then(|query| query.strip_prefix("after="));
                self.bans(after).await
            }
            (Method::POST, BANS_PATH) => self.ban(peer, request).await,
            (Method::DELETE, BANS_PATH) => self.unban(request).await,
            (Method::GET, EVENTS_PATH) => {
                let events = self.core.state().recent.latest(SIGHTINGS_MAX, |_| true);
                ipc::json(StatusCode::OK, &Sightings { events })
            }
            (Method::GET, STATE_PATH) => ipc::json(StatusCode::OK, &self.state()),
            (Method::GET, path) => match path.strip_prefix(EXPLAIN_PATH) {
                Some(address) => self.explain(address.trim_start_matches('/')).await,
                None => no_such(),
            },
            _ => no_such(),
        }
    }

    async fn bans(&self, after: Option<&str>) -> Response {
        let after = match after.map(prefix) {
            Some(None) => return ipc::problem(StatusCode::BAD_REQUEST, "`after` is no prefix."),
            after => after.flatten(),
        };
        self.core.settle().await;
        let core = Arc::clone(&self.core);
        let table = schema::bans(core.state().engine.is_dry_run());
        let page = blocking(move || keep::page(&core.store, table, after, BANS_A_PAGE)).await;
        let (bans, next) = match page {
            Ok(page) => page,
            Err(problem) => return problem,
        };
        ipc::json(StatusCode::OK, &Bans { bans, next })
    }

    async fn ban(&self, peer: Peer, request: Request) -> Response {
        let read = ipc::read_object(request.into_body(), REQUEST_BYTES, BODY_TIME).await;
        let wanted: BanRequest = match read {
            Ok(wanted) => wanted,
            Err(error) => return error.response(),
        };
        if wanted.reason.len() > REASON_BYTES || wanted.reason.chars().any(char::is_control) {
            let detail = format!("A reason is one line of at most {REASON_BYTES} bytes.");
            return ipc::problem(StatusCode::BAD_REQUEST, &detail);
        }
        if !(1..=BAN_SECONDS_MAX).contains(&wanted.seconds) {
            return ipc::problem(
                StatusCode::BAD_REQUEST,
                "A ban lasts 1 second to ten years.",
            );
        }
        let prefix = Prefix::from(wanted.prefix);
        match self.core.ban(prefix, wanted.seconds, &wanted.reason).await {
            Ok((ban, done)) => {
                tracing::info!(%prefix, uid = peer.uid, "an operator banned it");
                let (in_force, stored) = (done.in_force, done.stored);
                ipc::json(
                    StatusCode::OK,
                    &Asked {
                        ban,
                        in_force,
                        stored,
                    },
                )
            }
            Err(refused) => ipc::problem(StatusCode::CONFLICT, &refused.to_string()),
        }
    }

    async fn unban(&self, request: Request) -> Response {
        let read = ipc::read_object(request.into_body(), REQUEST_BYTES, BODY_TIME).await;
        let wanted: UnbanRequest = match read {
            Ok(wanted) => wanted,
            Err(error) => return error.response(),
        };
        let (lifted, done) = self.core.unban(wanted.prefix.into()).await;
        let lifted = lifted.into_iter().map(IpNet::from).collect();
        let (in_force, stored) = (done.in_force, done.stored);
        ipc::json(
            StatusCode::OK,
            &Lifted {
                lifted,
                in_force,
                stored,
            },
        )
    }

    async fn explain(&self, address: &str) -> Response {
        let text = percent_decode_str(address).decode_utf8_lossy();
        let Ok(address) = text.parse::<IpAddr>() else {
            return ipc::problem(StatusCode::BAD_REQUEST, "That is no address.");
        };
        let address = address.to_canonical();
        let (core, lists) = (Arc::clone(&self.core), Arc::clone(&self.lists));
        let explained = blocking(move || {
            let mut known = core.explain(address)?;
            known.lists = lists.naming(&core, Path::new(config::BLOCKS), address);
            Ok(known)
        });
        match explained.await {
            Ok(explanation) => ipc::json(StatusCode::OK, &explanation),
            Err(problem) => problem,
        }
    }

    fn state(&self) -> State {
        let lists = self.lists.states();
        let state = self.core.state();
        State {
            bans: state.engine.bans.len() as u64,
            judged: state.judged,
            forged: state.forged,
            dry_run: state.engine.is_dry_run(),
            in_force: self.core.wall.is_complete(),
            lists,
        }
    }
}

fn no_such() -> Response {
    ipc::problem(StatusCode::NOT_FOUND, "There is no such call.")
}

fn prefix(text: &str) -> Option<IpNet> {
    percent_decode_str(text).decode_utf8().ok()?.parse().ok()
}

/// The address that an operator says to work from. Whoever may open the socket may lift any ban, so that to believe
/// it gives no one more than they have.
fn operator(request: &Request) -> Option<IpAddr> {
    let value = request.headers().get(OPERATOR_HEADER)?;
    value.to_str().ok()?.parse().ok()
}

async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, store::Error> + Send + 'static,
) -> Result<T, Response> {
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) => {
            tracing::error!("the store of bans could not be read: {error}");
            let detail =
                "The store of bans cannot be read; the journal says why. Bans stay in force.";
            Err(ipc::problem(StatusCode::INTERNAL_SERVER_ERROR, detail))
        }
        Err(_) => Err(ipc::problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The call was broken off.",
        )),
    }
}
