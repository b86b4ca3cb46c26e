//! The contract with `casemate-dialer`, the one process that can open a
//! connection to the outside, and its client.
//!
//! A call is an HTTP/1.1 upgrade over the caller's own Unix socket:
//!
//! ```text
//! POST /v1/dial HTTP/1.1
//! connection: upgrade
//! upgrade: casemate-descriptor
//! content-type: application/json
//!
//! {"host":"api.example.com","port":443}
//! ```
//!
//! `101 Switching Protocols` means that the connection stands. The caller then
//! writes one byte, and the dialer answers with one byte that carries the
//! connected TCP socket (`SCM_RIGHTS`, unix(7)). The caller's byte comes first
//! because an HTTP implementation may read ahead with plain `read`, which
//! would throw the descriptor away. Anything but 101 is a refusal
//! ([`Refusal`]) with a problem document (RFC 9457).

mod client;
mod descriptor;
mod error;
mod refusal;
mod request;

use std::time::Duration;

pub use client::Client;
pub use error::DialError;
pub use refusal::Refusal;
pub use request::{DialRequest, HOST_BYTES};

/// The path of the one call.
pub const DIAL_PATH: &str = "/v1/dial";

/// The protocol that the connection is upgraded to, in the `Upgrade` header.
pub const PROTOCOL: &str = "casemate-descriptor";

/// The byte that the caller writes once it has switched to [`PROTOCOL`].
pub const READY_BYTE: u8 = b'?';

/// The byte that carries the socket.
pub const CARRIER_BYTE: u8 = b'!';

/// Longest request body, in bytes: the longest host name, a port and their JSON.
pub const REQUEST_BYTES: usize = 1024;

/// Longest problem document that a caller reads, in bytes.
pub const PROBLEM_BYTES: usize = 4096;

/// How long the dialer may take to resolve a name.
pub const RESOLVE_TIME: Duration = Duration::from_secs(5);

/// How long the dialer may take to connect, over all addresses of a name.
pub const CONNECT_TIME: Duration = Duration::from_secs(10);

/// How long either side waits for the other's byte.
pub const HANDOVER_TIME: Duration = Duration::from_secs(5);

/// How long a caller waits for a whole call. Longer than resolving and
/// connecting may take together, so that the dialer's own refusal arrives.
pub const DIAL_TIME: Duration = Duration::from_secs(20);
