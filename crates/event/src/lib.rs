//! Security events: one structured journal record each, bounded in number.
//!
//! The names and fields are a contract with whoever reads the journal; the
//! crate's README.md lists them.
//!
//! ```
//! use event::Event;
//!
//! let client = std::net::IpAddr::from([192, 0, 2, 7]);
//! event::report(&Event::RequestMalformed { client, reason: "two lengths" });
//! ```

mod bound;
mod kind;
mod report;
mod shown;

pub use bound::RECORDS_A_SECOND;
pub use kind::{Event, Kind};
pub use report::{TARGET, flush, report};
pub use shown::{SHOWN_CHARS, Shown};
