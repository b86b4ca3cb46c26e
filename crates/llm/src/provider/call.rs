//! One call: the request out, the head of the answer in, then its body piece by piece.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::{Access, Provider, connect::connect, pool::Sender};
use crate::{error::CallError, openai};

/// Most bytes that are read of an answer that is an error, to find its code.
const ERROR_BYTES: usize = 16 * 1024;
/// Longest time to read it.
const ERROR_TIME: Duration = Duration::from_secs(2);
/// How long a body's end may lag behind its last words before the connection is given up.
const END_TIME: Duration = Duration::from_secs(1);
/// Longest media type that is logged, in bytes.
const MEDIA_TYPE_BYTES: usize = 100;

/// An answer that has begun.
#[derive(Debug)]
pub(crate) struct Reply {
    provider: Arc<Provider>,
    sender: Sender,
    body: Incoming,
}

/// Sends the request and waits for the head of the answer; the caller bounds that wait.
pub(crate) async fn start(provider: &Arc<Provider>, body: Bytes) -> Result<Reply, CallError> {
    let access = provider
        .access
        .as_ref()
        .map_err(|why| CallError::NotSetUp(why.clone()))?;
    let request = request(access, body)?;
    // A connection that was kept may die just as it is used; then a new one is made, once.
    if let Some(mut sender) = provider.pool.take(Instant::now()) {
        match send(&mut sender, request.clone()).await {
            Ok(response) => return check(provider, sender, response).await,
            Err(error) if is_stale(&error) => {}
            Err(error) => return Err(CallError::Http(error)),
        }
    }
    let mut sender = connect(
        &provider.dialer,
        &access.target,
        access.tls.as_ref(),
        provider.entry.connect(),
    )
    .await?;
    let response = send(&mut sender, request).await.map_err(CallError::Http)?;
    check(provider, sender, response).await
}

async fn send(
    sender: &mut Sender,
    request: Request<Full<Bytes>>,
) -> hyper::Result<Response<Incoming>> {
    sender.ready().await?;
    sender.send_request(request).await
}

/// Whether the connection was closed before any of an answer came.
fn is_stale(error: &hyper::Error) -> bool {
    error.is_closed() || error.is_canceled() || error.is_incomplete_message()
}

fn request(access: &Access, body: Bytes) -> Result<Request<Full<Bytes>>, CallError> {
    let uri: Uri = access
        .target
        .path
        .parse()
        .map_err(|error| CallError::NotSetUp(format!("base_url: {error}")))?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(header::HOST, access.host.clone());
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(
        header::ACCEPT,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("casemate/", env!("CARGO_PKG_VERSION"))),
    );
    if let Some(key) = &access.key {
        headers.insert(header::AUTHORIZATION, key.clone());
    }
    Ok(request)
}

async fn check(
    provider: &Arc<Provider>,
    sender: Sender,
    response: Response<Incoming>,
) -> Result<Reply, CallError> {
    let status = response.status();
    if status != StatusCode::OK {
        let body = Limited::new(response.into_body(), ERROR_BYTES).collect();
        let body = timeout(ERROR_TIME, body).await;
        let code = body
            .ok()
            .and_then(Result::ok)
            .map(|body| openai::error_code(&body.to_bytes()));
        return Err(CallError::Status {
            status,
            code: code.unwrap_or_default(),
        });
    }
    let media_type = response
        .headers()
        .get(header::CONTENT_TYPE)
        .map_or(&b""[..], HeaderValue::as_bytes);
    if !is_event_stream(media_type) {
        let shown = media_type[..media_type.len().min(MEDIA_TYPE_BYTES)]
            .escape_ascii()
            .to_string();
        return Err(CallError::MediaType(shown));
    }
    Ok(Reply {
        provider: Arc::clone(provider),
        sender,
        body: response.into_body(),
    })
}

fn is_event_stream(media_type: &[u8]) -> bool {
    let essence = media_type
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    essence
        .trim_ascii()
        .eq_ignore_ascii_case(b"text/event-stream")
}

impl Reply {
    /// The next bytes of the body, `None` at its end. Cancel safe.
    pub(crate) async fn bytes(&mut self) -> Result<Option<Bytes>, CallError> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(CallError::Broken(error)),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// Keeps the connection for the next call, once the body is read to its end.
    pub(crate) fn finish(self) {
        let Self {
            provider,
            sender,
            mut body,
        } = self;
        let keep = move |sender| provider.pool.put(sender, Instant::now());
        // Nearly always the end has come with the last words.
        if let Some(None) = body.frame().now_or_never() {
            return keep(sender);
        }
        tokio::spawn(async move {
            let rest = async { while let Some(Ok(_)) = body.frame().await {} };
            if timeout(END_TIME, rest).await.is_ok() {
                keep(sender);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_event_stream_is_one() {
        for good in ["text/event-stream", "Text/Event-Stream; charset=utf-8"] {
            assert!(is_event_stream(good.as_bytes()), "{good}");
        }
        for bad in ["", "text/html", "application/json", "text/event-streams"] {
            assert!(!is_event_stream(bad.as_bytes()), "{bad}");
        }
    }
}
