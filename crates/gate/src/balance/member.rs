//! One member: an instance of a bot on this appliance, or another appliance.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chat_api::{BotName, Instance};
use http::{Request, Response, StatusCode};
use ipc::{Body, Client, ClientError};

use super::Settings;
use super::choose::Candidate;
use super::health::{Change, Health, Source, Standing};
use super::rendezvous::Place;
use super::retry::Outcome;
use super::spread::Asked;
use crate::forward::passed;
use crate::peers::{self, DRAINS, Peer};

/// Where a member says whether it is well.
const HEALTH_PATH: &str = "/healthz";

/// Longest answer to that which is read, in bytes.
const HEALTH_BYTES: usize = 4096;

/// How long a check may take, on this appliance and to another one.
const NEAR_CHECK_TIME: Duration = Duration::from_secs(2);
const FAR_CHECK_TIME: Duration = Duration::from_secs(5);

/// A member, and how it stands.
#[derive(Debug)]
pub(crate) struct Member {
    /// What operators know it by.
    shown: String,
    way: Way,
    health: Mutex<Health>,
    drains: AtomicBool,
}

/// How it is reached.
#[derive(Debug)]
enum Way {
    Near {
        instance: Instance,
        client: Arc<Client>,
    },
    Far(Box<Peer>),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    NotReached(String),
    #[error("{0}")]
    NoRoom(String),
    #[error("{0}")]
    Broken(String),
    #[error("it did not answer within {0:?}")]
    Silent(Duration),
}

impl Failure {
    pub(crate) const fn outcome(&self) -> Outcome {
        match self {
            Self::NotReached(_) => Outcome::NotReached,
            Self::NoRoom(_) => Outcome::NoRoom,
            Self::Broken(_) => Outcome::Broken,
            Self::Silent(_) => Outcome::Silent,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Broken(..) => Self::Broken(error.to_string()),
            ClientError::NoRoom(_) => Self::NoRoom(error.to_string()),
            error => Self::NotReached(error.to_string()),
        }
    }
}

impl From<peers::Failure> for Failure {
    fn from(failure: peers::Failure) -> Self {
        match failure {
            peers::Failure::NotReached(why) => Self::NotReached(why),
            peers::Failure::Broken(why) => Self::Broken(why),
        }
    }
}

impl Member {
    /// An instance on this appliance.
    pub(crate) fn near(instance: Instance, client: Client) -> Self {
        let client = Arc::new(client);
        Self::new(instance.to_string(), Way::Near { instance, client })
    }

    /// Another appliance.
    pub(crate) fn far(peer: Peer) -> Self {
        Self::new(format!("appliance {}", peer.name), Way::Far(Box::new(peer)))
    }

    fn new(shown: String, way: Way) -> Self {
        Self {
            shown,
            way,
            health: Mutex::default(),
            drains: AtomicBool::new(false),
        }
    }

    /// The instance that it is; none for another appliance as a whole.
    pub(crate) const fn instance(&self) -> Option<&Instance> {
        match &self.way {
            Way::Near { instance, .. } => Some(instance),
            Way::Far(_) => None,
        }
    }

    /// The client of an instance on this appliance.
    pub(crate) const fn client(&self) -> Option<&Arc<Client>> {
        match &self.way {
            Way::Near { client, .. } => Some(client),
            Way::Far(_) => None,
        }
    }

    /// Whether it serves a bot, as far as the settings say.
    pub(crate) fn serves(&self, bot: &BotName) -> bool {
        match &self.way {
            Way::Near { .. } => true,
            Way::Far(peer) => peer.bots.as_ref().is_none_or(|bots| bots.contains(bot)),
        }
    }

    /// As it stands. `own` is this appliance's name.
    pub(crate) fn candidate<'a>(&'a self, own: &'a str, gone: bool) -> Candidate<'a> {
        let (appliance, near) = match &self.way {
            Way::Near { .. } => (own, true),
            Way::Far(peer) => (&*peer.name, false),
        };
        Candidate {
            place: Place {
                appliance,
                instance: self.instance().map_or(0, Instance::number),
            },
            near,
            standing: self.health().standing(),
            drains: self.drains.load(Ordering::Relaxed),
            gone,
        }
    }

    /// Sends a request about a bot, and waits at most `time` for the head of its answer.
    pub(crate) async fn ask(
        &self,
        bot: &BotName,
        asked: &Asked,
        time: Duration,
    ) -> Result<Response<Body>, Failure> {
        let Some(client) = self.client().filter(|_| asked.streams) else {
            return self.send(Some(bot), asked.request(), time).await;
        };
        let sent = tokio::time::timeout(time, client.stream(asked.whole())).await;
        let sent = sent.map_err(|_| Failure::Silent(time))?;
        Ok(sent?.map(passed))
    }

    /// Sends a request about a bot, or about the member itself, and waits at most `time` for the head of its answer.
    async fn send(
        &self,
        bot: Option<&BotName>,
        request: Request<Body>,
        time: Duration,
    ) -> Result<Response<Body>, Failure> {
        let sent = async {
            match &self.way {
                Way::Near { client, .. } => client.send(request).await.map_err(Failure::from),
                Way::Far(peer) => peer.line.send(bot, request).await.map_err(Failure::from),
            }
        };
        let response = tokio::time::timeout(time, sent).await;
        Ok(response.unwrap_or(Err(Failure::Silent(time)))?.map(passed))
    }

    /// Asks whether it is well.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let time = match &self.way {
            Way::Near { .. } => NEAR_CHECK_TIME,
            Way::Far(_) => FAR_CHECK_TIME,
        };
        let mut request = Request::new(ipc::empty());
        *request.uri_mut() = http::Uri::from_static(HEALTH_PATH);
        let begun = Instant::now();
        let response = self.send(None, request, time).await;
        let response = response.map_err(|failure| failure.to_string())?;
        let status = response.status();
        let drains = response.headers().contains_key(DRAINS);
        // Read to its end, so that the connection can be used again.
        let rest = time.saturating_sub(begun.elapsed());
        ipc::read_body(response.into_body(), HEALTH_BYTES, rest)
            .await
            .map_err(|error| error.to_string())?;
        if self.drains.swap(drains, Ordering::Relaxed) != drains {
            let (member, what) = (&self.shown, if drains { "no" } else { "its share of" });
            tracing::info!(
                member,
                "{member} says that it gets {what} new conversations from now on"
            );
        }
        match status {
            StatusCode::OK => Ok(()),
            status => Err(format!("to `GET {HEALTH_PATH}` it says {status}")),
        }
    }

    /// Counts what became of a request or a check. A change is written to the journal, with what it means. Gives whether
    /// there was one.
    pub(crate) fn count(
        &self,
        source: Source,
        now: Duration,
        settings: &Settings,
        result: Result<(), &str>,
    ) -> bool {
        let change = match result {
            Ok(()) => self.health().succeeded(source, now, settings),
            Err(_) => self.health().failed(source, now, settings),
        };
        let member = &*self.shown;
        match (change, result) {
            (Some(Change::WentOut), Err(why)) => tracing::warn!(
                member,
                why,
                "{member} does not answer and gets no more visitors: its conversations are away until it answers \
                 again, new ones go to others ({why})"
            ),
            (Some(Change::CameBack), _) => {
                tracing::info!(
                    member,
                    "{member} answers again, and its conversations are back"
                );
            }
            _ => return false,
        }
        true
    }

    /// What operators know it by, where it is out.
    pub(crate) fn shown_if_out(&self) -> Option<&str> {
        let standing = self.health().standing();
        (standing != Standing::In).then_some(&*self.shown)
    }

    fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
