//! The contract with `casemate-firewall`, which applies bans in the kernel and decides nothing, and its client.
//!
//! HTTP over the Unix socket [`SOCKET`]:
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `POST /v1/bans` | a list of [`Ban`] | [`Applied`]: they are in force, each for its time or longer |
//! | `DELETE /v1/bans` | a list of [`Unban`] | [`Applied`]: none of them is in force |
//! | `GET /v1/bans` | | lines of JSON: one [`Header`], then one [`Standing`] a ban |
//! | `PUT /v1/blocks/NAME` | lines, one prefix each | [`Loaded`]: the list has replaced the one of that name |
//! | `DELETE /v1/blocks/NAME` | | [`Applied`] |
//! | `GET /v1/state` | | [`State`] |
//!
//! An answer comes once the kernel has taken everything: the next packet is judged by it. What the firewall does not
//! take of a list is named in the answer ([`Refused`]), and the rest is applied all the same. Where the kernel fails,
//! the answer is a problem document (RFC 9457) with status 503 and the rules stay as they were.
//!
//! The caller keeps the truth. Each answer has the firewall's [`Generation`]; when it differs from the one before, the
//! caller puts all bans and all block lists again, since some may be missing.

mod ban;
mod block;
mod client;
mod generation;
pub mod limits;
mod prefix;
mod state;

pub use ban::{Applied, Ban, Header, Refused, Standing, Unban, Why};
pub use block::{BlockName, InvalidName, Loaded};
pub use client::{Client, Error};
pub use generation::Generation;
pub use prefix::{Prefix, PrefixError};
pub use state::{BlockState, State};

/// The firewall's socket.
pub const SOCKET: &str = "/run/casemate/firewall/firewall.sock";

/// The path of bans.
pub const BANS_PATH: &str = "/v1/bans";

/// The path of block lists, to which a [`BlockName`] is added.
pub const BLOCKS_PATH: &str = "/v1/blocks/";

/// The path of the state.
pub const STATE_PATH: &str = "/v1/state";
