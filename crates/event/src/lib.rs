//! Security events: one typed contract for who sees them, who decides on them and who reads of them in the journal.
//!
//! [`report`] writes one structured journal record each, bounded in number, and tells the service that decides on
//! bans, where there is one. The names and fields are a contract with whoever reads the journal; the crate's
//! README.md lists them.
//!
//! ```
//! use event::Event;
//!
//! let client = std::net::IpAddr::from([192, 0, 2, 7]);
//! event::report(&Event::RequestMalformed { client, reason: "two lengths" });
//! ```

mod bound;
mod client;
mod door;
mod kind;
mod link;
mod outbox;
mod raw;
mod receive;
mod report;
mod said;
mod seen;
mod shown;
mod unit;
pub mod wire;

/// Where the events go, where there is somebody who decides on them: a Unix socket of type `SOCK_SEQPACKET`.
pub const SOCKET: &str = "/run/casemate/guard/events.sock";

/// The folder of [`SOCKET`], which holds nothing else.
pub const SOCKET_FOLDER: &str = "/run/casemate/guard";

pub use bound::RECORDS_A_SECOND;
pub use client::ClientKey;
pub use door::{JUDGED_MS, connect, follow, judged, judgement};
pub use kind::Kind;
pub use link::Change;
pub use receive::{Connection, Packet, ReceiveError, Receiver};
pub use report::{TARGET, flush, report};
pub use seen::Event;
pub use shown::{SHOWN_CHARS, Shown};
pub use unit::{Peer, UnitError};
