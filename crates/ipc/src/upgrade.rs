//! Another protocol on the connection of a call (RFC 9110, section 7.8).

use hyper::body::Incoming;
use hyper_util::rt::TokioIo;

use crate::Request;

/// The bytes of a connection on which another protocol is spoken from here on.
pub type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

/// What became of a call that asked for another protocol.
#[derive(Debug)]
pub enum Switch {
    /// The service speaks it: the head of its answer, and the connection.
    Done(http::response::Parts, Upgraded),
    /// The service answered in another way.
    Refused(http::Response<Incoming>),
}

/// The connection of a request that a service answers with 101, once that answer is sent.
///
/// # Errors
/// When the caller went away before, or did not ask for another protocol.
pub async fn switched(request: &mut Request) -> Result<Upgraded, hyper::Error> {
    hyper::upgrade::on(request).await.map(TokioIo::new)
}
