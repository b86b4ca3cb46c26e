//! Lets a request in, or answers it at the gate where it is malformed or for another host.

use std::net::IpAddr;

use event::Event;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use ipc::Body;
use tokio_util::task::TaskTracker;

use crate::forward::Bots;
use crate::headers;
use crate::strict::{self, Reason, Watch};
use crate::upgrade::{self, Sockets};

/// Marks the answer to a request that is malformed on HTTP/2: in its place the stream ends with an error.
#[derive(Debug, Clone, Copy)]
struct Malformed;

/// The answer, or the error that its stream ends with (RFC 9113, section 8.1.1).
///
/// # Errors
/// When the request was malformed, on HTTP/2.
pub(crate) fn or_stream_error(response: Response<Body>) -> Result<Response<Body>, h2::Error> {
    if response.extensions().get::<Malformed>().is_some() {
        return Err(h2::Reason::PROTOCOL_ERROR.into());
    }
    Ok(response)
}

/// Answers one request of a connection. `serves` tells which hosts are answered for; `relays` takes what goes on after
/// the answer, as a WebSocket.
pub(crate) async fn answer(
    bots: &Bots,
    sockets: &Sockets,
    relays: &TaskTracker,
    serves: impl FnOnce(&str) -> bool,
    watch: &Watch,
    request: Request<Incoming>,
    client: IpAddr,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let authority = match authority(&parts, watch, client) {
        Ok(authority) => authority,
        Err(reason) => return refused(reason, parts.version),
    };
    if !serves(authority) {
        return misdirected(authority, client);
    }
    let version = parts.version;
    if upgrade::may_open(&parts) {
        let authority = authority.to_owned();
        let request = Request::from_parts(parts, body);
        return sockets
            .answer(bots, relays, request, &authority, client)
            .await;
    }
    let response = bots.answer(Request::from_parts(parts, body), client).await;
    // A bot may have answered what it got of a body before that broke off.
    match watch.refused_body() {
        Some(reason) => refused(reason, version),
        None => response,
    }
}

/// The host and port that a request is for.
fn authority<'a>(
    request: &'a http::request::Parts,
    watch: &Watch,
    client: IpAddr,
) -> Result<&'a str, Reason> {
    if request.version == Version::HTTP_2 {
        strict::http2::check(request).inspect_err(|reason| strict::report(*reason, client))?;
        let authority = request.uri.authority().map(http::uri::Authority::as_str);
        return authority.ok_or(Reason::HostMissing);
    }
    // The guard lets none through without; this one is in place of a head that was refused.
    host(&request.headers).ok_or_else(|| watch.refused_head().unwrap_or(Reason::HostMissing))
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

fn refused(reason: Reason, version: Version) -> Response<Body> {
    let mut response = ipc::problem(reason.status(), reason.detail());
    headers::to_visitor(response.headers_mut(), false);
    // On HTTP/2 it is the stream alone that ends.
    if version == Version::HTTP_2 {
        if strict::http2::is_malformed(reason) {
            response.extensions_mut().insert(Malformed);
        }
    } else {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

fn misdirected(authority: &str, client: IpAddr) -> Response<Body> {
    let host = authority;
    event::report(&Event::HostUnknown { client, host });
    let detail = "This host is not served here.";
    let mut response = ipc::problem(StatusCode::MISDIRECTED_REQUEST, detail);
    headers::to_visitor(response.headers_mut(), false);
    response
}
