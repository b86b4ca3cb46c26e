//! What of HTTP the gate takes. Parsers differ in what they forgive, and where two of them read one
//! stream of bytes differently, a request hides in another (request smuggling). So the gate forgives
//! nothing: a scanner ([`Scanner`]) reads each HTTP/1.1 connection before hyper does (RFC 9112), and
//! [`Guard`] hands over only what the scanner took. On HTTP/2 the frames say where a message ends: [`frames`]
//! holds them to their rules, and [`http2`] checks what a service behind could misread.

mod authority;
mod chunk;
#[cfg(any(test, fuzzing))]
pub mod differential;
mod field;
pub mod frames;
mod guard;
mod head;
mod held;
pub mod http2;
mod linger;
mod octet;
mod reason;
mod scanner;
mod target;
mod watch;

pub use frames::FrameGuard;
pub use guard::Guard;
pub use reason::Reason;
pub use scanner::{Scan, Scanner, Witness};
pub use watch::Watch;

use std::net::IpAddr;

/// The event of a request that was refused.
pub(crate) fn report(reason: Reason, client: IpAddr) {
    let reason = reason.name();
    event::report(&event::Event::RequestMalformed { client, reason });
}

/// Longest head of a request with its empty line, in bytes.
pub const HEAD_BYTES: usize = 16 * 1024;

/// Longest request line with its line end, in bytes.
pub const REQUEST_LINE_BYTES: usize = 8 * 1024;

/// Most headers of a request.
pub const HEADERS_MAX: usize = 64;

/// Longest method, in bytes.
pub const METHOD_BYTES: usize = 24;

/// Longest name of a host, in bytes (RFC 1035, section 2.3.4).
pub const HOST_BYTES: usize = 253;

/// Longest body that may be announced, in bytes: what fits a signed number of 64 bits, which is
/// what others count with. How much is really taken is decided for each route.
pub const BODY_BYTES_MAX: u64 = i64::MAX as u64;

/// Most digits of a chunk's size.
pub const CHUNK_DIGITS: usize = 16;
