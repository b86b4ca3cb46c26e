//! Typed HTTP over Unix sockets: how Casemate's services call one another.
//!
//! Plain HTTP/1.1 (RFC 9112), so that `curl --unix-socket` works on every
//! socket; and HTTP/2 where a client begins with its preface, for answers that take
//! long ([`Client::stream`]). Who may call is decided by who may open the socket (its group), and
//! the kernel names the caller ([`Peer`], `SO_PEERCRED` in unix(7)). Serving
//! takes a [`sandbox::Confined`]: serving unconfined does not compile.

mod body;
mod client;
mod error;
mod idle;
mod peer;
mod pool;
mod protocol;
mod read;
mod request_id;
mod serve;
mod speak;
mod streams;
mod upgrade;

pub use body::{Body, BodySender, Closed, empty, full, json, no_content, problem, stream};
pub use client::{Client, ClientError, Incoming};
pub use error::BoxError;
pub use peer::Peer;
pub use read::{BodyError, DISCARD_BYTES, read_body, read_json, read_object};
pub use request_id::RequestId;
pub use serve::{DRAIN_TIME, Limits, serve, serve_streams};
pub use streams::{STREAMS_PER_CONNECTION, Streamed};
pub use upgrade::{Switch, Upgraded, switched};

/// A request as a handler gets it.
pub type Request = http::Request<Incoming>;

/// A response as a handler gives it.
pub type Response = http::Response<Body>;
