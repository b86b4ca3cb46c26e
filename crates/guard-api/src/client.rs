//! Calls guard.

use std::net::IpAddr;
use std::path::PathBuf;

use http::{HeaderValue, Method, StatusCode, header};
use ipnet::IpNet;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::{REPLY_BYTES, REPLY_TIME};
use crate::{
    Asked, BANS_PATH, BanRequest, Bans, EVENTS_PATH, EXPLAIN_PATH, Explanation, Lifted,
    OPERATOR_HEADER, STATE_PATH, Sightings, State, UnbanRequest,
};

/// Why a call was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Guard could not be reached.
    #[error(
        "guard cannot be reached, so nothing was changed and the bans that the kernel has stay; \
         `systemctl status casemate-guard.service` says why"
    )]
    Unreachable(#[from] ipc::ClientError),
    /// Guard did not do it and says why.
    #[error("{detail}")]
    Refused {
        /// The status of its reply.
        status: StatusCode,
        /// The reason, for the operator.
        detail: String,
    },
    /// It did not reply in time; it may yet do what it was asked.
    #[error("guard did not reply within {} s; `casemate bans` says whether it did what was asked", REPLY_TIME.as_secs())]
    Slow,
    /// Its reply cannot be read.
    #[error("guard's reply cannot be read")]
    Reply(#[source] ipc::BodyError),
}

/// A client of guard.
#[derive(Debug, Clone)]
pub struct Client {
    ipc: ipc::Client,
    operator: Option<IpAddr>,
}

impl Client {
    /// A client of the guard that listens on `socket`, for an operator who works from the address
    /// `operator`, where that is known. Connects at the first call.
    pub fn new(socket: impl Into<PathBuf>, operator: Option<IpAddr>) -> Self {
        Self {
            ipc: ipc::Client::new(socket),
            operator,
        }
    }

    /// A page of the bans in force, after the prefix `after`.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn bans(&self, after: Option<IpNet>) -> Result<Bans, Error> {
        let query = after.map_or_else(String::new, |after| {
            let after = after.to_string();
            format!("?after={}", utf8_percent_encode(&after, NON_ALPHANUMERIC))
        });
        self.ask(Method::GET, &format!("{BANS_PATH}{query}"), None::<&()>)
            .await
    }

    /// Bans.
    ///
    /// # Errors
    /// [`Error::Refused`] for what is never banned, a reason too long or a time too long.
    pub async fn ban(&self, request: &BanRequest) -> Result<Asked, Error> {
        self.ask(Method::POST, BANS_PATH, Some(request)).await
    }

    /// Lifts bans.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn unban(&self, request: &UnbanRequest) -> Result<Lifted, Error> {
        self.ask(Method::DELETE, BANS_PATH, Some(request)).await
    }

    /// What was seen lately.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn events(&self) -> Result<Sightings, Error> {
        self.ask(Method::GET, EVENTS_PATH, None::<&()>).await
    }

    /// All that is known of an address.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn explain(&self, address: IpAddr) -> Result<Explanation, Error> {
        let address = address.to_string();
        let segment = utf8_percent_encode(&address, NON_ALPHANUMERIC);
        self.ask(
            Method::GET,
            &format!("{EXPLAIN_PATH}/{segment}"),
            None::<&()>,
        )
        .await
    }

    /// How guard fares.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn state(&self) -> Result<State, Error> {
        self.ask(Method::GET, STATE_PATH, None::<&()>).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<T, Error> {
        // Plain structures always serialise, and the paths are ASCII.
        let body = body.map(|body| serde_json::to_vec(body).unwrap_or_default());
        let mut request = http::Request::new(body.map_or_else(ipc::empty, ipc::full));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if let Some(operator) = self.operator
            && let Ok(value) = HeaderValue::from_str(&operator.to_string())
        {
            headers.insert(OPERATOR_HEADER, value);
        }
        let called = async {
            let reply = self.ipc.send(request).await?;
            let status = reply.status();
            if status.is_success() {
                let read = ipc::read_json(reply.into_body(), REPLY_BYTES, REPLY_TIME).await;
                return read.map_err(Error::Reply);
            }
            let problem: Result<serde_json::Value, _> =
                ipc::read_json(reply.into_body(), REPLY_BYTES, REPLY_TIME).await;
            let detail = problem
                .ok()
                .and_then(|problem| problem["detail"].as_str().map(str::to_owned))
                .unwrap_or_else(|| format!("guard refused the call with {status}"));
            Err(Error::Refused { status, detail })
        };
        tokio::time::timeout(REPLY_TIME, called)
            .await
            .unwrap_or(Err(Error::Slow))
    }
}
