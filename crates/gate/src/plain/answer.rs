//! What is answered where the connection is not encrypted: a challenge, or where to ask instead.

use std::io::{self, Read as _};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};

use super::Plain;
use super::decide::{Answer, Asked, Token, decide};

/// Longest answer to a challenge in bytes: a token, a dot and a digest (RFC 8555, section 8.1).
const AUTHORIZATION_BYTES: u64 = 512;

/// Answers a request of somebody who is not banned.
pub(super) async fn answer(shared: &Plain, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let asked = Asked {
        version: request.version(),
        method: request.method(),
        authority: authority(request),
        path: request.uri().path(),
        query: request.uri().query(),
        has_body: !request.body().is_end_stream(),
    };
    match decide(&asked, &shared.port, |host| shared.tls.covers(host)) {
        Answer::Challenge(token) => challenge(shared, token).await,
        Answer::Elsewhere(there) => {
            let mut response = said(StatusCode::PERMANENT_REDIRECT, "");
            match HeaderValue::from_str(&there) {
                Ok(there) => {
                    response.headers_mut().insert(header::LOCATION, there);
                    response
                }
                Err(_) => said(StatusCode::BAD_REQUEST, "The address cannot be read.\n"),
            }
        }
        Answer::NotFound => said(StatusCode::NOT_FOUND, "There is nothing here.\n"),
        Answer::Misdirected => said(
            StatusCode::MISDIRECTED_REQUEST,
            "There is no such host here.\n",
        ),
        Answer::Method => {
            let mut response = said(
                StatusCode::METHOD_NOT_ALLOWED,
                "This method is not taken here.\n",
            );
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(header::ALLOW, allowed);
            response
        }
        Answer::Body => said(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Nothing is taken here; ask by HTTPS.\n",
        ),
        Answer::Malformed => said(StatusCode::BAD_REQUEST, "The request cannot be read.\n"),
        Answer::Version => said(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "Ask by HTTP/1.1.\n"),
    }
}

/// The one host that a request is for: its address's goes before its header's (RFC 9112,
/// section 3.2.2).
fn authority(request: &Request<Incoming>) -> Option<&str> {
    let mut named = request.headers().get_all(header::HOST).iter();
    let header = match (named.next(), named.next()) {
        (Some(host), None) => host.to_str().ok()?,
        _ => return None,
    };
    let uri = request.uri().authority().map(http::uri::Authority::as_str);
    Some(uri.unwrap_or(header))
}

async fn challenge(shared: &Plain, token: Token<'_>) -> Response<Full<Bytes>> {
    let absent = || said(StatusCode::NOT_FOUND, "There is no such challenge.\n");
    let Some(folder) = &shared.challenges else {
        return absent();
    };
    let path = folder.join(token.as_str());
    let read = tokio::task::spawn_blocking(move || {
        let mut text = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(AUTHORIZATION_BYTES).read_to_end(&mut text)?;
        Ok::<_, io::Error>(text)
    });
    match read.await {
        Ok(Ok(text)) => {
            tracing::info!("an authority's challenge is answered");
            let mut response = Response::new(Full::from(text));
            let media_type = HeaderValue::from_static("application/octet-stream");
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, media_type);
            sealed(response)
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => absent(),
        Ok(Err(error)) => {
            tracing::warn!(
                "an authority's challenge is not answered, so there will be no certificate: {error}"
            );
            absent()
        }
        Err(error) => {
            tracing::warn!("an authority's challenge is not answered: {error}");
            absent()
        }
    }
}

pub(super) fn said(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static("text/plain; charset=utf-8");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    sealed(response)
}

/// Nothing that was read where anybody could change it is to be kept or guessed at.
fn sealed(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let headers = response.headers_mut();
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
