//! The broker's calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode, header};
use ipc::{Request, Response};
use llm_api::{
    ANSWER_PATH, ANSWER_TYPE, AnswerRequest, BUILT_IN, FailKind, Failed, STATUS_PATH, Status,
    limits::REQUEST_BYTES,
};
use sandbox::Confined;
use secret::Credentials;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use crate::{
    audit::Call,
    builtin,
    config::Config,
    openai,
    prompt::{self, MARK_BYTES},
    provider::{Counts, Provider},
    stream,
};

/// Longest time for a request's body to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);

/// The broker: the built-in answerer and the configured providers.
#[derive(Debug)]
pub struct Broker {
    built_in: Counts,
    providers: BTreeMap<String, Arc<Provider>>,
}

impl Broker {
    /// A broker for the providers of the configuration, with their keys from the credentials, and sockets from the dialer.
    #[must_use]
    pub fn new(config: Config, credentials: &Credentials, dialer: &dialer_api::Client) -> Self {
        let provider = |entry: crate::config::Entry| {
            (
                entry.name.clone(),
                Provider::new(entry, credentials, dialer.clone()),
            )
        };
        Self {
            built_in: Counts::default(),
            providers: config.provider.into_iter().map(provider).collect(),
        }
    }

    /// How the providers fare.
    #[must_use]
    pub fn status(&self) -> Status {
        let built_in = self.built_in.status(BUILT_IN, BUILT_IN);
        let others = self.providers.values().map(|provider| provider.status());
        Status {
            providers: std::iter::once(built_in).chain(others).collect(),
        }
    }

    async fn handle(&self, request: Request) -> Response {
        match (request.method(), request.uri().path()) {
            (&Method::POST, ANSWER_PATH) => self.answer(request).await,
            (&Method::GET, STATUS_PATH) => ipc::json(StatusCode::OK, &self.status()),
            (&Method::GET, "/healthz") => Response::new(ipc::full("ok\n")),
            (_, ANSWER_PATH | STATUS_PATH | "/healthz") => ipc::problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "This path does not take that method.",
            ),
            _ => ipc::problem(StatusCode::NOT_FOUND, "There is nothing at this path."),
        }
    }

    async fn answer(&self, request: Request) -> Response {
        let body = match ipc::read_body(request.into_body(), REQUEST_BYTES, BODY_TIME).await {
            Ok(body) => body,
            Err(error) => return error.response(),
        };
        let request: AnswerRequest = match serde_json::from_slice(&body) {
            Ok(request) => request,
            // The error's own words can quote what a visitor wrote.
            Err(error) => {
                let detail = format!(
                    "The request is not what was expected at line {}, column {}.",
                    error.line(),
                    error.column()
                );
                return ipc::problem(StatusCode::BAD_REQUEST, &detail);
            }
        };
        if let Err(invalid) = request.check() {
            return ipc::problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                &format!("The request cannot be answered: {invalid}."),
            );
        }
        let lines = if request.provider == BUILT_IN {
            self.ask_documents(&request, body.len())
        } else {
            self.ask_provider(request)
        };
        let mut response = Response::new(lines);
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(ANSWER_TYPE));
        response
    }

    fn ask_documents(&self, request: &AnswerRequest, bytes: usize) -> ipc::Body {
        let mut call = Call::begin(&request.bot, BUILT_IN, "", bytes);
        self.built_in.call();
        let answer = builtin::answer(request);
        call.words(answer.text.len());
        call.answered(answer.outcome);
        stream::built_in(answer)
    }

    fn ask_provider(&self, request: AnswerRequest) -> ipc::Body {
        let Some(provider) = self.providers.get(&request.provider) else {
            let kind = FailKind::UnknownProvider;
            let call = Call::begin(&request.bot, &request.provider, "", 0);
            call.failed(kind, "llm.toml names no such provider");
            return stream::failed(Failed { kind, retry: false });
        };
        provider.counts.call();
        let mut mark = [0; MARK_BYTES];
        if let Err(error) = secret::fill_random(&mut mark) {
            let kind = FailKind::Unavailable;
            let call = Call::begin(&request.bot, &request.provider, &provider.entry.model, 0);
            call.failed(kind, &format!("the system gives no random bytes: {error}"));
            provider.counts.failure();
            return stream::failed(Failed { kind, retry: true });
        }
        let body = openai::body(&provider.entry, &prompt::messages(&request, mark));
        let call = Call::begin(
            &request.bot,
            &request.provider,
            &provider.entry.model,
            body.len(),
        );
        stream::from_provider(Arc::clone(provider), request, body, call)
    }
}

/// Serves the broker until `drain` is cancelled.
pub async fn serve(
    confined: &Confined,
    listener: UnixListener,
    broker: Broker,
    drain: CancellationToken,
) {
    let broker = Arc::new(broker);
    let handler = move |_, request| {
        let broker = Arc::clone(&broker);
        async move { broker.handle(request).await }
    };
    ipc::serve(confined, listener, ipc::Limits::default(), drain, handler).await;
}
