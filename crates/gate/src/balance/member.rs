//! One member: an instance of a bot on this machine.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use ipc::{Body, Client, ClientError};

use super::Settings;
use super::choose::Candidate;
use super::health::{Change, Health, Source, Standing};
use super::rendezvous::Place;
use super::retry::Outcome;

/// Where a member says whether it is well.
const HEALTH_PATH: &str = "/healthz";

/// Longest answer to that which is read, in bytes.
const HEALTH_BYTES: usize = 4096;

/// A member, and how it stands.
#[derive(Debug)]
pub(crate) struct Member {
    /// What operators know it by.
    shown: String,
    instance: u8,
    client: Client,
    health: Mutex<Health>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    NotReached(ClientError),
    #[error(transparent)]
    Broken(ClientError),
    #[error("it did not answer within {0:?}")]
    Silent(Duration),
}

impl Failure {
    pub(crate) const fn outcome(&self) -> Outcome {
        match self {
            Self::NotReached(_) => Outcome::NotReached,
            Self::Broken(_) => Outcome::Broken,
            Self::Silent(_) => Outcome::Silent,
        }
    }
}

impl Member {
    pub(crate) fn new(shown: String, instance: u8, client: Client) -> Self {
        Self {
            shown,
            instance,
            client,
            health: Mutex::default(),
        }
    }

    pub(crate) const fn instance(&self) -> u8 {
        self.instance
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// As it stands `now`, which is since the gate's start.
    pub(crate) fn candidate<'a>(
        &self,
        appliance: &'a str,
        gone: bool,
        now: Duration,
    ) -> Candidate<'a> {
        Candidate {
            place: Place {
                appliance,
                instance: self.instance,
            },
            near: true,
            standing: self.health().standing(now),
            drains: false,
            gone,
        }
    }

    /// Sends a request, and waits at most `time` for the head of its answer.
    pub(crate) async fn send(
        &self,
        request: Request<Body>,
        time: Duration,
    ) -> Result<Response<Body>, Failure> {
        match tokio::time::timeout(time, self.client.send(request)).await {
            Ok(Ok(response)) => Ok(response.map(|body| body.map_err(Into::into).boxed_unsync())),
            Ok(Err(error @ ClientError::Broken(..))) => Err(Failure::Broken(error)),
            Ok(Err(error)) => Err(Failure::NotReached(error)),
            Err(_) => Err(Failure::Silent(time)),
        }
    }

    /// Asks whether it is well, within `time`.
    pub(crate) async fn check(&self, time: Duration) -> Result<(), String> {
        let mut request = Request::new(ipc::empty());
        *request.uri_mut() = http::Uri::from_static(HEALTH_PATH);
        let begun = Instant::now();
        let response = self.send(request, time).await;
        let response = response.map_err(|failure| failure.to_string())?;
        let status = response.status();
        // Read to its end, so that the connection can be used again.
        let rest = time.saturating_sub(begun.elapsed());
        ipc::read_body(response.into_body(), HEALTH_BYTES, rest)
            .await
            .map_err(|error| error.to_string())?;
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
    pub(crate) fn shown_if_out(&self, now: Duration) -> Option<&str> {
        let standing = self.health().standing(now);
        (standing != Standing::In).then_some(&*self.shown)
    }

    fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
